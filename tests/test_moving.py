"""Records that come and go while they are read: none that stays is lost, none is emitted twice."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap

TOTAL = pytest.mark.parametrize("total", ["exact", "absent"])
FENCE: dict[str, Any] = {"from": 700, "kind": "status", "status": 401}
"""Ends a walk that would not end, with an error."""


def change(told: str) -> dict[str, Any]:
    """Return the change that a phrase such as "delete 150 front after 3" names."""
    op, count, at, when, number = told.split()
    return {"op": op, "count": int(count), "at": at, when: int(number)}


def read_while(tap: Tap, api: FakeAPI, *changes: str, records: int, total: str, **config: Any) -> Run:
    """Run the tap over a collection that these changes happen to."""
    api.reset(records=records)
    api.behave(total=total, changes=[change(each) for each in changes], faults=[FENCE])
    return tap(settings(api, **config))


def assert_nothing_lost(run: Run, api: FakeAPI) -> None:
    """Assert that a run ended well, with each record that was there all the time, and with none that never was."""
    assert (run.status, run.errors, run.verdict["verdict"]) == (0, [], "complete")
    assert api.survivors() - set(run.ids) == set()
    assert set(run.ids) - api.ever() == set()


def assert_each_once(run: Run) -> None:
    """Assert that no record was emitted twice, and that the log and the verdict agree on whether records moved."""
    assert len(run.ids) == len(set(run.ids))
    assert (run.verdict["rows_moved"] > 0) == ("Records moved by" in run.stderr)


STEADY = [
    f"{op} 1 {at} every {number}"
    for op, at, number in itertools.product(("delete", "insert"), ("front", "read", "random", "back"), (1, 3))
]


@TOTAL
@pytest.mark.parametrize("told", STEADY)
def test_a_change_after_every_few_requests_loses_nothing(tap: Tap, api: FakeAPI, told: str, total: str) -> None:
    """Records would be missing whenever somebody else uses the API, or the run never end."""
    run = read_while(tap, api, told, records=600, total=total)
    assert_nothing_lost(run, api)
    assert_each_once(run)
    if "front" in told or "read" in told:
        assert run.verdict["rows_moved"] > 0


BOTH = [
    ("delete 1 front every 3", "insert 1 front every 2"),
    ("delete 2 random every 1", "insert 2 random every 1"),
    ("delete 2 read every 2", "insert 3 read every 3"),
]


@TOTAL
@pytest.mark.parametrize("told", BOTH, ids=" and ".join)
def test_deletions_and_insertions_at_once_lose_nothing(
    tap: Tap, api: FakeAPI, told: tuple[str, ...], total: str
) -> None:
    """Moves in both directions would hide each other, and the records between them."""
    # One by one, for the changes follow the requests: as many deletions as insertions behind those that are in vain
    # look like records that moved to where it had been read.
    run = read_while(tap, api, *told, records=1_000, total=total, concurrency=1)
    assert_nothing_lost(run, api)
    assert_each_once(run)


BURSTS = [f"{op} 150 {at} after 3" for op in ("delete", "insert") for at in ("front", "read", "random", "back")]


@TOTAL
@pytest.mark.parametrize("told", BURSTS)
def test_a_burst_of_more_than_a_page_loses_nothing(tap: Tap, api: FakeAPI, told: str, total: str) -> None:
    """Records would be missing whenever a clean-up job runs beside the copy."""
    run = read_while(tap, api, told, records=1_000, total=total)
    assert_nothing_lost(run, api)
    assert_each_once(run)
    if "front" in told:  # a record that was served may be one that was only fetched ahead
        assert run.verdict["rows_moved"] > 0


GONE: list[tuple[tuple[str, ...], int]] = [
    (("delete 1 back after 3",), 250),
    (("delete 1 back after 4",), 250),
    (("delete 60 back after 3",), 250),
    (("delete 1 back after 2", "insert 300 back after 2"), 199),
    (("delete 199 read after 2",), 600),
]


@TOTAL
@pytest.mark.parametrize(("told", "records"), GONE, ids=str)
def test_a_frontier_that_is_gone_loses_nothing(
    tap: Tap, api: FakeAPI, told: tuple[str, ...], records: int, total: str
) -> None:
    """The walk would have nothing left to go by, and skip records or fail."""
    run = read_while(tap, api, *told, records=records, total=total)
    assert_nothing_lost(run, api)
    assert_each_once(run)


@TOTAL
@pytest.mark.parametrize("told", ["delete 5 front after 3", "delete 5 front after 4", "delete 5 front after 5"])
def test_records_that_move_while_the_end_is_proven_are_read_and_told_of(
    tap: Tap, api: FakeAPI, told: str, total: str
) -> None:
    """Records that slipped to a page already read would be missing, with exit status 0."""
    run = read_while(tap, api, told, records=250, total=total)
    assert_nothing_lost(run, api)
    assert_each_once(run)
    came_in_time = any(entry["request"] < len(api.requests()) for entry in api.changes())
    assert run.verdict["rows_moved"] == 5 * came_in_time


@TOTAL
def test_an_insertion_of_more_than_is_remembered_is_read_again(tap: Tap, api: FakeAPI, total: str) -> None:
    """What the walk cannot recognise any more would be missing."""
    run = read_while(tap, api, "insert 800 front after 60", records=1_000, total=total, limit=10)
    assert_nothing_lost(run, api)
    assert run.stderr.count("reading again from offset 0") == 1


@TOTAL
def test_a_deletion_of_all_that_is_remembered_is_read_again(tap: Tap, api: FakeAPI, total: str) -> None:
    """What the walk cannot recognise any more would be missing."""
    run = read_while(tap, api, "delete 541 read after 60", records=1_000, total=total, limit=10)
    assert_nothing_lost(run, api)
    assert run.stderr.count("reading again from offset 0") == 1


def test_a_collection_that_vanishes_is_read_to_its_end(tap: Tap, api: FakeAPI) -> None:
    """A run would fail because there is nothing left to read."""
    run = read_while(tap, api, "delete 1000 front after 4", records=1_000, total="exact")
    assert_nothing_lost(run, api)
    assert_each_once(run)


@TOTAL
@pytest.mark.parametrize(("records", "overlap"), [(101, 1), (250, 1), (1_000, 1), (1_000, 0), (5_000, 0)])
def test_an_unstable_order_is_an_error_that_names_the_remedy(
    tap: Tap, api: FakeAPI, records: int, overlap: int, total: str
) -> None:
    """Records that keep changing places would be missing, with exit status 0, or the run never end."""
    api.reset(records=records)
    api.behave(sort="unstable", total=total, faults=[FENCE])
    run = tap(settings(api, page_overlap=overlap))
    assert (run.status, run.bookmark, run.verdict["verdict"]) == (1, None, "incomplete")
    assert "Add a sort by a field that never changes to params" in run.errors[0]
    assert len(api.requests()) < FENCE["from"]


def test_the_remedy_for_an_unstable_order_works(tap: Tap, api: FakeAPI) -> None:
    """A person would do as the error says, and get the same error."""
    api.behave(sort="unstable")
    run = tap(settings(api, params={"sort": "id"}))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])


@TOTAL
@pytest.mark.parametrize("inserted", [1, 99, 100, 101, 200, 250, 700, 1_500])
@pytest.mark.parametrize("behaviour", [{}, {"offset": {"multiples_of": 100}}], ids=["plain", "multiples"])
def test_without_overlap_records_that_are_inserted_in_front_hide_none(
    tap: Tap, api: FakeAPI, behaviour: dict[str, Any], inserted: int, total: str
) -> None:
    """Pages of known records only would be taken for the end."""
    api.reset(records=1_000)
    insert = {"op": "insert", "at": "front", "count": inserted, "after": 6}
    api.behave(total=total, changes=[insert], faults=[FENCE], **behaviour)
    run = tap(settings(api, page_overlap=0))
    assert_nothing_lost(run, api)


@TOTAL
@pytest.mark.parametrize("request_number", [6, 9, 12])
@pytest.mark.parametrize("behaviour", [{}, {"offset": {"multiples_of": 100}}], ids=["plain", "multiples"])
def test_without_overlap_a_read_record_that_moves_to_the_end_pulls_none_out_of_sight(
    tap: Tap,
    api: FakeAPI,
    behaviour: dict[str, Any],
    request_number: int,
    total: str,
) -> None:
    """The first record of the next page moves on to the last one read, and no total tells of it."""
    api.reset(records=1_000)
    move = {"op": "move", "at": "read", "to": "back", "after": request_number}
    api.behave(total=total, changes=[move], faults=[FENCE], **behaviour)
    run = tap(settings(api, page_overlap=0, concurrency=1))
    assert_nothing_lost(run, api)


@TOTAL
def test_read_records_that_are_updated_and_move_to_the_end_lose_nothing(tap: Tap, api: FakeAPI, total: str) -> None:
    """With a sort by `updated_at`, records would be taken for read ground where others were not read yet."""
    api.reset(records=600)
    api.behave(
        total=total, changes=[{"op": "move", "at": "read", "to": "back", "every": 3, "count": 20}], faults=[FENCE]
    )
    run = tap(settings(api, concurrency=1))  # requests in vain would move more than can be followed
    assert_nothing_lost(run, api)


@pytest.mark.parametrize("to", ["front", "read"])
def test_records_that_move_to_read_ground_are_given_away_by_the_total(tap: Tap, api: FakeAPI, to: str) -> None:
    """They would be missing, with exit status 0: no reader of offsets can see them there."""
    api.behave(changes=[{"op": "move", "at": "back", "to": to, "every": 2}])
    run = tap(settings(api))
    assert api.survivors() - set(run.ids) != set()
    assert (run.status, run.verdict["verdict"], run.bookmark) == (1, "incomplete", None)
    assert "Add a sort by a field that never changes to params" in run.errors[0]
