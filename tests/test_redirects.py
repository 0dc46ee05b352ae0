"""Redirects: followed on the same server, with the key once, and nowhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalAPIError

from demo.control import FakeAPI
from tap_storage.redirects import followed
from tests.running import settings

if TYPE_CHECKING:
    from tests.running import Tap


@pytest.mark.parametrize("location", ["/v1/resource?{query}", "/v1/resource", "/v1/resource?shard=7&api_key=another"])
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_on_the_same_server_is_followed_with_the_key_once(
    tap: Tap, api: FakeAPI, status: int, location: str
) -> None:
    """A trailing slash too few would fail the run, or double the parameters."""
    api.behave(faults=[{"on": 2, "kind": "redirect", "status": status, "location": location}])
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])
    followed = api.requests()[2]["query"]
    assert followed.endswith("limit=100&offset=99&api_key=demo-key")
    assert followed.count("api_key=") == followed.count("offset=") == 1
    assert ("shard=7" in followed) == ("shard=7" in location)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_key_is_never_sent_to_another_server(tap: Tap, api: FakeAPI, scheme: str) -> None:
    """Whoever can make the API redirect would get the key."""
    with FakeAPI(records=1) as other:
        location = other.url.replace("http:", f"{scheme}:") + "/v1/resource?{query}"
        api.behave(faults=[{"from": 1, "kind": "redirect", "location": location}])
        run = tap(settings(api))
        assert (run.status, other.journal()) == (1, [])
        assert "redirected to another server" in run.errors[0]


@pytest.mark.parametrize(
    "location",
    ["http://user:secret@127.0.0.1:PORT/v1/resource", "http://127.0.0.1:99999999/", "http://[::1/", "//other.invalid/"],
)
def test_a_redirect_to_a_strange_address_is_refused_in_one_line(tap: Tap, api: FakeAPI, location: str) -> None:
    """The credentials of somebody else would be sent, or the run end in a traceback."""
    port = api.url.rsplit(":", 1)[1]
    api.behave(faults=[{"from": 1, "kind": "redirect", "location": location.replace("PORT", port)}])
    run = tap(settings(api))
    assert (run.status, len(api.requests())) == (1, 1)
    assert ["is redirected to" in line for line in run.errors] == [True]


def test_a_redirect_in_circles_is_an_error(tap: Tap, api: FakeAPI) -> None:
    """The run would never end."""
    api.behave(faults=[{"from": 1, "kind": "redirect", "location": "/v1/resource?{query}"}])
    run = tap(settings(api))
    assert run.status == 1
    assert ["in circles" in line for line in run.errors] == [True]


TRUST = [
    ("http://a.example", "https://a.example/v1", True),
    ("http://a.example:80", "http://a.example/v1", True),
    ("https://a.example", "https://a.example:443/v1", True),
    ("https://a.example", "http://a.example/v1", False),
    ("http://a.example", "http://a.example:443/v1", False),
    ("http://a.example:8080", "https://a.example/v1", False),
    ("https://a.example", "https://a.example.evil.example/v1", False),
    ("https://a.example", "https://A.Example/v1", True),
]


@pytest.mark.parametrize(("base", "location", "trusted"), TRUST)
def test_only_the_same_server_is_trusted_with_the_key(base: str, location: str, trusted: bool) -> None:  # noqa: FBT001
    """The key would be sent in the clear, or to whoever listens on another port."""
    if trusted:
        assert followed(f"{base}/v1", location, "limit=1") == location
    else:
        with pytest.raises(FatalAPIError):
            followed(f"{base}/v1", location, "limit=1")


def test_a_redirect_is_told_of_once(tap: Tap, api: FakeAPI) -> None:
    """The log would fill with the same line, a page at a time."""
    api.behave(faults=[{"on": [1, 3, 5], "kind": "redirect", "location": "/v1/resource?{query}"}])
    run = tap(settings(api))
    assert (run.status, [line for line in run.warnings if "redirects" in line]) == (
        0,
        ["The API redirects to the path /v1/resource: set path to it to save a request a page"],
    )
