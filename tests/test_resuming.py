"""Runs that are killed: the state that was written is true, and the next run goes on from it."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tap_storage import checkpoint
from tests.running import BIN, PATIENCE_S, Run, environment, settings
from tests.test_runs_model import run as run_here
from tests.test_skipping import forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.control import FakeAPI
    from tests.running import Tap

RECORDS = 12_500
ENOUGH = 10_100
"""Lines after which a state has been written."""
FULL_TABLE = {"replication_key": ""}
MODES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "unsorted": ({}, {}),
    "ascending": ({"sort_order": "ascending"}, {}),
    "descending": ({"sort_order": "descending"}, {"sort": "-created_at"}),
    "filtered": ({"start_param": "created_from", "start_date": "2019-01-01"}, {}),
    "full table": (FULL_TABLE, {}),
    "without overlap": ({"page_overlap": 0}, {}),
    "multiples": ({}, {"offset": {"multiples_of": 100}}),
    "no primary key": ({"primary_keys": []}, {}),
    "no total, capped": ({}, {"total": "absent", "cap": 70}),
}


@dataclasses.dataclass(frozen=True)
class Killed(Run):
    """A run that was killed, and the part of a line that it left."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages that are whole: what a target would have taken."""
        whole = self.stdout[: self.stdout.rfind("\n") + 1]
        return [json.loads(line) for line in whole.split("\n") if line]


def killed(
    tap: Tap,
    config: dict[str, Any],
    *,
    state: dict[str, Any] | None = None,
    lines: int = ENOUGH,
    number: signal.Signals = signal.SIGKILL,
) -> Killed:
    """Run the tap, and kill it after so many lines of output."""
    options = ["--config", str(tap.write("config.json", json.dumps(config)))]
    if state is not None:
        options += ["--state", str(tap.write("state.json", json.dumps(state)))]
    process = subprocess.Popen(
        [BIN / "tap-storage", *options],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=(tap.directory / "log").open("w"),
        encoding="utf-8",
    )
    assert process.stdout
    head = [process.stdout.readline() for _ in range(lines)]
    process.send_signal(number)
    rest = process.stdout.read()
    process.wait(PATIENCE_S)
    return Killed(process.returncode, "".join(head) + rest, (tap.directory / "log").read_text(encoding="utf-8"))


def covered(run: Run) -> list[Any]:
    """Return the ids of the records that the last state covers."""
    last = max(place for place, message in enumerate(run.messages) if message["type"] == "STATE")
    return [message["record"]["id"] for message in run.messages[:last] if message["type"] == "RECORD"]


@pytest.mark.parametrize("mode", MODES)
def test_a_killed_run_is_gone_on_with(tap: Tap, api: FakeAPI, mode: str) -> None:
    """Each attempt would begin at zero, and a large collection never be read to its end."""
    config, behaviour = MODES[mode]
    api.reset(records=RECORDS)
    api.behave(**behaviour)
    first = killed(tap, settings(api, **config))
    assert (first.status, len(covered(first)) >= 9_800) == (-signal.SIGKILL, True)
    forget(api)
    second = tap(settings(api, **config), state=first.state)
    assert second.status == 0, second.stderr
    assert set(covered(first)) & set(second.ids) == set()
    assert len(set(covered(first)) | set(second.ids)) == RECORDS
    assert len(second.ids) == len(set(second.ids)) == RECORDS - len(covered(first))
    assert sum(request["served"] for request in api.requests()) < RECORDS - len(covered(first)) + 400
    assert set(second.state["bookmarks"]["storage_data"]) <= {"replication_key", "replication_key_value", "walk"}


def delete_in_front(api: FakeAPI) -> None:
    """Let all records stand 700 places further in front."""
    api.delete(at="front", count=700)


def insert_in_front(api: FakeAPI) -> None:
    """Let all records stand 700 places further back."""
    api.insert(at="front", count=700, created_at="2019-01-01T00:00:00Z")


def delete_the_last_read(api: FakeAPI) -> None:
    """Take away the records at which the run was interrupted."""
    api.delete(ids=[f"obj-{number:07}" for number in range(9_000, 11_000)])


def delete_everything_read(api: FakeAPI) -> None:
    """Take away all that was read."""
    api.delete(at="front", count=11_000)


@pytest.mark.parametrize(
    "change", [delete_in_front, insert_in_front, delete_the_last_read, delete_everything_read], ids=lambda c: c.__name__
)
@pytest.mark.parametrize("total", ["exact", "absent"])
def test_records_that_come_or_go_meanwhile_lose_nothing(
    tap: Tap, api: FakeAPI, change: Callable[[FakeAPI], None], total: str
) -> None:
    """The place where the run was would be another than it says."""
    api.reset(records=RECORDS)
    api.behave(total=total)
    first = killed(tap, settings(api))
    change(api)
    second = tap(settings(api), state=first.state)
    assert second.status == 0, second.stderr
    present = {record["id"] for record in api.records()}
    unseen = present - set(covered(first)) - set(second.ids)
    assert unseen <= {f"obj-{number:07}" for number in range(RECORDS + 1, RECORDS + 701)}  # came to read ground
    third = tap(settings(api, sort_order="ascending"), state=second.state)
    assert third.status == 0
    if change is not delete_everything_read:
        assert len(second.ids) < RECORDS - 8_000


@pytest.mark.parametrize("mode", ["unsorted", "full table"])
def test_records_that_come_to_read_ground_are_found_by_the_next_run(tap: Tap, api: FakeAPI, mode: str) -> None:
    """They would be older than the bookmark that the interrupted run leaves."""
    api.reset(records=RECORDS)
    config = settings(api, **MODES[mode][0])
    api.behave(date_skew_s=-10_000)
    first = killed(tap, config)
    new = api.insert(10, at="front", created_at="2999-01-01T00:00:00Z")
    api.behave(date_skew_s=0)
    second = tap(config, state=first.state)
    third = tap(config, state=second.state)
    assert (second.status, third.status, set(new) - set(third.ids)) == (0, 0, set())


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "path": ({"path": "/v1/other"}, "forgotten"),
    "params": ({"params": {"status": "new"}}, "forgotten"),
    "sort_order": ({"sort_order": "ascending"}, "forgotten"),
    "primary_keys": ({"primary_keys": ["id", "path"]}, "forgotten"),
    "replication_key": ({"replication_key": "updated_at"}, "forgotten"),
    "start_date": ({"start_date": "2020-01-01"}, "anew"),
    "lookback_window": ({"lookback_window": 60}, "anew"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_another_walk_is_not_gone_on_with(tap: Tap, api: FakeAPI, name: str) -> None:
    """Records of another collection would be left out because this one had been read so far."""
    api.reset(records=RECORDS)
    api.behave(paths=["/v1/resource", "/v1/other"])
    first = killed(tap, settings(api))
    more, told = CHANGES[name]
    second = tap(settings(api, **more), state=first.state)
    assert (second.status, len(set(second.ids))) == (0, RECORDS)
    assert told in second.stderr


def test_another_replication_key_discards_the_bookmark(tap: Tap, api: FakeAPI) -> None:
    """Records would be held against the date of another field."""
    first = tap(settings(api))
    second = tap(settings(api, replication_key="updated_at"), state=first.state)
    assert (second.status, len(second.ids)) == (0, 250)
    assert ["created_at" in line and "updated_at" in line for line in second.warnings if "bookmark" in line] == [True]
    assert second.state["bookmarks"]["storage_data"]["replication_key"] == "updated_at"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("lines", [1, 5_003, 10_137])
def test_a_signal_leaves_whole_lines_and_a_true_state(
    tap: Tap, api: FakeAPI, number: signal.Signals, lines: int
) -> None:
    """The target would die of half a line, or the next run skip records that never came out."""
    api.reset(records=RECORDS)
    first = killed(tap, settings(api), lines=lines, number=number)
    assert (first.status, first.stdout[-1:]) == (128 + number, "\n")
    second = tap(settings(api), state=first.state)
    assert (second.status, len(set(first.ids) | set(second.ids))) == (0, RECORDS)


def test_a_signal_is_heard_while_an_answer_is_awaited(tap: Tap, api: FakeAPI) -> None:
    """A scheduler would lose patience, and kill."""
    api.behave(faults=[{"from": 3, "kind": "unanswered"}])
    first = killed(tap, settings(api), lines=150, number=signal.SIGTERM)
    assert first.status == 128 + signal.SIGTERM
    api.behave(faults=[])
    second = tap(settings(api), state=first.state)
    assert (second.status, set(first.ids) | set(second.ids)) == (0, {record["id"] for record in api.records()})


def test_states_come_often_and_cover_what_was_written(tap: Tap, api: FakeAPI) -> None:
    """A crash late in a long run would cost all of it."""
    api.reset(records=RECORDS)
    run = tap(settings(api))
    since = 0
    for message in run.messages:
        since = 0 if message["type"] == "STATE" else since + (message["type"] == "RECORD")
        assert since <= 10_000
    states = [message["value"]["bookmarks"]["storage_data"] for message in run.messages if message["type"] == "STATE"]
    kinds = [("walk" in state, "replication_key_value" in state) for state in states]
    assert kinds == [(True, False), (False, True)]
    assert all(len(json.dumps(state)) < 4_000 for state in states)


def test_a_failed_run_is_gone_on_with(tap: Tap, api: FakeAPI) -> None:
    """An hour of reading would be lost to one error of the server."""
    api.behave(faults=[{"from": 3, "kind": "status", "status": 503}])
    first = tap(settings(api, max_retries=0))
    api.behave(faults=[])
    forget(api)
    second = tap(settings(api), state=first.state)
    assert (first.status, second.status, len(first.ids), len(second.ids)) == (1, 0, 199, 51)
    assert [request["offset"] for request in api.requests()][:2] == [0, 198]  # a sample, and the place


@pytest.mark.parametrize("overlap", [0, 1])
def test_a_place_behind_the_end_is_refused_and_the_walk_goes_on_where_it_can(
    tap: Tap, api: FakeAPI, overlap: int
) -> None:
    """Each run would fail for good, once records are deleted at an API that answers 404 behind the end."""
    api.behave(past_end={"status": 404}, faults=[{"from": 3, "kind": "status", "status": 503}])
    config = settings(api, max_retries=0, page_overlap=overlap, infer_schema=False)
    first = tap(config)
    api.delete(count=200, at="back")
    api.behave(faults=[])
    second = tap(config, state=first.state)
    assert (first.status, second.status, "walk" in first.stdout) == (1, 0, True), second.stderr
    assert {record["id"] for record in api.records()} <= {*first.ids, *second.ids}


def test_a_place_at_a_path_that_is_gone_is_an_error_at_once(tap: Tap, api: FakeAPI) -> None:
    """The place would be looked for at dozens of offsets."""
    api.behave(faults=[{"from": 4, "kind": "status", "status": 503}])
    first = tap(settings(api, max_retries=0, infer_schema=False))
    api.behave(faults=[{"from": 1, "kind": "status", "status": 404}])
    forget(api)
    second = tap(settings(api, infer_schema=False), state=first.state)
    assert (second.status, "404 Not Found" in second.errors[0], len(api.requests())) == (1, True, 2)


def test_what_is_not_proven_is_not_gone_on_with(tap: Tap, api: FakeAPI) -> None:
    """Records that slipped through before would be missing for good."""
    api.reset(records=2_000)
    api.behave(faults=[{"from": 8, "kind": "empty"}])
    first = tap(settings(api))
    api.behave(faults=[])
    second = tap(settings(api), state=first.state)
    assert (first.status, second.status, len(second.ids)) == (1, 0, 2_000)


@pytest.mark.parametrize("walk", [7, {}, {"place": 1}, {"began": 3, "collection": None}], ids=str)
def test_a_place_that_cannot_be_read_is_none(tap: Tap, api: FakeAPI, walk: object) -> None:
    """A state that somebody edited would end in a traceback."""
    run = tap(settings(api), state={"bookmarks": {"storage_data": {"walk": walk}}})
    assert (run.status, len(run.ids)) == (0, 250)


def test_a_state_comes_while_an_answer_is_awaited(api: FakeAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes its time would let the last state be an hour old."""
    monkeypatch.setattr(checkpoint, "EVERY_S", 0.5)
    api.behave(faults=[{"on": 3, "kind": "unanswered"}])
    messages, whole = run_here({**settings(api), "timeout": 2.5}, {}, killed_after=10**6)
    places = [
        message["value"]["bookmarks"]["storage_data"]["walk"]["place"]["offset"]
        for message in messages
        if message["type"] == "STATE" and "walk" in message["value"]["bookmarks"]["storage_data"]
    ]
    assert (whole, 198 in places) == (True, True)


@pytest.mark.parametrize("total", ["absent", "page", {"capped": 300}, {"value": 5000}], ids=str)
@pytest.mark.parametrize("overlap", [0, 1, 5])
@pytest.mark.parametrize("request_number", [6, 13])
def test_a_place_is_gone_on_from_whatever_the_total(
    tap: Tap, api: FakeAPI, total: object, overlap: int, request_number: int
) -> None:
    """Without a page before it, an end would be seen where there is none, or a traceback."""
    api.reset(records=1_000)
    api.behave(total=total, faults=[{"from": request_number, "kind": "status", "status": 503}])
    config = settings(api, page_overlap=overlap, max_retries=0)
    first = tap(config)
    api.behave(faults=[])
    second = tap(config, state=first.state)
    assert second.status == 0, second.stderr
    assert len(set(first.ids) | set(second.ids)) == 1_000
    assert len(first.ids) == 0 or len(second.ids) < 1_000
