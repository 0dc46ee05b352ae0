"""The client by itself, where the installed command would need more memory than a test should take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalAPIError
from singer_sdk.streams.rest import HTTPRequest

from tap_storage import client
from tap_storage.client import Client
from tap_storage.settings import Connection
from tap_storage.transport import Transport
from tap_storage.verdict import Traffic

if TYPE_CHECKING:
    from demo.control import FakeAPI


def test_a_body_that_is_too_large_is_not_read_to_its_end(api: FakeAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page without end would take all memory before it takes all time."""
    monkeypatch.setattr(client, "LARGEST_BODY", 1 << 20)
    api.behave(faults=[{"on": 1, "kind": "raw", "body": "x" * ((1 << 20) + 1)}])
    connection = Connection(
        base_url=api.url,
        auth_param="api_key",
        auth_location="query",
        headers={},
        user_agent="test",
        timeout=10,
        max_retries=0,
        backoff_factor=0,
        max_backoff=0,
        retry_statuses=[],
        concurrency=1,
    )
    reader = Client(Transport(connection), log=print, observe=lambda *_: None, traffic=Traffic())
    request = HTTPRequest(f"{api.url}/v1/resource", params={"api_key": api.api_key})
    with pytest.raises(FatalAPIError, match=r"^has a body of more than 1 MiB: lower limit$"):
        reader.ask(request, attempt=1, begin=lambda: None, expect=lambda _: None)
