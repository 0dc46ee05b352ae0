"""Full refresh with versions: rows that are gone at the source go at the destination, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings
from tests.test_resuming import ENOUGH, RECORDS, covered, killed

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap

REFRESH = {"replication_key": "", "emit_activate_version_messages": True}


def versions(run: Run) -> list[Any]:
    """Return the versions of the records, each once, and then those that are activated."""
    records = dict.fromkeys(message["version"] for message in run.messages if message["type"] == "RECORD")
    return [*records, *activated(run)]


def activated(run: Run) -> list[int]:
    """Return the versions that the destination is told to keep."""
    return [message["version"] for message in run.messages if message["type"] == "ACTIVATE_VERSION"]


def test_a_version_is_activated_after_the_last_record(tap: Tap, api: FakeAPI) -> None:
    """Rows that are gone at the source would stay, or a run that fails leave the destination emptied."""
    run = tap(settings(api, **REFRESH))
    kinds = [message["type"] for message in run.messages]
    assert kinds == ["SCHEMA", *["RECORD"] * 250, "ACTIVATE_VERSION", "STATE"]
    record, active = versions(run)
    assert record == active
    again = tap(settings(api, **REFRESH), state=run.state)
    assert activated(again) > activated(run)


NOT_WHOLE: dict[str, dict[str, Any]] = {
    "dates": {"replication_key": "created_at", "start_date": "2020-01-01"},
    "an end": {"replication_key": "created_at", "end_date": "2030-01-01"},
    "an offset": {"maximum_offset": 100},
}


@pytest.mark.parametrize("bounds", NOT_WHOLE)
def test_a_part_of_the_collection_activates_nothing(tap: Tap, api: FakeAPI, bounds: str) -> None:
    """All rows outside of it would be dropped at the destination."""
    catalog = tap.discover(settings(api))
    catalog["streams"][0]["replication_method"] = "FULL_TABLE"
    run = tap(settings(api, **REFRESH | NOT_WHOLE[bounds]), catalog=catalog)
    assert (run.status, len(run.ids) > 0, activated(run)) == (0, True, [])
    assert "No rows are dropped" in run.stderr


def test_a_key_that_sees_nothing_activates_nothing(tap: Tap, api: FakeAPI) -> None:
    """A key without its rights any more would empty the destination."""
    api.reset(records=0)
    run = tap(settings(api, **REFRESH))
    assert (run.status, run.verdict["verdict"], activated(run)) == (0, "complete", [])


def test_a_run_that_fails_activates_nothing(tap: Tap, api: FakeAPI) -> None:
    """The rows that it did not come to would be dropped."""
    api.behave(faults=[{"from": 3, "kind": "status", "status": 401}])
    run = tap(settings(api, **REFRESH))
    assert (run.status, len(run.ids), activated(run)) == (1, 199, [])


def test_an_incremental_run_has_no_versions(tap: Tap, api: FakeAPI) -> None:
    """Everything that was not new would be dropped."""
    run = tap(settings(api, emit_activate_version_messages=True))
    assert (len(run.ids), activated(run)) == (250, [])
    assert not any("version" in message for message in run.messages)


def test_a_refresh_that_was_interrupted_keeps_its_version(tap: Tap, api: FakeAPI) -> None:
    """The rows of the first attempt would be dropped, although they are at the source."""
    api.reset(records=RECORDS)
    config = settings(api, **REFRESH)
    first = killed(tap, config, lines=ENOUGH)
    second = tap(config, state=first.state)
    assert (len(covered(first)) > 9_000, len(set(first.ids) | set(second.ids))) == (True, RECORDS)
    assert [versions(first)[0]] * 2 == versions(second)


def test_rows_that_moved_between_two_attempts_are_not_dropped(tap: Tap, api: FakeAPI) -> None:
    """A row that stands where it had been read before it came there is at the source, and was not seen."""
    api.reset(records=RECORDS)
    config = settings(api, **REFRESH)
    first = killed(tap, config, lines=ENOUGH)
    api.insert(30, at="front")
    second = tap(config, state=first.state)
    assert (second.status, activated(second)) == (0, [])
    third = tap(config, state=second.state)
    assert (len(third.ids), len(activated(third))) == (RECORDS + 30, 1)
