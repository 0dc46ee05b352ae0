"""The stream of the specification, put together from its parts."""

from __future__ import annotations

import contextlib
import logging
import time
from functools import cached_property, partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from singer_sdk import metrics
from singer_sdk.authenticators import APIAuthenticatorBase, APIKeyAuthenticator
from singer_sdk.exceptions import FatalAPIError, SingerSDKError
from singer_sdk.streams.rest import PageContext
from typing_extensions import override

from tap_storage import schema, settings
from tap_storage.bookmarks import Instants
from tap_storage.client import Client, Response
from tap_storage.failures import RefusedError, UnprovenError
from tap_storage.fetching import Fetcher, Question
from tap_storage.incremental import IncrementalStream
from tap_storage.paging import Everything, Reading, WalkPaginator, identify
from tap_storage.progress import name
from tap_storage.records import REFUSED_PAGE, Page, read_page
from tap_storage.seek import Sample
from tap_storage.settings import Connection, Replication, Resource
from tap_storage.verdict import Verdict
from tap_storage.walk import Walk, WalkError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest
    from singer_sdk.tap_base import Tap

    from tap_storage.isolation import Isolation
    from tap_storage.seek import Probe
    from tap_storage.transport import Transport
    from tap_storage.walk import Resume

T = TypeVar("T")

SHOWN = 2
"""Pages that show whether the API heeds the offset."""
FRESH_S = 60
"""So long a page that was asked for as a sample will do as the first of the walk."""


class StorageDataStream(IncrementalStream):
    """The records of one collection, read over offset pages."""

    name = settings.STREAM

    def __init__(
        self, tap: Tap, config: settings.Config, *, transport: Callable[[], Transport], isolation: Isolation
    ) -> None:
        """Make the stream of a resource.

        config: of `settings.of_resource`. transport: returns what all streams share; discovery may do without.
        """
        self._settings = MappingProxyType(dict(config))
        self.resource = Resource.from_config(config)
        self.replication = Replication.from_config(config)
        self.initial_offset, self.page_size = self.resource.initial_offset, self.resource.limit
        self.pages = bool(self.resource.offset_param)
        self.isolated = partial(isolation.of, config["name"])
        self.alone = len(tap.config["resources"]) == 1
        self.verdict = Verdict(config["name"])
        self.unlearned: Exception | None = None
        """Why there is no sample of the records."""
        self._transport = transport
        self._resume: Resume | None = None
        self._paginator: WalkPaginator | None = None
        self._guesses = 0
        self._sampled: tuple[float, Response] | None = None
        """A page that was read already, and until when it may be taken."""
        self.filters = {}
        given = config.get("schema")
        super().__init__(
            tap=tap,
            name=config["name"],
            path=self.resource.path,
            schema=schema.load_schema(given) if given else schema.built_in(),
        )
        self.primary_keys = self.resource.primary_keys
        self.replication_key = self.resource.replication_key

    @property
    @override
    def config(self) -> Mapping[str, Any]:
        return self._settings

    @cached_property
    def connection(self) -> Connection:
        """How to reach the API; discovery does without."""
        return self._transport().connection

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

    def prepare(self, *, can_ask: bool) -> None:
        """Let the schema have what the first page shows, and keep that page for the walk; hold the keys against both.

        can_ask: whether it is known how to reach the API. Raises ConfigurationError for keys that no sample can mend.
        """
        learns = can_ask and self.config["infer_schema"] and not self.config.get("schema")
        self.keys.check("Setting", self.config, whole=not learns)
        if not learns:
            return
        try:
            self._learn()
            self.keys.check("Setting", self.config)
        except (SingerSDKError, RecursionError) as error:
            self.unlearned = error

    def _learn(self) -> None:
        def read(response: Response) -> tuple[Response, Page]:
            return response, self._decode(response)

        question = Question(self.initial_offset)
        with self._asking(read, lambda: None) as fetcher:
            (response, page), _ = fetcher.fetch(question, what=_subject(self.name, question))
        self._sampled = (time.monotonic() + FRESH_S, response)
        try:
            identify(page, self.primary_keys or [], offset=self.initial_offset)
        except FatalAPIError as error:
            msg = f"{_subject(self.name, question)} {error}"
            raise FatalAPIError(msg) from None
        scale = Instants(self.replication.datetime_format)
        self._schema = schema.merge(
            self.schema,
            page.records,
            keys=self.primary_keys or [],
            replication_key=self.replication_key,
            reads=lambda value: scale.read(value) is not None,
        )
        if not page.records:
            self.log(
                "There are no records to learn the fields from: discover again once there are some",
                level=logging.WARNING,
            )
        self._warn_of_absent_key(page)

    def _warn_of_absent_key(self, page: Page) -> None:
        key, fields = self.replication_key, dict.fromkeys(name for record in page.records for name in record)
        if key and fields and key not in fields:
            self.log(
                "No record of the first page has the replication_key %s, so every run reads and emits everything: set "
                'replication_key to one of %s, or to "" for a full table',
                key,
                ", ".join(fields),
                level=logging.WARNING,
            )

    @override
    def _write_schema_message(self) -> None:
        # Private, but the SDK would tell the destination of columns that are not those of the records.
        if not self.unlearned:
            super()._write_schema_message()

    @override
    @contextlib.contextmanager
    def connected(self) -> Iterator[None]:
        if self.unlearned:
            raise self.unlearned
        with self.get_http_request_counter() as requests_made:
            requests_made.increment(self.verdict.traffic.requests)  # for the sample
            with self._asking(self._read_page, requests_made.increment) as self._fetcher:
                yield

    @contextlib.contextmanager
    def _asking(self, read: Callable[[Response], T], count: Callable[[], object]) -> Iterator[Fetcher[T]]:
        """Return what asks the API, and makes of its answers what `read` does. count: is called for each answer."""
        log = partial(self.log, level=logging.WARNING)
        client = Client(self._transport(), log=log, observe=partial(self._observe, count), traffic=self.verdict.traffic)
        fetcher = Fetcher(
            client,
            request=self._request_for,
            read=read,
            concurrency=self.connection.concurrency,
            waiting=self.wait,
            log=log,
            traffic=self.verdict.traffic,
        )
        try:
            yield fetcher
        finally:
            fetcher.close()

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
            if paginator.place is None and question.offset <= self.initial_offset:
                raise  # the collection itself is refused
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
        sampled, self._sampled = self._sampled, None
        if sampled and question == Question(self.initial_offset) and not self.filters:
            until, response = sampled
            if time.monotonic() < until:
                return self._read_page(response), False
        return self._fetcher.fetch(question, what=_subject(self.name, question))

    def _request_for(self, question: Question) -> HTTPRequest:
        request = self.get_http_request(page=PageContext(None, question.offset))
        if question.limit is not None and self.resource.limit_param:
            request.params[self.resource.limit_param] = question.limit
        return request

    def _read_page(self, response: Response) -> Page:
        self.run.lower_ceiling(response.asked)
        if self.lane and (page := self.lane.read(response.body)):
            return page
        return self._decode(response)

    def _decode(self, response: Response) -> Page:
        return read_page(
            response.body,
            data_selector=self.resource.data_selector,
            total_path=self.resource.total_path,
        )

    def _observe(self, count: Callable[[], object], status: int, seconds: float) -> None:
        count()
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
