"""Full table and incremental: what is read again, and what the bookmark says."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_storage.bookmarks import format_instant, parse_instant
from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


def serve(api: FakeAPI, **created_at: object) -> None:
    """Let the API hold one record for each name, with this `created_at`."""
    api.replace(json.dumps([{"id": name, "created_at": moment} for name, moment in created_at.items()]))


def bookmarked(value: str) -> dict[str, Any]:
    """Return a state in the SDK's usual form."""
    return {"bookmarks": {"storage_data": {"replication_key": "created_at", "replication_key_value": value}}}


def test_a_second_run_emits_what_is_new_and_the_ties_with_the_bookmark(tap: Tap, api: FakeAPI) -> None:
    """New records would be missed, or the whole collection loaded again."""
    first = tap(settings(api))
    newest = max(record["created_at"] for record in api.records())
    ties = [record["id"] for record in api.records() if record["created_at"] == newest]
    new = api.insert(20)
    second = tap(settings(api, lookback_window=0), state=first.state)
    assert (len(first.ids), second.ids) == (250, ties + new)
    assert (first.bookmark, len(tap(settings(api, lookback_window=0), state=second.state).ids) < 20) == (
        newest.replace("Z", ".000000Z"),
        True,
    )


def test_instants_are_compared_and_not_their_text(tap: Tap, api: FakeAPI) -> None:
    """`…00Z` sorts after `…00.5Z` as text, so records would be lost around the bookmark."""
    serve(
        api,
        half="2024-01-01T00:00:00.5Z",
        earlier="2024-01-01T00:00:00Z",
        zone="2024-01-01T02:00:00+02:00",
        naive="2024-01-01T00:00:00.25",
        nanoseconds="2024-01-01T00:00:00.123456789Z",
        blank="2024-01-01 00:00:01Z",
        day="2024-01-02",
    )
    run = tap(settings(api, lookback_window=0), state=bookmarked("2024-01-01T00:00:00.250Z"))
    assert (run.ids, run.bookmark) == (["half", "naive", "blank", "day"], "2024-01-02T00:00:00.000000Z")


def test_records_without_a_readable_key_are_emitted_and_told_of_once(tap: Tap, api: FakeAPI) -> None:
    """They would be lost, or end the run in a KeyError."""
    serve(api, null=None, text="soon", number=7, good="2024-01-01T00:00:00Z")
    api.insert(raw=['{"id": "missing"}'])
    run = tap(settings(api), state=bookmarked("2025-01-01T00:00:00Z"))
    assert (run.status, run.ids) == (0, ["null", "text", "number", "missing"])
    assert ["created_at" in line and "'null'" in line for line in run.warnings if "emitted by every run" in line] == [
        True
    ]


def test_a_date_in_the_future_does_not_move_the_bookmark_past_the_present(tap: Tap, api: FakeAPI) -> None:
    """Everything created until that date would be skipped."""
    serve(api, future="2999-01-01T00:00:00Z", past="2024-01-01T00:00:00Z")
    before = datetime.now(timezone.utc)
    bookmark = parse_instant(tap(settings(api)).bookmark)
    assert bookmark is not None
    assert before - timedelta(seconds=2) <= bookmark <= datetime.now(timezone.utc)


@pytest.mark.parametrize(("skew", "behind"), [(-3600, 3600), (3600, 0)])
def test_the_bookmark_goes_by_the_clock_that_is_behind(tap: Tap, api: FakeAPI, skew: int, behind: int) -> None:
    """Records that the API creates during the run would be skipped by the next one."""
    serve(api, future="2999-01-01T00:00:00Z")
    api.behave(date_skew_s=skew)
    before = datetime.now(timezone.utc)
    bookmark = parse_instant(tap(settings(api)).bookmark)
    assert bookmark is not None
    lowest = before - timedelta(seconds=behind + 2)
    assert lowest <= bookmark <= datetime.now(timezone.utc) - timedelta(seconds=behind)


WINDOWS = [
    ({"start_date": "2024-01-02"}, ["b", "c", "d"]),
    ({"end_date": "2024-01-03T00:00:00Z"}, ["a", "b"]),
    ({"start_date": "2024-01-02T00:00:00+00:00", "end_date": "2024-01-04"}, ["b", "c"]),
    ({"start_date": "2024-01-02T00:00:00.001Z"}, ["c", "d"]),
]


@pytest.mark.parametrize(("config", "ids"), WINDOWS, ids=str)
@pytest.mark.parametrize("method", ["INCREMENTAL", "FULL_TABLE"])
def test_dates_bound_what_is_emitted(
    tap: Tap, api: FakeAPI, config: dict[str, str], ids: list[str], method: str
) -> None:
    """A backfill would copy too much, or miss the first record."""
    serve(api, **{name: f"2024-01-0{day}T00:00:00Z" for day, name in enumerate("abcd", start=1)})
    catalog = tap.discover(settings(api))
    catalog["streams"][0]["replication_method"] = method
    assert tap(settings(api, **config), catalog=catalog).ids == ids


def test_a_bookmark_later_than_the_start_date_wins(tap: Tap, api: FakeAPI) -> None:
    """Every run would begin at the start date again."""
    serve(api, a="2024-01-01T00:00:00Z", b="2024-01-02T11:30:00Z", c="2024-01-03T00:00:00Z")
    state = bookmarked("2024-01-02T12:00:00Z")
    assert tap(settings(api, start_date="2024-01-02T13:00:00+02:00"), state=state).ids == ["c"]
    assert tap(settings(api, start_date="2024-01-02t13:00:00z"), state=state).ids == ["c"]
    assert tap(settings(api, start_date="2024-01-04"), state=state).ids == []


def test_a_full_table_reads_everything_and_leaves_the_bookmark_alone(tap: Tap, api: FakeAPI) -> None:
    """A full refresh would leave records out."""
    catalog = tap.discover(settings(api))
    catalog["streams"][0]["replication_method"] = "FULL_TABLE"
    run = tap(settings(api), catalog=catalog, state=bookmarked("2999-01-01T00:00:00Z"))
    assert (run.status, len(run.ids)) == (0, 250)
    assert run.bookmark == "2999-01-01T00:00:00Z"


@pytest.mark.parametrize("name", ["replication-method", "forced-replication-method"])
def test_the_method_may_stand_in_the_metadata_alone(tap: Tap, api: FakeAPI, name: str) -> None:
    """A catalog as the Singer specification has it would be read incrementally."""
    catalog = tap.discover(settings(api))
    stream = catalog["streams"][0]
    del stream["replication_method"]
    for entry in stream["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"][name] = "FULL_TABLE"
    assert len(tap(settings(api), catalog=catalog, state=bookmarked("2999-01-01T00:00:00Z")).ids) == 250


def test_without_a_replication_key_the_table_is_read_whole(tap: Tap, api: FakeAPI) -> None:
    """An API without dates could not be read."""
    for value in ("", None):
        run = tap(settings(api, replication_key=value))
        assert (run.status, len(run.ids), run.bookmark) == (0, 250, None)
        assert "bookmark_properties" not in run.messages[0]


def test_a_run_that_fails_leaves_the_bookmark_where_it_was(tap: Tap, api: FakeAPI) -> None:
    """The records behind the failure would be skipped for good."""
    api.behave(faults=[{"from": 3, "kind": "status", "status": 400}])
    run = tap(settings(api), state=bookmarked("2019-01-01T00:00:00Z"))
    assert (run.status, len(run.ids), run.bookmark) == (1, 199, "2019-01-01T00:00:00Z")


def test_another_replication_key_can_be_chosen(tap: Tap, api: FakeAPI) -> None:
    """Changed records could not be found where the API says when they changed."""
    run = tap(settings(api, replication_key="updated_at"))
    assert run.messages[0]["bookmark_properties"] == ["updated_at"]
    updates = [record["updated_at"] for record in api.records() if record["updated_at"]]
    assert run.bookmark == max(updates).replace("Z", ".000000Z")


UNREADABLE: list[Any] = [None, 7, "", "soon", "2024-13-01", "0001-01-01T00:00:00+14:00", [], {}]


@pytest.mark.parametrize("value", UNREADABLE, ids=str)
def test_what_names_no_instant_is_none(value: object) -> None:
    """A broken date would end the run in a traceback."""
    assert parse_instant(value) is None


def test_what_is_written_has_one_width_and_reads_back() -> None:
    """Bookmarks would no longer compare as text in the target's state."""
    moments = [datetime(year, 1, 1, microsecond=us, tzinfo=timezone.utc) for year in (1, 1999, 9999) for us in (0, 10)]
    texts = [format_instant(moment) for moment in moments]
    assert [parse_instant(text) for text in texts] == moments
    assert ({len(text) for text in texts}, sorted(texts)) == ({27}, texts)


def test_a_catalog_with_other_keys_than_the_settings_is_warned_of(tap: Tap, api: FakeAPI) -> None:
    """A new replication_key would have no effect, unseen, until the catalog is made anew."""
    catalog = tap.discover(settings(api))
    assert not any("catalog" in line for line in tap(settings(api), catalog=catalog).warnings)
    run = tap(settings(api, replication_key="updated_at"), catalog=catalog)
    assert ("catalog's keys" in "".join(run.warnings), run.messages[0]["bookmark_properties"]) == (True, ["created_at"])


def integers(api: FakeAPI, *sizes: object) -> None:
    """Let the API hold a record for each `size`."""
    api.replace(json.dumps([{"id": f"r{number}", "size": size} for number, size in enumerate(sizes)]))


@pytest.mark.parametrize("order", ["unsorted", "ascending", "descending"])
def test_whole_numbers_are_replication_keys_too(tap: Tap, api: FakeAPI, order: str) -> None:
    """An API without dates, but with ids that grow, could not be read incrementally."""
    sizes = [7, 8, 9, 10, 10, 100]
    integers(api, *(sizes[::-1] if order == "descending" else sizes))
    config = settings(api, replication_key="size", sort_order=order, limit=2)
    first = tap(config)
    assert (first.status, len(first.ids), first.bookmark) == (0, 6, 100)
    second = tap(
        config, state={"bookmarks": {"storage_data": {"replication_key": "size", "replication_key_value": 10}}}
    )
    assert sorted(record["size"] for record in second.records) == [10, 10, 100]
    assert second.bookmark == 100


def test_numbers_that_are_none_are_emitted_by_every_run(tap: Tap, api: FakeAPI) -> None:
    """They would be lost, or end the run in a traceback."""
    integers(api, 5, None, 12)
    config = settings(api, replication_key="size")
    state = {"bookmarks": {"storage_data": {"replication_key": "size", "replication_key_value": 12}}}
    assert (tap(config, state=state).ids, tap(config, state=state).bookmark) == (["r1", "r2"], 12)


@pytest.mark.parametrize(("form", "scale"), [("epoch", 1), ("epoch_ms", 1000)])
def test_seconds_since_1970_are_bounded_by_dates_and_by_the_present(
    tap: Tap, api: FakeAPI, form: str, scale: int
) -> None:
    """A backfill would copy everything, or a date to come skip all records until then."""
    day = 86_400 * scale
    integers(api, 0, day, 2 * day, 3 * day, 10**6 * day)
    config = settings(api, replication_key="size", datetime_format=form)
    run = tap({**config, "start_date": "1970-01-02", "end_date": "1970-01-04"})
    assert (run.ids, run.bookmark) == (["r1", "r2"], 2 * day)
    before = datetime.now(timezone.utc).timestamp() * scale
    last = tap(config, state=run.state)
    assert last.ids == ["r2", "r3", "r4"]
    assert before - 2 * scale <= int(last.bookmark or 0) <= datetime.now(timezone.utc).timestamp() * scale


REFUSED = [
    ({"start_date": "2024-01-01"}, "start_date"),
    ({"end_date": "2024-01-01"}, "end_date"),
    ({"lookback_window": 60}, "lookback_window"),
]


@pytest.mark.parametrize(("config", "name"), REFUSED, ids=str)
def test_dates_and_lookback_that_make_no_sense_are_refused(
    tap: Tap, api: FakeAPI, config: dict[str, Any], name: str
) -> None:
    """They would be ignored, or compared with ids."""
    run = tap(settings(api, replication_key="size", **config))
    assert (run.status, run.stdout, api.requests()) == (1, "", [])
    assert ["integer" in line and name in line for line in run.errors] == [True]


def test_dates_may_be_served_as_seconds(tap: Tap, api: FakeAPI) -> None:
    """All records would be emitted by every run, as none of their dates could be read."""
    serve(api, early=1_704_067_200, late=1_704_153_600.5, text="1704240000")
    run = tap(settings(api, datetime_format="epoch"), state=bookmarked("2024-01-02T00:00:00Z"))
    assert (run.ids, run.bookmark) == (["late", "text"], "2024-01-03T00:00:00.000000Z")


def test_records_that_arrive_late_are_read_within_the_lookback(tap: Tap, api: FakeAPI) -> None:
    """A record that is committed a minute after its date would be missing."""
    serve(api, before="2024-01-01T11:54:59Z", within="2024-01-01T11:55:00Z", newest="2024-01-01T12:00:00Z")
    state = bookmarked("2024-01-01T12:00:00Z")
    assert tap(settings(api), state=state).ids == ["within", "newest"]
    assert tap(settings(api, lookback_window=0), state=state).ids == ["newest"]
    assert tap(settings(api, lookback_window=301), state=state).ids == ["before", "within", "newest"]
    assert tap(settings(api, start_date="2024-01-01T11:58:00Z"), state=state).ids == ["newest"]


def test_the_bookmark_never_goes_back(tap: Tap, api: FakeAPI) -> None:
    """A clock that is behind, or a record that is gone, would let a run read again what is known."""
    serve(api, newest="2024-01-01T12:00:00Z")
    api.behave(date_skew_s=-10 * 365 * 86_400)
    state = bookmarked("2024-01-01T12:00:00Z")
    assert tap(settings(api), state=state).bookmark == "2024-01-01T12:00:00Z"
    serve(api, older="2024-01-01T11:58:00Z")
    assert tap(settings(api), state=state).bookmark == "2024-01-01T12:00:00Z"


def test_a_bounded_run_never_moves_the_bookmark_past_its_end(tap: Tap, api: FakeAPI) -> None:
    """The daily run after a backfill would skip what lies between."""
    serve(api, **{name: f"2024-01-0{day}T00:00:00Z" for day, name in enumerate("abcd", start=1)})
    run = tap(settings(api, end_date="2024-01-03"))
    assert (run.ids, run.bookmark) == (["a", "b"], "2024-01-02T00:00:00.000000Z")
    late = tap(settings(api, end_date="2024-01-03"), state=bookmarked("2024-01-04T00:00:00Z"))
    assert (late.status, late.ids, late.bookmark) == (0, [], "2024-01-04T00:00:00Z")
    assert late.verdict["verdict"] == "bounded"


def test_a_maximum_offset_leaves_the_bookmark_where_records_behind_it_may_be_older(tap: Tap, api: FakeAPI) -> None:
    """They would be skipped by every later run."""
    config = settings(api, maximum_offset=100)
    assert tap(config).bookmark is None
    assert tap({**config, "sort_order": "ascending"}).bookmark == "2020-01-01T00:16:30.000000Z"


def test_a_bookmark_in_the_future_is_discarded(tap: Tap, api: FakeAPI) -> None:
    """A state of another tap's, from one wrong date, would let all records be skipped until then."""
    run = tap(settings(api), state=bookmarked("2999-01-01T00:00:00Z"))
    assert (run.status, len(run.ids), run.bookmark < "2021") == (0, 250, True)
    assert ["future" in line for line in run.warnings] == [True]


def test_numbers_that_came_meanwhile_are_found_by_the_next_run(tap: Tap, api: FakeAPI) -> None:
    """No clock tells that they came, and a higher number that was seen after them would be the bookmark."""
    numbers = [*range(2, 301, 2), *range(1, 301, 2)]
    integers(api, *numbers)
    config = settings(api, replication_key="size", max_retries=0, total_path="")
    api.behave(faults=[{"from": 3, "kind": "status", "status": 503}])
    first = tap(config)
    api.behave(faults=[])
    integers(api, *numbers, 302)
    api.insert(at="front", records=[{"id": "new", "size": 301}])
    second = tap(config, state=first.state)
    assert (first.status, second.status, 302 in [record["size"] for record in second.records]) == (1, 0, True)
    third = tap(config, state=second.state)
    assert (third.status, "new" in third.ids) == (0, True)


ODD = [
    ({"end_date": "9999-12-31T23:59:59Z", "end_param": "created_to"}, {"created_at": "2024-01-01"}),
    ({"datetime_format": "epoch"}, {"created_at": "--5"}),
    ({"datetime_format": "%Y-%m-%d %Y"}, {"created_at": "soon"}),
]


@pytest.mark.parametrize(("config", "record"), ODD, ids=str)
def test_odd_dates_end_in_no_traceback(tap: Tap, api: FakeAPI, config: dict[str, Any], record: dict[str, Any]) -> None:
    """One record would keep all others from being copied."""
    api.replace(json.dumps([{"id": "odd", **record}]))
    run = tap(settings(api, **config))
    assert (run.status, run.ids) == (0, ["odd"])
