"""`python -m demo.plain_loop`: a tap as it is usually written, to see what it reads.

A Singer tap out of the SDK's own parts, whose offsets are 0, 100, 200 … whatever comes back. Its settings are
PLAIN_LOOP_BASE_URL and PLAIN_LOOP_API_KEY in the environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk import typing as th
from singer_sdk.authenticators import APIKeyAuthenticator
from singer_sdk.pagination import OffsetPaginator
from singer_sdk.streams import RESTStream
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence

    from singer_sdk.helpers.types import Context

LIMIT = 100


class PlainStream(RESTStream[int]):
    """The collection, paged by the SDK."""

    name = "storage_data"
    path = "/v1/resource"
    records_jsonpath = "$.data[*]"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(th.Property("id", th.StringType)).to_dict()

    @property
    @override
    def url_base(self) -> str:
        return str(self.config["base_url"])

    @property
    @override
    def authenticator(self) -> APIKeyAuthenticator:
        return APIKeyAuthenticator(key="api_key", value=self.config["api_key"], location="params")

    @override
    def get_new_paginator(self) -> OffsetPaginator:
        return OffsetPaginator(start_value=0, page_size=LIMIT)

    @override
    def get_url_params(self, context: Context | None, next_page_token: int | None) -> dict[str, Any]:
        return {"limit": LIMIT, "offset": next_page_token}


class PlainTap(Tap):
    """Reads the collection with a plain offset loop."""

    name = "plain-loop"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("base_url", th.StringType, required=True),
        th.Property("api_key", th.StringType, required=True, secret=True),
    ).to_dict()

    @override
    def discover_streams(self) -> Sequence[PlainStream]:
        return [PlainStream(self)]


if __name__ == "__main__":
    PlainTap.cli(["--config=ENV"])
