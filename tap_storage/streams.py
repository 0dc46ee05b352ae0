"""The stream of the specification, put together from its parts."""

from __future__ import annotations

import contextlib
import logging
from functools import cached_property, partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from singer_sdk import metrics
from singer_sdk.authenticators import APIAuthenticatorBase, APIKeyAuthenticator
from singer_sdk.exceptions import FatalAPIError
from singer_sdk.schema.source import SchemaDirectory, StreamSchema
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_storage import schemas
from tap_storage.client import Client, Response
from tap_storage.failures import RefusedError, UnprovenError
from tap_storage.fetching import Fetcher, Question
from tap_storage.incremental import IncrementalStream
from tap_storage.paging import Everything, Reading, WalkPaginator, identify
from tap_storage.progress import name
from tap_storage.records import REFUSED_PAGE, Page, read_page
from tap_storage.seek import Sample
from tap_storage.settings import Connection, Replication, Resource
from tap_storage.walk import Walk, WalkError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest
    from singer_sdk.tap_base import Tap

    from tap_storage.seek import Probe
    from tap_storage.walk import Resume


SHOWN = 2
"""Pages that show whether the API heeds the offset."""


class StorageDataStream(IncrementalStream):
    """The records of one collection, read over offset pages."""

    name = "storage_data"
    schema = StreamSchema(SchemaDirectory(schemas), key="storage_data")

    def __init__(self, tap: Tap) -> None:
        self.resource = Resource.from_config(tap.config)
        self.replication = Replication.from_config(tap.config)
        self.initial_offset, self.page_size = self.resource.initial_offset, self.resource.limit
        self.pages = bool(self.resource.offset_param)
        self._resume: Resume | None = None
        self._paginator: WalkPaginator | None = None
        self._guesses = 0
        super().__init__(tap=tap, path=self.resource.path)
        self.primary_keys = self.resource.primary_keys
        self.replication_key = self.resource.replication_key

    @cached_property
    def connection(self) -> Connection:
        """How to reach the API; discovery does without."""
        return Connection.from_config(self.config)

    @property
    @override
    def url_base(self) -> str:
        return self.connection.base_url.rstrip("/")

    @override
    def get_url(self, context: Context | None) -> str:
        path = self.resource.path
        return f"{self.url_base}/{path.lstrip('/')}" if path else self.url_base

    @cached_property
    @override
    def authenticator(self) -> APIAuthenticatorBase:
        if self.connection.auth_location == "none":
            return APIAuthenticatorBase()
        return APIKeyAuthenticator(
            key=self.connection.auth_param,
            value=self.connection.api_key,
            location="header" if self.connection.auth_location == "header" else "params",
        )

    @property
    @override
    def http_headers(self) -> dict[str, str]:
        own = {"Accept": "application/json", "User-Agent": self.connection.user_agent}
        return own | self.connection.headers | self.authenticator.auth_headers

    @override
    def get_url_params(self, context: Context | None, next_page_token: int | None) -> dict[str, Any]:
        paging = {
            self.resource.limit_param: self.resource.limit,
            self.resource.offset_param: next_page_token,
        }
        sent = {name: value for name, value in paging.items() if name}
        # The key is put in here: the authenticator itself would drop parameters that are set to nothing.
        return sent | self.resource.params | self.filters | self.authenticator.auth_params

    @override
    def get_new_paginator(self) -> WalkPaginator:
        resource = self.resource
        pages = (
            Walk(
                start=resource.initial_offset,
                limit=resource.limit,
                overlap=resource.page_overlap,
                maximum=resource.maximum_offset,
                unique=bool(self.primary_keys),
                filtered=bool(self.filters),
                resume=self._resume,
                name=name,
                note=self.log,
            )
            if resource.offset_param
            else Everything(offset=resource.initial_offset)
        )
        return WalkPaginator(pages, page_size=resource.limit, primary_keys=self.primary_keys or [])

    @override
    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        with self.get_http_request_counter() as requests_made:
            connection, traffic = self.connection, self.verdict.traffic
            log = partial(self.log, level=logging.WARNING)
            client = Client(connection, log=log, observe=partial(self._observe, requests_made), traffic=traffic)
            self._fetcher = Fetcher(
                client,
                request=self._request_for,
                read=self._read_page,
                concurrency=connection.concurrency,
                waiting=self.wait,
                log=log,
                traffic=traffic,
            )
            try:
                yield
            finally:
                self._fetcher.close()

    @override
    def read_pages(self, resume: Resume | None) -> Iterator[Reading]:
        self._resume = resume
        self._paginator = paginator = self.get_new_paginator()
        behind: int | None = None
        while not paginator.finished:
            offset = paginator.current_value
            page = self._next_page(paginator)
            self._look_ahead(paginator)
            yield Reading(offset, page, paginator.new, offset == behind)
            behind = offset + len(page)

    @override
    def sample(self, probe: Probe) -> Sample:
        try:
            page, _ = self._fetch(Question(probe.offset, probe.size))
        except RefusedError:
            page = REFUSED_PAGE
        keys = identify(page, self.primary_keys or [], offset=probe.offset)
        return Sample([name(key) for key in keys], self.run.values(page), page.total)

    @property
    @override
    def cut_short(self) -> bool:
        return self._paginator is not None and self._paginator.bounded

    @property
    @override
    def still(self) -> bool:
        return self._paginator is None or self._paginator.still

    @property
    @override
    def undisturbed(self) -> bool:
        return self._paginator is not None and self._paginator.undisturbed

    @property
    @override
    def place(self) -> Resume | None:
        return self._paginator.place if self._paginator else None

    def _next_page(self, paginator: WalkPaginator) -> Page:
        """Fetch the page that the walk asks for, and let it be taken in."""
        question = Question(paginator.current_value)
        what = _subject(self.name, question)
        try:
            page, early = self._fetch(question)
        except RefusedError as error:
            if not paginator.count:
                raise
            what = f"{error}. It"
            page, early = REFUSED_PAGE, False
        try:
            paginator.take(page, early=early)
        except (WalkError, FatalAPIError) as error:
            msg = f"{what} {error}"
            raise UnprovenError(msg) from None
        finally:
            paginator.report(self.verdict)
        return page

    def _look_ahead(self, paginator: WalkPaginator) -> None:
        """Ask for the pages that are likely to follow, once the second one has shown that the offset moves."""
        shown = paginator.count >= SHOWN and self.ABORT_AT_RECORD_COUNT is None
        expected = paginator.upcoming(self.connection.concurrency) if shown else ()
        # One page more after each guess that came true: where records move, or few are left, little is asked in vain.
        self._guesses = self._guesses + 1 if expected else 0
        self._fetcher.expect([Question(offset) for offset in expected], most=self._guesses + 1)

    def _fetch(self, question: Question) -> tuple[Page, bool]:
        return self._fetcher.fetch(question, what=_subject(self.name, question))

    def _request_for(self, question: Question) -> HTTPRequest:
        request = self.get_http_request(page=PageContext(None, question.offset))
        if question.limit is not None and self.resource.limit_param:
            request.params[self.resource.limit_param] = question.limit
        return request

    def _read_page(self, response: Response) -> Page:
        if response.date:
            self.run.lower_ceiling(response.date)
        if self.lane and (page := self.lane.read(response.body)):
            return page
        return read_page(
            response.body,
            data_selector=self.resource.data_selector,
            total_path=self.resource.total_path,
        )

    def _observe(self, requests_made: metrics.Counter, status: int, seconds: float) -> None:
        requests_made.increment()
        outcome = metrics.Status.SUCCEEDED if status < HTTPStatus.BAD_REQUEST else metrics.Status.FAILED
        tags: dict[str, Any] = {
            metrics.Tag.STREAM: self.name,
            metrics.Tag.ENDPOINT: self.resource.path,
            metrics.Tag.HTTP_STATUS_CODE: status,
            metrics.Tag.STATUS: outcome,
        }
        metrics.log(
            self.metrics_logger,
            metrics.Point("timer", metrics.Metric.HTTP_REQUEST_DURATION, seconds, tags),
        )


def _subject(name: str, question: Question) -> str:
    return f"{name} at offset {question.offset}"
