"""Reading a collection over pages: every record once, whatever the server makes of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


def expected_ids(api: FakeAPI) -> list[str]:
    """Return the ids of the collection, in its order."""
    return [record["id"] for record in api.records()]


def offsets(api: FakeAPI) -> list[int]:
    """Return the offsets that were asked for."""
    return [request["offset"] for request in api.requests()]


def test_a_server_that_caps_its_pages_is_read_whole(tap: Tap, api: FakeAPI) -> None:
    """Half of the collection would be missing, with exit status 0, as in every peer."""
    api.behave(cap=50)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert run.stderr.count("The API serves 50 records a page") == 1


def test_a_short_page_is_not_the_end(tap: Tap, api: FakeAPI) -> None:
    """Everything behind the first short page would be missing."""
    api.behave(short_every=2, total="absent")
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


TOTALS: list[Any] = [
    "exact",
    "absent",
    "null",
    "string",
    "nested",
    "page",
    {"capped": 100},
    {"value": 0},
    {"value": 7},
    {"value": -1},
    {"value": 100_000},
    {"value": "many"},
    {"value": "NaN"},
    {"value": 1e300},
    {"value": True},
    {"value": [250]},
    {"value": {"count": 250}},
]


@pytest.mark.parametrize("total", TOTALS, ids=str)
@pytest.mark.parametrize("cap", [None, 50])
def test_no_total_cuts_a_walk_short_or_fails_it(tap: Tap, api: FakeAPI, total: object, cap: int | None) -> None:
    """A wrong total would end the walk early, or fail a run that read everything."""
    api.behave(total=total, cap=cap)
    run = tap(settings(api))
    assert (run.status, run.ids, run.errors) == (0, expected_ids(api), [])


@pytest.mark.parametrize("records", [0, 1, 99, 100, 101, 200])
@pytest.mark.parametrize("total", ["exact", "absent"])
def test_a_collection_of_any_size_is_read_whole(tap: Tap, api: FakeAPI, records: int, total: str) -> None:
    """A full or an empty last page would be taken for what it is not."""
    api.reset(records=records)
    api.behave(total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_a_total_that_agrees_saves_the_requests_that_prove_the_end(tap: Tap, api: FakeAPI) -> None:
    """Every run would ask more often than it needs to."""
    assert tap(settings(api)).status == 0
    assert offsets(api) == [0, 100, 200]


def test_without_a_total_the_end_is_proven_by_the_last_record(tap: Tap, api: FakeAPI) -> None:
    """One empty answer in the middle would pass for the end."""
    assert tap(settings(api, total_path="")).status == 0
    assert offsets(api) == [0, 100, 200, 250, 249]


@pytest.mark.parametrize("total", ["exact", "absent"])
def test_an_empty_answer_in_the_middle_is_not_the_end(tap: Tap, api: FakeAPI, total: str) -> None:
    """A hiccup of the server would cut the collection off."""
    api.behave(total=total, faults=[{"on": 2, "kind": "empty"}])
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_empty_answers_to_everything_behind_a_page_are_an_error(tap: Tap, api: FakeAPI) -> None:
    """The run would report success for the part that it got."""
    api.behave(faults=[{"from": 2, "kind": "empty"}])
    run = tap(settings(api))
    assert run.status == 1
    assert "some may be missing" in run.errors[0]


def test_an_empty_first_page_with_a_total_is_an_error(tap: Tap, api: FakeAPI) -> None:
    """An empty destination would look like a successful run."""
    api.behave(faults=[{"from": 1, "kind": "empty"}])
    run = tap(settings(api))
    assert (run.status, run.records) == (1, [])
    assert "a total of 250" in run.errors[0]


@pytest.mark.parametrize("total", ["exact", "absent", "page"])
@pytest.mark.parametrize("cap", [None, 50])
def test_a_server_that_ignores_the_offset_is_found_out(tap: Tap, api: FakeAPI, total: str, cap: int | None) -> None:
    """The first page would be copied over and over."""
    api.behave(offset="ignored", total=total, cap=cap)
    run = tap(settings(api))
    assert run.status == 1
    assert "offset_param" in run.errors[0]
    assert len(api.requests()) <= 3
    assert len(run.ids) == len(set(run.ids))


@pytest.mark.parametrize("records", [30, 250])
@pytest.mark.parametrize("total", ["exact", "absent"])
def test_a_server_that_repeats_its_last_page_is_read_once(tap: Tap, api: FakeAPI, records: int, total: str) -> None:
    """The run would never end, or end with duplicates."""
    api.reset(records=records)
    api.behave(past_end="repeat", total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_records_that_move_while_the_end_is_proven_fail_the_run(tap: Tap, api: FakeAPI) -> None:
    """Records that slipped to a page already read would be missing, with exit status 0."""
    api.behave(total="absent", changes=[{"after": 3, "op": "delete", "at": "front", "count": 5}])
    run = tap(settings(api))
    assert run.status == 1
    assert "moved while they were read" in run.errors[0]


def test_one_record_a_page_is_read_whole_or_refused(tap: Tap, api: FakeAPI) -> None:
    """The page of the last record says nothing of what follows, where a page holds one record."""
    api.reset(records=5)
    for total in ("exact", "absent"):
        api.behave(total=total, faults=[])
        run = tap(settings(api, limit=1))
        assert (run.status, run.ids) == (0, expected_ids(api))
        api.reset()
        api.behave(total=total, faults=[{"on": 3, "kind": "empty"}])
        run = tap(settings(api, limit=1))
        assert (run.status, run.ids == expected_ids(api)) == ((0, True) if total == "absent" else (1, False))
        api.reset()
        api.behave(total=total, offset="ignored")
        assert "offset_param" in tap(settings(api, limit=1)).errors[0]
        api.reset()


def test_an_error_of_the_walk_says_where(tap: Tap, api: FakeAPI) -> None:
    """A person with several streams would not know which one failed."""
    api.behave(offset="ignored")
    assert tap(settings(api)).errors[0].startswith("storage_data at offset ")


def test_an_api_without_pages_is_asked_once(tap: Tap, api: FakeAPI) -> None:
    """An API that answers with everything at once could not be read."""
    api.behave(offset="ignored")
    run = tap(settings(api, offset_param="", limit_param="", params={"limit": "1000"}))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert [request["query"].split("&api_key")[0] for request in api.requests()] == ["limit=1000"]


def test_an_api_said_not_to_page_that_holds_back_records_is_an_error(tap: Tap, api: FakeAPI) -> None:
    """All but the first page would be missing, with exit status 0."""
    run = tap(settings(api, offset_param=""))
    assert run.status == 1
    assert "100 of 250 records" in run.errors[0]
    assert "offset_param" in run.errors[0]


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
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_the_limit_is_what_is_asked_for(tap: Tap, api: FakeAPI) -> None:
    """Runs would make more requests than they need to."""
    run = tap(settings(api, limit=60))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert {request["limit"] for request in api.requests()} == {60}


def test_parameters_are_sent_with_every_page_as_they_are_written(tap: Tap, api: FakeAPI) -> None:
    """Filters and sorts of the API could not be used, or would lose those without a value."""
    params = {"q": "", "filter[kind]": "a&b", "flag": True, "ids": [1, 2], "nested": {"dotted": "x y"}}
    assert tap(settings(api, params=params)).status == 0
    sent = "q=&filter%5Bkind%5D=a%26b&flag=true&ids=1&ids=2&nested.dotted=x+y"
    assert [sent in request["query"] for request in api.requests()] == [True, True, True]


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
    assert (run.status, run.ids) == (0, expected_ids(api))
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
