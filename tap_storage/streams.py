"""The stream of the specification, put together from its parts."""

from __future__ import annotations

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
from tap_storage.failures import RefusedError
from tap_storage.incremental import IncrementalStream
from tap_storage.paging import Everything, WalkPaginator
from tap_storage.records import REFUSED_PAGE, Page, read_page
from tap_storage.settings import Connection, Resource, window
from tap_storage.verdict import Verdict, pronounced
from tap_storage.walk import Walk, WalkError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.tap_base import Tap


class StorageDataStream(IncrementalStream):
    """The records of one collection, read over offset pages."""

    name = "storage_data"
    schema = StreamSchema(SchemaDirectory(schemas), key="storage_data")

    def __init__(self, tap: Tap) -> None:
        self.resource = Resource.from_config(tap.config)
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
        return sent | self.resource.params | self.authenticator.auth_params

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
                note=self.log,
            )
            if resource.offset_param
            else Everything(offset=resource.initial_offset)
        )
        return WalkPaginator(pages, page_size=resource.limit, primary_keys=self.primary_keys or [])

    @override
    def request_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records of the collection, each once, in the order of the API."""
        paginator = self.get_new_paginator()
        with self.get_http_request_counter() as requests_made:
            client = Client(
                self.connection,
                log=partial(self.log, level=logging.WARNING),
                observe=partial(self._observe, requests_made),
                traffic=self._verdict.traffic,
            )
            while not paginator.finished:
                yield from self._next_records(paginator, client, context)
        self._verdict.judgement = "bounded" if paginator.bounded or window(self.config).end else "complete"

    def _next_records(self, paginator: WalkPaginator, client: Client, context: Context | None) -> list[Record]:
        """Fetch the page that the walk asks for; return the records in it that are new."""
        offset = paginator.current_value
        what = f"{self.name} at offset {offset}"
        try:
            page = client.fetch(self.get_http_request(page=PageContext(context, offset)), self._read, what=what)
        except RefusedError as error:
            if not paginator.count:
                raise
            what = f"{error}. It"
            page = REFUSED_PAGE
        try:
            paginator.advance(page)
        except (WalkError, FatalAPIError) as error:
            msg = f"{what} {error}"
            raise FatalAPIError(msg) from None
        finally:
            paginator.report(self._verdict)
        return [page.records[place] for place in paginator.new]

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        # Private, but nothing else sees each way in which a sync can end.
        self._verdict = Verdict(self.name)
        with pronounced(self._verdict, self.log):
            for record in super()._sync_records(context, write_messages=write_messages):
                self._verdict.records += 1
                yield record

    def _read(self, response: Response) -> Page:
        if response.date:
            self.lower_bookmark_ceiling(response.date)
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
