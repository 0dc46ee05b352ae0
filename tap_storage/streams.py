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
from tap_storage.incremental import IncrementalStream
from tap_storage.paging import Walk, WalkPaginator
from tap_storage.records import Page, read_page
from tap_storage.settings import Connection, Resource

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        walk = Walk(
            start=self.resource.initial_offset,
            limit=self.resource.limit,
            paged=bool(self.resource.offset_param),
            note=self.log,
        )
        return WalkPaginator(walk, page_size=self.resource.limit, primary_keys=self.primary_keys or [])

    @override
    def request_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records of the collection, each once, in the order of the API."""
        paginator = self.get_new_paginator()
        with self.get_http_request_counter() as requests_made:
            client = Client(
                self.connection,
                log=partial(self.log, level=logging.WARNING),
                observe=partial(self._observe, requests_made),
            )
            while not paginator.finished:
                offset = paginator.current_value
                request = self.get_http_request(page=PageContext(context, offset))
                what = f"{self.name} at offset {offset}"
                page = client.fetch(request, self._read, what=what)
                try:
                    paginator.advance(page)
                except FatalAPIError as error:
                    msg = f"{what} {error}"
                    raise FatalAPIError(msg) from None
                yield from page.records[paginator.known :]

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
