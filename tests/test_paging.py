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


TOTAL = pytest.mark.parametrize("total", ["exact", "absent"])
OVERLAP = pytest.mark.parametrize("overlap", [1, 0])


@OVERLAP
def test_a_server_that_caps_its_pages_is_read_whole(tap: Tap, api: FakeAPI, overlap: int) -> None:
    """Half of the collection would be missing, with exit status 0, as in every peer."""
    api.behave(cap=50)
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert run.stderr.count("The API serves 50 records a page") == 1


@pytest.mark.parametrize("cap", [1, 2])
def test_a_server_that_caps_its_pages_at_next_to_nothing_is_read_whole(tap: Tap, api: FakeAPI, cap: int) -> None:
    """The walk would not come forward, or take one record a page for an API that ignores the offset."""
    api.reset(records=30)
    api.behave(cap=cap)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


@TOTAL
@OVERLAP
def test_a_short_page_is_not_the_end(tap: Tap, api: FakeAPI, overlap: int, total: str) -> None:
    """Everything behind the first short page would be missing."""
    api.behave(short_every=2, total=total)
    run = tap(settings(api, page_overlap=overlap))
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


@pytest.mark.parametrize("total", [{"value": 100}, {"value": 150}], ids=str)
def test_no_total_ends_a_walk_without_seams_early(tap: Tap, api: FakeAPI, total: object) -> None:
    """Everything behind the offset that the total happens to equal would be missing."""
    api.behave(total=total)
    run = tap(settings(api, page_overlap=0))
    assert (run.status, run.ids) == (0, expected_ids(api))


@pytest.mark.parametrize("records", [0, 1, 99, 100, 101, 200])
@TOTAL
def test_a_collection_of_any_size_is_read_whole(tap: Tap, api: FakeAPI, records: int, total: str) -> None:
    """A full or an empty last page would be taken for what it is not."""
    api.reset(records=records)
    api.behave(total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


WALKS: list[tuple[int, dict[str, Any], list[int]]] = [
    (250, {}, [0, 99, 198, 249]),
    (250, {"total_path": ""}, [0, 99, 198, 249, 250, 249]),
    (250, {"page_overlap": 10}, [0, 90, 180, 240, 249]),
    (250, {"page_overlap": 0}, [0, 100, 200]),
    (200, {"page_overlap": 0}, [0, 100, 200]),
    (250, {"page_overlap": 0, "total_path": ""}, [0, 100, 200, 300, 250]),
]


@pytest.mark.parametrize(("records", "config", "asked"), WALKS, ids=str)
def test_the_pages_asked_for_are_those_that_the_overlap_says(
    tap: Tap, api: FakeAPI, records: int, config: dict[str, Any], asked: list[int]
) -> None:
    """Records that move would pass unseen, one empty answer would pass for the end, or runs would ask too often."""
    api.reset(records=records)
    run = tap(settings(api, concurrency=1, **config))
    assert (run.status, run.ids, offsets(api)) == (0, expected_ids(api), asked)


@TOTAL
def test_the_default_overlap_costs_next_to_nothing(tap: Tap, api: FakeAPI, total: str) -> None:
    """Safety would be switched off for its price."""
    api.reset(records=2_000)
    api.behave(total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))
    in_vain = 4 if total == "absent" else 0
    assert len(api.requests()) <= 20 * 1.02 + 3 + in_vain


@OVERLAP
@pytest.mark.parametrize("records", [1, 30, 40])
def test_a_total_of_nonsense_fails_no_run(tap: Tap, api: FakeAPI, records: int, overlap: int) -> None:
    """Behind the last record, nothing comes: as behind a ceiling, if the total is believed."""
    api.reset(records=records)
    api.behave(total={"value": 10**6})
    run = tap(settings(api, limit=20, page_overlap=overlap))
    assert (run.status, run.ids) == (0, expected_ids(api)), run.stderr


@pytest.mark.parametrize(
    ("config", "behaviour"), [({}, {"offset": {"multiples_of": 100}}), ({"limit": 1, "page_overlap": 0}, {})], ids=str
)
def test_a_total_that_promises_more_where_no_offset_can_tell_is_an_error_with_the_way_out(
    tap: Tap, api: FakeAPI, config: dict[str, Any], behaviour: dict[str, Any]
) -> None:
    """A ceiling would be taken for the end, or a person have no way to read a collection whose total is wrong."""
    api.reset(records=300)
    api.behave(total={"value": 10**6}, **behaviour)
    run = tap(settings(api, **config))
    assert (run.status, run.verdict["verdict"], "set total_path to ''" in run.errors[0]) == (1, "incomplete", True)
    run = tap(settings(api, total_path="", **config))
    assert (run.status, run.ids) == (0, expected_ids(api))


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_filtered_page_that_is_repeated_past_the_end_shows_no_ignored_offset(
    tap: Tap, api: FakeAPI, overlap: int
) -> None:
    """The daily run would fail on days with few records, where the total knows nothing of the filter."""
    api.behave(total="unfiltered", past_end="repeat", sort="created_at")
    config = settings(api, start_param="created_from", sort_order="ascending", page_overlap=overlap)
    first = tap(config)
    new = api.insert(3)
    second = tap(config, state=first.state)
    assert (first.status, second.status, set(new) - set(second.ids)) == (0, 0, set()), second.stderr


@TOTAL
@pytest.mark.parametrize("request_number", [1, 2, 4, 6])
def test_an_empty_answer_is_not_the_end(tap: Tap, api: FakeAPI, request_number: int, total: str) -> None:
    """A hiccup of the server would cut the collection off."""
    api.behave(total=total, faults=[{"on": request_number, "kind": "empty"}])
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


@OVERLAP
@pytest.mark.parametrize("request_number", [2, 3])
def test_empty_answers_from_some_page_on_are_an_error(
    tap: Tap, api: FakeAPI, request_number: int, overlap: int
) -> None:
    """The run would report success for the part that it got."""
    api.behave(faults=[{"from": request_number, "kind": "empty"}])
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.verdict["verdict"], run.bookmark) == (1, "incomplete", None)
    assert ("is empty, though" if overlap else "serves nothing from offset") in run.errors[0]


def test_an_empty_answer_is_not_the_end_where_pages_share_nothing(tap: Tap, api: FakeAPI) -> None:
    """A hiccup of the server would cut the collection off, although the total says more."""
    api.behave(faults=[{"on": 3, "kind": "empty"}])
    run = tap(settings(api, page_overlap=0))
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_an_empty_first_page_with_a_total_is_an_error(tap: Tap, api: FakeAPI) -> None:
    """An empty destination would look like a successful run."""
    api.behave(faults=[{"from": 1, "kind": "empty"}])
    run = tap(settings(api))
    assert (run.status, run.records) == (1, [])
    assert "a total of 250" in run.errors[0]


@TOTAL
@pytest.mark.parametrize("cap", [None, 50])
@OVERLAP
def test_a_server_that_ignores_the_offset_is_found_out(
    tap: Tap, api: FakeAPI, overlap: int, cap: int | None, total: str
) -> None:
    """The first page would be copied over and over."""
    api.behave(offset="ignored", total=total, cap=cap)
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.bookmark) == (1, None)
    assert "offset_param" in run.errors[0]
    assert run.ids == expected_ids(api)[: cap or 100]
    # A short page could be the only one, of an API that rounds offsets down or repeats its last page: one more.
    assert len(api.requests()) <= (4 if (overlap, cap, total) == (0, 50, "absent") else 3)


@TOTAL
@pytest.mark.parametrize("past_end", ["empty", {"status": 404}], ids=str)
@OVERLAP
def test_a_single_short_page_is_enough_for_an_api_that_rounds_offsets_down(
    tap: Tap, api: FakeAPI, overlap: int, past_end: object, total: str
) -> None:
    """Each daily run that finds less than a page would fail, and blame the name of the offset."""
    api.reset(records=14)
    api.behave(offset={"multiples_of": 100}, past_end=past_end, total=total)
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.ids) == (0, expected_ids(api))


@pytest.mark.parametrize("records", [30, 130, 230])
@pytest.mark.parametrize("past_end", ["empty", "repeat", {"status": 404}], ids=str)
def test_rows_left_out_of_the_last_page_are_not_taken_for_rows_that_moved(
    tap: Tap, api: FakeAPI, past_end: object, records: int
) -> None:
    """A small collection, all of which was read, would fail every day."""
    api.reset(records=records)
    api.behave(past_end=past_end, hidden_every=4)
    api.delete([f"obj-{number:07}" for number in range(4, records - 20, 4)])  # but for those on the last page
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))


@pytest.mark.parametrize(("records", "overlap"), [(1, 1), (30, 1), (250, 1), (250, 0)])
@TOTAL
def test_a_server_that_repeats_its_last_page_is_read_once(
    tap: Tap, api: FakeAPI, records: int, overlap: int, total: str
) -> None:
    """The run would never end, or end with duplicates."""
    api.reset(records=records)
    api.behave(past_end="repeat", total=total)
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.ids) == (0, expected_ids(api))


@pytest.mark.parametrize("records", [1, 30, 250])
@TOTAL
def test_an_api_that_takes_multiples_of_the_page_only_is_read_whole(
    tap: Tap, api: FakeAPI, records: int, total: str
) -> None:
    """It would be taken for one that ignores the offset, or read with records missing or twice."""
    api.reset(records=records)
    api.behave(offset={"multiples_of": 100}, total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert run.stderr.count("takes offsets in multiples of 100 only") == (records > 1)


@pytest.mark.parametrize(("records", "hidden_every"), [(250, 2), (1_000, 3)])
@TOTAL
def test_records_that_the_api_hides_after_slicing_are_no_reason_to_miss_others(
    tap: Tap, api: FakeAPI, records: int, hidden_every: int, total: str
) -> None:
    """Visible records behind short or empty pages would be missing, or the run fail for an order that holds."""
    api.reset(records=records)
    api.behave(hidden_every=hidden_every, total=total)
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, expected_ids(api))
    assert (run.verdict["verdict"], run.verdict["rows_moved"]) == ("complete", 0)


CEILINGS: list[Any] = ["empty", {"status": 400}, {"status": 404}, {"status": 500}]


@pytest.mark.parametrize("answer", CEILINGS, ids=str)
@TOTAL
def test_a_ceiling_of_offsets_is_an_error_that_names_the_way_round(
    tap: Tap, api: FakeAPI, total: str, answer: object
) -> None:
    """Everything behind offset 10,000 would be missing, with exit status 0."""
    api.behave(ceiling={"offset": 150, "answer": answer}, total=total)
    run = tap(settings(api))
    assert (run.status, run.verdict["verdict"], run.bookmark) == (1, "incomplete", None)
    assert "start_param" in run.errors[0]
    assert len(api.requests()) < 100


ALIGNED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"page_overlap": 0}),
    ({"offset": {"multiples_of": 100}}, {}),
]


@pytest.mark.parametrize("answer", CEILINGS[:2], ids=str)
@pytest.mark.parametrize(("behaviour", "config"), ALIGNED, ids=str)
def test_a_ceiling_at_the_edge_of_a_page_is_an_error_too(
    tap: Tap, api: FakeAPI, behaviour: dict[str, Any], config: dict[str, Any], answer: object
) -> None:
    """Everything behind offset 10,000 would be missing, with exit status 0, though the total tells."""
    api.reset(records=400)
    api.behave(ceiling={"offset": 200, "answer": answer}, **behaviour)
    run = tap(settings(api, **config))
    assert (run.status, run.bookmark, run.verdict["verdict"]) == (1, None, "incomplete")


ENDS: list[tuple[int, int, dict[str, Any]]] = [
    (404, 250, {}),
    (404, 200, {"total_path": ""}),
    (416, 250, {"total_path": ""}),
    (404, 200, {"page_overlap": 0}),
    (416, 250, {"page_overlap": 0, "total_path": ""}),
]


@pytest.mark.parametrize(("status", "records", "config"), ENDS, ids=str)
def test_an_error_status_past_the_end_is_the_end(
    tap: Tap, api: FakeAPI, status: int, records: int, config: dict[str, Any]
) -> None:
    """A collection that was read whole would count as failed, every time."""
    api.reset(records=records)
    api.behave(past_end={"status": status})
    run = tap(settings(api, **config))
    assert (run.status, run.ids) == (0, expected_ids(api))


BOUNDS: list[tuple[dict[str, Any], dict[str, Any], int]] = [
    ({}, {"maximum_offset": 150}, 150),
    ({}, {"maximum_offset": 1}, 1),
    ({}, {"maximum_offset": 100}, 100),
    ({}, {"maximum_offset": 150, "page_overlap": 0}, 150),
    ({}, {"maximum_offset": 100, "page_overlap": 0}, 100),
    ({}, {"maximum_offset": 199}, 199),
    ({"cap": 40}, {"maximum_offset": 150}, 150),
    ({"offset": {"multiples_of": 100}}, {"maximum_offset": 150}, 150),
    ({"first_offset": 1}, {"maximum_offset": 150, "initial_offset": 1}, 149),
]


@pytest.mark.parametrize(("behaviour", "config", "count"), BOUNDS, ids=str)
def test_a_maximum_offset_is_exact(
    tap: Tap, api: FakeAPI, behaviour: dict[str, Any], config: dict[str, Any], count: int
) -> None:
    """A trial of the first thousand records would copy more, or less, or call itself complete."""
    api.behave(**behaviour)
    run = tap(settings(api, **config))
    assert (run.status, run.ids, run.verdict["verdict"]) == (0, expected_ids(api)[:count], "bounded")
    assert max(offsets(api)) < config["maximum_offset"]


def test_a_maximum_offset_beyond_the_collection_bounds_nothing(tap: Tap, api: FakeAPI) -> None:
    """A run that read everything would not be trusted."""
    run = tap(settings(api, maximum_offset=1_000))
    assert (run.status, run.ids, run.verdict["verdict"]) == (0, expected_ids(api), "complete")


@TOTAL
def test_one_record_a_page_is_read_whole(tap: Tap, api: FakeAPI, total: str) -> None:
    """The page of the last record says nothing of what follows, where a page holds one record."""
    api.reset(records=5)
    api.behave(total=total)
    run = tap(settings(api, limit=1))
    assert (run.status, run.ids) == (0, expected_ids(api))


@TOTAL
@pytest.mark.parametrize("request_number", [3, 4])
def test_an_empty_answer_at_one_record_a_page_is_survived_or_refused(
    tap: Tap, api: FakeAPI, request_number: int, total: str
) -> None:
    """A hiccup of the server would cut the collection off, with exit status 0."""
    api.reset(records=5)
    api.behave(total=total, faults=[{"on": request_number, "kind": "empty"}])
    run = tap(settings(api, limit=1))
    assert (run.status, run.verdict["verdict"]) in ((0, "complete"), (1, "incomplete"))
    assert run.status == 1 or run.ids == expected_ids(api)


@TOTAL
def test_a_server_that_ignores_the_offset_is_found_out_at_one_record_a_page(tap: Tap, api: FakeAPI, total: str) -> None:
    """One record would pass for the whole collection."""
    api.reset(records=5)
    api.behave(total=total, offset="ignored")
    run = tap(settings(api, limit=1))
    assert (run.status, len(run.ids), "offset_param" in run.errors[0]) == (1, 1, True)


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
