"""A tap as the SDK's cookiecutter template lays it out (https://github.com/meltano/sdk, cookiecutter/tap-template).

What the template leaves open is filled in for the storage API, as its guide to pagination says
(https://sdk.meltano.com/en/latest/guides/pagination-classes.html); all else is the SDK's default.
"""

from __future__ import annotations

import decimal
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.helpers.jsonpath import extract_jsonpath
from singer_sdk.pagination import OffsetPaginator
from singer_sdk.streams import RESTStream
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable

    import requests
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest, PageContext


class StorageStream(RESTStream[int]):
    """The storage API."""

    records_jsonpath = "$.data[*]"

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["api_url"])

    @property
    @override
    def authenticator(self) -> APIKeyAuthenticator:
        return APIKeyAuthenticator(key="api_key", value=self.config["auth_token"], location="params")

    @property
    @override
    def http_headers(self) -> dict[str, Any]:
        return {}

    @override
    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(start_value=0, page_size=self.config["limit"])

    @override
    def get_http_request(self, *, page: PageContext[Any]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.params["offset"] = page.next_page_token
        request.params["limit"] = self.config["limit"]
        return request

    @override
    def parse_response(self, response: requests.Response) -> Iterable[dict[str, Any]]:
        yield from extract_jsonpath(self.records_jsonpath, input=response.json(parse_float=decimal.Decimal))

    @override
    def post_process(self, row: dict[str, Any], context: Context | None = None) -> dict[str, Any] | None:
        return row


class StorageDataStream(StorageStream):
    """The collection."""

    name = "storage_data"
    path = "/v1/resource"
    primary_keys = ("id",)
    replication_key = None
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("id", th.StringType),
        th.Property("name", th.StringType),
        th.Property("created_at", th.DateTimeType),
        th.Property("updated_at", th.DateTimeType),
        th.Property("size", th.IntegerType),
        th.Property("content_type", th.StringType),
        th.Property("checksum", th.StringType),
        th.Property("path", th.StringType),
        th.Property("is_public", th.BooleanType),
        th.Property("metadata", th.ObjectType(additional_properties=True)),
    ).to_dict()


class TapStorage(Tap):
    """The tap."""

    name = "tap-template"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("auth_token", th.StringType(nullable=False), required=True, secret=True),
        th.Property("api_url", th.StringType(nullable=False), required=True),
        th.Property("limit", th.IntegerType(nullable=False), default=100),
    ).to_dict()

    @override
    def discover_streams(self) -> list[StorageStream]:
        return [StorageDataStream(self)]


if __name__ == "__main__":
    TapStorage.cli()
