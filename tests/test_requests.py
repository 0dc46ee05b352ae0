"""What is sent with each request, and where in an answer the records are: by settings alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


SHAPES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"envelope": "result.items"}, {"data_selector": "result.items"}),
    ({"envelope": "result.items"}, {"data_selector": "$.result.items[*]"}),
    ({"envelope": "$"}, {"data_selector": "$"}),
    ({"total": "nested"}, {"total_path": "meta.total"}),
    ({"params": {"limit": "take", "offset": "skip"}}, {"limit_param": "take", "offset_param": "skip"}),
    ({"first_offset": 1}, {"initial_offset": 1}),
    ({"envelope": "@odata_value"}, {"data_selector": "@odata_value"}),
    ({"gzip": True}, {}),
    ({"chunked": True}, {}),
    ({"gzip": True, "chunked": True}, {}),
    ({"bom": True}, {}),
    ({"close": True}, {}),
]


@pytest.mark.parametrize(("behaviour", "config"), SHAPES, ids=str)
def test_an_api_of_another_shape_is_read_by_settings(
    tap: Tap, api: FakeAPI, behaviour: dict[str, Any], config: dict[str, Any]
) -> None:
    """An API that differs from the specification's example could not be read without code."""
    api.behave(**behaviour)
    run = tap(settings(api, **config))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])


def test_the_limit_is_what_is_asked_for(tap: Tap, api: FakeAPI) -> None:
    """Runs would make more requests than they need to."""
    run = tap(settings(api, limit=60))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])
    assert {request["limit"] for request in api.requests()} == {60}


def test_parameters_are_sent_with_every_page_as_they_are_written(tap: Tap, api: FakeAPI) -> None:
    """Filters and sorts of the API could not be used, or would lose those without a value."""
    params = {"q": "", "filter[kind]": "a&b", "flag": True, "ids": [1, 2], "nested": {"dotted": "x y"}}
    assert tap(settings(api, params=params)).status == 0
    sent = "q=&filter%5Bkind%5D=a%26b&flag=true&ids=1&ids=2&nested.dotted=x+y"
    assert [sent in request["query"] for request in api.requests()] == [True] * 4


@pytest.mark.parametrize(
    ("location", "auth"),
    [
        ("query", {"in": "query", "name": "token"}),
        ("header", {"in": "header", "name": "token"}),
        ("none", {"in": "none"}),
    ],
)
def test_the_key_goes_where_the_api_wants_it(tap: Tap, api: FakeAPI, location: str, auth: dict[str, str]) -> None:
    """An API that takes its key elsewhere could not be read."""
    api.behave(auth=auth)
    run = tap(settings(api, auth_location=location, auth_param="token"))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])
    carried = {request["headers"].get("token") for request in api.requests()}
    assert carried == ({api.api_key} if location == "header" else {None})


def test_headers_and_the_user_agent_are_sent(tap: Tap, api: FakeAPI) -> None:
    """APIs behind a gateway could not be read, nor tell who is asking."""
    assert tap(settings(api, headers={"X-Tenant": "acme"}, user_agent="copier/1")).status == 0
    seen = {(request["headers"]["x-tenant"], request["headers"]["user-agent"]) for request in api.requests()}
    assert seen == {("acme", "copier/1")}


def test_the_user_agent_names_the_tap_and_its_version(tap: Tap, api: FakeAPI) -> None:
    """Those who run the API could not tell what is asking."""
    version = tap(None, "--version").stdout.split(",")[0].removeprefix("tap-storage v")
    assert tap(settings(api)).status == 0
    assert {request["headers"]["user-agent"] for request in api.requests()} == {f"tap-storage/{version}"}
