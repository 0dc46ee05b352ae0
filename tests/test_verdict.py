"""The verdict: one line at the end of a run that says what it came to, for people and programs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap

FIELDS = [
    "version",
    "stream",
    "verdict",
    "records",
    "records_read",
    "pages",
    "requests",
    "retries",
    "seconds_waited",
    "bytes",
    "rows_moved",
    "total_promised",
    "values_nulled",
    "page_lane",
]
BOOKMARKED = {
    "bookmarks": {
        "storage_data": {"replication_key": "created_at", "replication_key_value": "2020-01-01T00:00:00.000000Z"}
    }
}


def verdicts(run: Run) -> list[dict[str, Any]]:
    """Return the fields of each verdict that a run logged."""
    return [json.loads(line.split("VERDICT: ")[1]) for line in run.stderr.splitlines() if "VERDICT: " in line]


def bytes_served(api: FakeAPI) -> int:
    """Return the size of all answers of an API without faults whose collection has not changed, by asking again."""
    queries = [request["query"] for request in api.requests()]
    return sum(len(requests.get(f"{api.url}/v1/resource?{query}", timeout=60).content) for query in queries)


def test_the_verdict_says_what_a_run_came_to(tap: Tap, api: FakeAPI) -> None:
    """A person could not tell what was copied, nor what it cost."""
    run = tap(settings(api))
    asked = len(api.requests())
    assert run.status == 0
    assert list(run.verdict) == FIELDS
    assert run.verdict == {
        "version": 1,
        "stream": "storage_data",
        "verdict": "complete",
        "records": 250,
        "records_read": 250,
        "pages": asked,
        "requests": asked,
        "retries": 0,
        "seconds_waited": 0.0,
        "bytes": bytes_served(api),
        "rows_moved": 0,
        "total_promised": 250,
        "values_nulled": 0,
        "page_lane": 1.0,
    }


def test_retries_and_waits_are_counted(tap: Tap, api: FakeAPI) -> None:
    """A server in trouble would pass for one that is slow."""
    busy = {"kind": "status", "status": 503, "body": "busy"}
    api.behave(total="absent", faults=[{"on": [2, 3], **busy}])
    run = tap(settings(api, backoff_factor=0.2, max_backoff=0.2, concurrency=1))
    asked = len(api.requests())
    assert (run.status, run.verdict["verdict"], run.verdict["total_promised"]) == (0, "complete", None)
    assert (run.verdict["requests"], run.verdict["pages"], run.verdict["retries"]) == (asked, asked - 2, 2)
    assert run.verdict["seconds_waited"] == 0.4
    api.behave(faults=[])
    answered = bytes_served(api)
    repeated = 2 * len(requests.get(f"{api.url}/v1/resource?{api.requests()[1]['query']}", timeout=60).content)
    assert run.verdict["bytes"] == answered - repeated + 2 * len("busy")


def test_moves_and_the_latest_total_are_told(tap: Tap, api: FakeAPI) -> None:
    """A person would not learn that the collection is alive, and how much."""
    api.behave(changes=[{"after": 2, "op": "delete", "at": "front", "count": 5}])
    run = tap(settings(api))
    fields = run.verdict
    assert (run.status, fields["verdict"], fields["records"]) == (0, "complete", 250)
    assert (fields["rows_moved"], fields["total_promised"]) == (5, 245)


BOUNDED: list[tuple[dict[str, Any], int]] = [
    ({"maximum_offset": 150}, 150),
    ({"end_date": "2020-01-01T00:10:00Z"}, 60),
    ({"end_date": "2020-01-01T00:10:00Z", "maximum_offset": 30}, 30),
]


@pytest.mark.parametrize(("config", "records"), BOUNDED, ids=str)
def test_a_run_that_was_told_where_to_stop_is_bounded(
    tap: Tap, api: FakeAPI, config: dict[str, Any], records: int
) -> None:
    """A part would pass for the whole, or a run that did as it was told for one that failed."""
    run = tap(settings(api, **config))
    assert (run.status, len(run.records), run.verdict["records"]) == (0, records, records)
    assert run.verdict["verdict"] == "bounded"


FATAL: list[tuple[dict[str, Any], dict[str, Any] | None]] = [
    ({"kind": "status", "status": 401}, None),
    ({"kind": "status", "status": 401}, BOOKMARKED),
    ({"kind": "status", "status": 403}, None),
    ({"kind": "html"}, BOOKMARKED),
    ({"kind": "envelope"}, None),
    ({"kind": "empty"}, BOOKMARKED),
]


@pytest.mark.parametrize(("fault", "state"), FATAL, ids=str)
def test_a_run_that_fails_half_way_is_incomplete_and_moves_no_bookmark(
    tap: Tap, api: FakeAPI, fault: dict[str, Any], state: dict[str, Any] | None
) -> None:
    """The next run would skip what this one missed."""
    api.behave(faults=[{"from": 3, **fault}])
    run = tap(settings(api), state=state)
    before = state and "2020-01-01T00:00:00.000000Z"
    assert (run.status, len(run.records), run.verdict["records"]) == (1, 199, 199)
    assert run.bookmark in (None, before)
    assert (run.verdict["verdict"], run.verdict["pages"] > 1) == ("incomplete", True)
    assert (run.verdict["records_read"], run.verdict["total_promised"]) == (199, 250)
    assert sum("VERDICT: " in line for line in run.warnings) == 1


def test_a_verdict_that_is_not_incomplete_is_no_warning(tap: Tap, api: FakeAPI) -> None:
    """An alarm on warnings would ring after each good run."""
    run = tap(settings(api))
    assert (len(verdicts(run)), [line for line in run.warnings if "VERDICT" in line]) == (1, [])


def test_a_run_that_got_nothing_is_incomplete(tap: Tap, api: FakeAPI) -> None:
    """A program that waits for the verdict would wait for ever."""
    fields = tap(settings(api, api_key="wrong-key")).verdict
    assert (fields["verdict"], fields["records"], fields["requests"]) == ("incomplete", 0, 1)


def test_a_trial_has_no_verdict(tap: Tap, api: FakeAPI) -> None:
    """A trial that stops after a record would look like a run that failed."""
    run = tap(settings(api), "--test")
    assert (run.status, verdicts(run)) == (0, [])


LOGGING = """
version: 1
disable_existing_loggers: false
formatters:
  structured:
    (): singer_sdk.logging.StructuredFormatter
handlers:
  console:
    class: logging.StreamHandler
    formatter: structured
    stream: ext://sys.stderr
root:
  level: INFO
  handlers: [console]
"""


def test_the_verdict_is_structured_where_logs_are(tap: Tap, api: FakeAPI) -> None:
    """A program that reads JSON logs, as Meltano does, would have to parse text."""
    path = tap.write("logging.yml", LOGGING)
    run = tap(settings(api), env={"SINGER_SDK_LOG_CONFIG": str(path)})
    entries = [json.loads(line) for line in run.stderr.splitlines()]
    (entry,) = (entry for entry in entries if "verdict" in entry["extra"])
    assert entry["message"] == f"VERDICT: {json.dumps(entry['extra']['verdict'])}"
    assert (entry["level"], entry["extra"]["verdict"]["verdict"]) == ("info", "complete")
    assert list(entry["extra"]["verdict"]) == FIELDS
