"""Incremental runs cost what is new: by the API's filter, or by its order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.control import FakeAPI
    from tests.running import Tap

LAST = "2020-01-02T03:46:30.000000Z"
"""The `created_at` of the 10,000th record that the fake API makes."""
FEW = 25
"""Requests for a run with nothing new, at most."""


def state(value: object = LAST, key: str = "created_at") -> dict[str, Any]:
    """Return a state in the SDK's usual form."""
    return {"bookmarks": {"storage_data": {"replication_key": key, "replication_key_value": value}}}


def sent(api: FakeAPI, name: str) -> list[str]:
    """Return the different values that a query parameter had."""
    queries = [parse_qs(request["query"], keep_blank_values=True) for request in api.requests()]
    return sorted({query[name][0] for query in queries if name in query})


def forget(api: FakeAPI) -> None:
    """Begin the journal anew."""
    behaviour = api.behave()
    api.reset()
    api.behave(**behaviour)


def dated(api: FakeAPI, moments: Sequence[object], **more: object) -> None:
    """Let the API hold a record for each `created_at`, with ids from 0 on."""
    records = [{"id": str(number), "created_at": moment, **more} for number, moment in enumerate(moments)]
    api.replace(json.dumps(records))


IN_VAIN = 3
"""Pages that may be asked for ahead of an end that could not be foreseen."""
WAYS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "a filter": ({"start_param": "created_from"}, {}, 4),
    "a filter, and a total that is blind to it": ({"start_param": "created_from"}, {"total": "unfiltered"}, 8),
    "a filter, and no total": ({"start_param": "created_from"}, {"total": "absent"}, 6),
    "an exclusive filter": ({"start_param": "created_from"}, {"filters": {"exclusive": True}}, 4),
    "a filter by whole minutes": ({"start_param": "created_from"}, {"filters": {"resolution_s": 60}}, 4),
    "ascending": ({"sort_order": "ascending"}, {}, 4),
    "ascending, and no total": ({"sort_order": "ascending"}, {"total": "absent"}, 6),
    "ascending, capped": ({"sort_order": "ascending"}, {"cap": 50}, 5),
    "descending": ({"sort_order": "descending"}, {"sort": "-created_at"}, 3),
    "descending, and no total": ({"sort_order": "descending"}, {"sort": "-created_at", "total": "absent"}, 3),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_run_with_little_new_costs_little(tap: Tap, api: FakeAPI, way: str) -> None:
    """Each run would read the whole collection."""
    config, behaviour, most = WAYS[way]
    api.reset(records=5000)
    api.behave(**behaviour)
    first = tap(settings(api, **config))
    assert (first.status, len(set(first.ids))) == (0, 5000)
    for count in (0, 250):
        new = api.insert(count) if count else []
        forget(api)
        run = tap(settings(api, lookback_window=0, **config), state=first.state)
        assert (run.status, set(new) - set(run.ids), len(run.ids) <= len(new) + 3) == (0, set(), True)
        assert len(api.requests()) <= most + count / 50 + IN_VAIN
        first = run


@pytest.mark.parametrize("total", ["exact", "absent", {"capped": 1000}, "page"], ids=str)
@pytest.mark.parametrize("new", [0, 1, 700])
def test_what_is_new_is_found_by_bisection(tap: Tap, api: FakeAPI, total: object, new: int) -> None:
    """The first run with a state of another tap's would read a sorted collection whole."""
    api.reset(records=10_000)
    api.behave(total=total)
    ids = api.insert(new) if new else []
    run = tap(settings(api, sort_order="ascending"), state=state())
    wanted = [record["id"] for record in api.records() if record["created_at"] >= "2020-01-02T03:41:30Z"]
    assert (run.status, run.ids, set(ids) - set(run.ids)) == (0, wanted, set())
    assert len(api.requests()) <= FEW + new / 50
    assert sum(request["limit"] == 1 for request in api.requests()) >= 5


def test_where_the_last_run_ended_is_believed_only_if_it_still_ends_there(tap: Tap, api: FakeAPI) -> None:
    """Records that were deleted since would shift new ones out of sight."""
    api.reset(records=5000)
    config = settings(api, sort_order="ascending", lookback_window=0)
    first = tap(config)
    api.delete(at="front", count=1500)
    new = api.insert(40)
    forget(api)
    run = tap(config, state=first.state)
    assert (run.status, set(new) - set(run.ids)) == (0, set())
    assert len(api.requests()) <= FEW


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_equal_dates_over_a_seam_lose_nothing(tap: Tap, api: FakeAPI, order: str) -> None:
    """A page of nothing but the bookmark's own date would be taken for the end of what is new."""
    moments = ["2024-01-01T00:00:00Z"] * 40 + ["2024-01-02T00:00:00Z"] * 45 + ["2024-01-03T00:00:00Z"] * 5
    dated(api, moments if order == "ascending" else moments[::-1])
    config = settings(api, sort_order=order, limit=10, lookback_window=0)
    run = tap(config, state=state("2024-01-02T00:00:00Z"))
    assert (run.status, len(set(run.ids))) == (0, 50)
    assert tap(config, state=state("2024-01-02T00:00:00.000001Z")).ids == (
        ["85", "86", "87", "88", "89"] if order == "ascending" else ["0", "1", "2", "3", "4"]
    )


@pytest.mark.parametrize("order", ["ascending", "descending"])
def test_a_wrong_order_is_told_of_and_loses_nothing(tap: Tap, api: FakeAPI, order: str) -> None:
    """Everything behind the first page would be missing."""
    api.reset(records=1000)
    api.behave(sort="-created_at" if order == "ascending" else "created_at")
    config = settings(api, sort_order=order)
    new = api.insert(50)
    run = tap(config, state=state("2020-01-01T00:10:00Z"))
    wanted = [record["id"] for record in api.records() if record["created_at"] >= "2020-01-01T00:05:00Z"]
    assert (run.status, set(run.ids), set(new) - set(run.ids)) == (0, set(wanted), set())
    assert ["sort_order" in line for line in run.warnings if "does not sort" in line] == [True]
    again = tap(config, state=run.state)
    assert (again.status, len(api.requests()) > 20) == (0, True)
    assert ["sort_order" in line for line in again.warnings if "does not sort" in line] == [True]


def test_an_order_that_ends_where_nothing_was_skipped_is_no_loss(tap: Tap, api: FakeAPI) -> None:
    """Records behind the place that the bisection found would be missing where the order ends there."""
    moments = [f"2024-01-{day:02}T00:00:00Z" for day in range(1, 29) for _ in range(10)]
    dated(api, [*moments, "2024-01-05T00:00:00Z", "2024-01-28T00:00:00Z", *["2024-01-27T00:00:00Z"] * 30])
    run = tap(settings(api, sort_order="ascending", limit=10), state=state("2024-01-27T00:00:00Z"))
    assert run.status == 0
    assert len(set(run.ids)) == 10 + 10 + 1 + 30
    assert any("sort_order" in line for line in run.warnings)


@pytest.mark.parametrize("total", ["exact", "absent"])
def test_an_ignored_offset_is_no_place_to_begin(tap: Tap, api: FakeAPI, total: str) -> None:
    """The bisection would find the first record wherever it looks, and nothing new."""
    api.reset(records=1000)
    api.behave(offset="ignored", total=total)
    run = tap(settings(api, sort_order="ascending"), state=state("2020-01-01T02:00:00Z"))
    assert (run.status, run.verdict["verdict"]) == (1, "incomplete")
    assert ["offset_param" in line for line in run.errors] == [True]


def test_offsets_in_multiples_lose_nothing_where_order_is_relied_on(tap: Tap, api: FakeAPI) -> None:
    """The place found would be another than the one that is served."""
    api.reset(records=1050)
    api.behave(offset={"multiples_of": 100})
    config = settings(api, sort_order="ascending", lookback_window=0)
    first = tap(config)
    new = api.insert(130)
    second = tap(config, state=first.state)
    assert (first.status, second.status, len(set(first.ids)), set(new) - set(second.ids)) == (0, 0, 1050, set())


@pytest.mark.parametrize("records", [60, 250])
@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("total", ["exact", "absent"])
def test_the_place_is_found_where_offsets_are_rounded_down(
    tap: Tap, api: FakeAPI, total: str, overlap: int, records: int
) -> None:
    """Each run but the first would fail, or read everything."""
    api.reset(records=records)
    api.behave(offset={"multiples_of": 100}, total=total)
    config = settings(api, sort_order="ascending", lookback_window=0, page_overlap=overlap)
    first = tap(config)
    new = api.insert(5)
    forget(api)
    second = tap(config, state=first.state)
    assert (first.status, second.status, set(second.ids) >= set(new)) == (0, 0, True)
    assert len(second.ids) < 10
    assert len(api.requests()) <= 8


@pytest.mark.parametrize("total", ["absent", "page", {"capped": 100}], ids=str)
def test_a_last_page_that_is_repeated_is_no_obstacle_where_little_of_it_was_read(
    tap: Tap, api: FakeAPI, total: object
) -> None:
    """What comes before the bookmark would be taken for records that moved, and each daily run fail."""
    api.behave(past_end="repeat", total=total)
    config = settings(api, sort_order="ascending", lookback_window=60)
    first = tap(config)
    forget(api)
    second = tap(config, state=first.state)
    assert (first.status, second.status, len(second.ids)) == (0, 0, 7)
    assert len(api.requests()) <= 8


def test_records_without_a_readable_date_do_not_mislead_the_bisection(tap: Tap, api: FakeAPI) -> None:
    """A null in the middle would end the search in a traceback, or in the wrong half."""
    moments: list[object] = [f"2024-01-01T{number // 60:02}:{number % 60:02}:00Z" for number in range(600)]
    moments[300:303] = [None, "soon", 7]
    dated(api, moments)
    run = tap(settings(api, sort_order="ascending", limit=20, lookback_window=0), state=state("2024-01-01T09:50:00Z"))
    assert (run.status, run.ids) == (0, [str(number) for number in range(590, 600)])
    assert len(api.requests()) <= FEW


FORMATS = {
    "iso": "2020-01-02T03:41:29Z",
    "epoch": "1577936489",
    "epoch_ms": "1577936489000",
    "%Y-%m-%d %H:%M:%S": "2020-01-02 03:41:29",
    "%Y-%m-%dT%H:%M": "2020-01-02T03:40",
    "%Y-%m-%d": "2020-01-01",
}


@pytest.mark.parametrize("form", FORMATS)
def test_bounds_are_written_as_the_api_wants_them_and_a_unit_wide(tap: Tap, api: FakeAPI, form: str) -> None:
    """The API would refuse or misread them, or leave out records at the bounds."""
    api.reset(records=10_500)
    api.behave(filters={"exclusive": True})
    config = settings(api, start_param="created_from", end_param="created_to", datetime_format=form)
    run = tap(settings(api, **{**config, "end_date": "2020-01-02T03:50:30Z"}), state=state())
    wanted = [
        record["id"]
        for record in api.records()
        if "2020-01-02T03:41:30Z" <= record["created_at"] < "2020-01-02T03:50:30Z"
    ]
    assert (run.status, run.ids, run.verdict["verdict"]) == (0, wanted, "bounded")
    assert sent(api, "created_from") == [FORMATS[form]]
    assert run.bookmark == "2020-01-02T03:50:00.000000Z"


def test_without_a_bound_no_filter_is_sent(tap: Tap, api: FakeAPI) -> None:
    """An API that requires a value with the parameter would refuse the first run."""
    assert len(tap(settings(api, start_param="created_from", end_param="created_to")).ids) == 250
    assert sent(api, "created_from") + sent(api, "created_to") == []


def test_an_api_that_ignores_the_filter_is_told_of_once(tap: Tap, api: FakeAPI) -> None:
    """Each run would read everything, and nobody would know why."""
    api.reset(records=10_000)
    run = tap(settings(api, start_param="since"), state=state())
    assert (run.status, len(run.ids)) == (0, 31)
    assert ["start_param" in line for line in run.warnings] == [True]
    assert (run.verdict["records_read"], run.verdict["records"]) == (10_000, 31)


@pytest.mark.parametrize("total", ["exact", "unfiltered", "absent"])
def test_an_empty_answer_to_a_filter_is_nothing_new(tap: Tap, api: FakeAPI, total: str) -> None:
    """A run without anything new would fail, by a total that counts what the filter leaves out."""
    api.behave(total=total)
    run = tap(settings(api, start_param="created_from"), state=state("2024-01-01T00:00:00Z"))
    assert (run.status, run.ids, run.bookmark, run.verdict["verdict"]) == (0, [], "2024-01-01T00:00:00Z", "complete")
    assert len(api.requests()) <= 5  # with the sample


def test_reading_ends_behind_end_date_where_the_order_tells(tap: Tap, api: FakeAPI) -> None:
    """A backfill of the first month would read all years."""
    api.reset(records=10_000)
    run = tap(settings(api, sort_order="ascending", end_date="2020-01-01T01:00:00Z"))
    assert (run.status, len(run.ids), run.verdict["verdict"]) == (0, 360, "bounded")
    assert len(api.requests()) <= 7 + IN_VAIN


def test_an_api_without_pages_is_asked_once_whatever_its_order(tap: Tap, api: FakeAPI) -> None:
    """It would be searched by offsets that it does not know."""
    api.behave(offset="ignored")
    config = settings(api, offset_param="", limit=1000, sort_order="ascending", lookback_window=0)
    run = tap(config, state=state("2020-01-01T00:30:00Z"))
    assert (run.status, len(run.ids), len(api.requests())) == (0, 70, 1)


def test_the_verdict_shows_the_bill(tap: Tap, api: FakeAPI) -> None:
    """Nobody would see that every run reads everything for a handful of records."""
    api.reset(records=10_000)
    run = tap(settings(api), state=state())
    assert (run.verdict["records_read"], run.verdict["records"]) == (10_000, 31)
    assert "start_param" in run.stderr


def test_whole_numbers_are_filtered_by_too(tap: Tap, api: FakeAPI) -> None:
    """An API that filters by its ids would be asked for a date, or leave out the bookmark's own."""
    api.replace(json.dumps([{"id": str(number), "size": number} for number in range(90, 120)]))
    config = settings(api, replication_key="size", start_param="since", end_param="until", datetime_format="epoch")
    run = tap({**config, "end_date": "1970-01-01T00:01:50Z"}, state=state(100, key="size"))
    assert (run.status, run.ids) == (0, [str(number) for number in range(100, 110)])
    assert (sent(api, "since"), sent(api, "until")) == (["99"], ["111"])
    assert any("start_param" in line for line in run.warnings)


def test_a_refusal_past_the_end_is_nothing_there_to_the_bisection(tap: Tap, api: FakeAPI) -> None:
    """An API that answers 404 past its end would fail each run that looks for it."""
    api.reset(records=1000)
    api.behave(past_end={"status": 404}, total="absent")
    run = tap(settings(api, sort_order="ascending", lookback_window=0), state=state("2020-01-01T02:40:00Z"))
    wanted = [record["id"] for record in api.records() if record["created_at"] >= "2020-01-01T02:40:00Z"]
    assert (run.status, run.ids) == (0, wanted)


@pytest.mark.parametrize("name", ["start_param", "end_param", "sort_order"])
def test_what_needs_a_replication_key_is_refused_without(tap: Tap, api: FakeAPI, name: str) -> None:
    """A setting would be accepted, and ignored."""
    run = tap(settings(api, replication_key="", **{name: "ascending"}))
    assert (run.status, run.stdout, api.requests()) == (1, "", [])
    assert [line.startswith(f"Setting {name}: needs a replication_key") for line in run.errors] == [True]
