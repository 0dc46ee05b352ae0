"""Pages that are asked for ahead: in order, so many at a time, and none in vain for long."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tap_storage.failures import TransientError
from tap_storage.lookahead import Asked, LookAhead, Room, VoidError
from tap_storage.throttle import ClosedError, Throttle
from tests.running import BIN, environment, settings
from tests.test_runs_model import run as run_here

if TYPE_CHECKING:
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Tap

PATIENCE_S = 30


def expected_ids(api: FakeAPI) -> list[Any]:
    """Return the ids that the API holds, in its order."""
    return [record["id"] for record in api.records()]


def most_within(api: FakeAPI, seconds: float) -> int:
    """Return the most requests that arrived within so many seconds, by the server's journal."""
    moments: list[float] = sorted(request["at"] for request in api.requests())
    return max(sum(moment <= other < moment + seconds for other in moments) for moment in moments)


@given(
    steps=st.lists(st.tuples(st.integers(0, 30), st.integers(0, 6)), max_size=30),
    most=st.integers(1, 5),
)
@hypothesis_settings(max_examples=100, deadline=None, derandomize=True, database=None)
def test_whatever_is_expected_the_answers_are_those_asked_for(steps: list[tuple[int, int]], most: int) -> None:
    """A page would be taken for another."""
    busy: list[int] = []
    crowd: list[int] = []
    lock = threading.Lock()

    def ask(asked: Asked[int, str]) -> str:
        with lock:
            busy.append(asked.question)
            crowd.append(len(busy))
        with lock:
            busy.remove(asked.question)
        return f"answer {asked.question}"

    ahead: LookAhead[int, str] = LookAhead(ask, most=most, room=Room(1))
    before = threading.active_count()
    for start, count in steps:
        ahead.expect(range(start, start + count), most=6)
        assert ahead.take(start).answer(PATIENCE_S) == f"answer {start}"
        ahead.count()
    ahead.close()
    assert max(crowd, default=0) <= most
    assert_threads(before)


def assert_threads(most: int) -> None:
    """Assert that no more threads are left than these, after a while."""
    end = time.monotonic() + PATIENCE_S
    while threading.active_count() > most and time.monotonic() < end:
        time.sleep(0.01)
    assert threading.active_count() <= most


def test_what_was_asked_before_the_last_answer_is_early() -> None:
    """The walk would take an old answer for a new one."""
    ahead: LookAhead[int, int] = LookAhead(lambda asked: asked.question, most=2, room=Room(1))
    ahead.expect([1, 2], most=9)
    first = ahead.take(1)
    assert not ahead.is_early(first)
    ahead.count()
    ahead.expect([2, 3], most=9)
    assert ahead.is_early(ahead.take(2))
    ahead.count()
    assert not ahead.is_early(ahead.take(4))
    ahead.close()


def test_a_question_that_is_not_expected_any_more_is_not_asked() -> None:
    """An API would be asked for pages that nobody wants."""
    asked_for = []
    gate = threading.Event()

    def ask(asked: Asked[int, int]) -> int:
        asked_for.append(asked.question)
        gate.wait(PATIENCE_S)
        return asked.question

    ahead: LookAhead[int, int] = LookAhead(ask, most=1, room=Room(1))
    ahead.expect([1, 2, 3], most=9)
    ahead.expect([9], most=9)
    gate.set()
    assert ahead.take(9).answer(PATIENCE_S) == 9
    assert set(asked_for) <= {1, 9}
    ahead.close()


def test_a_stuck_question_holds_up_no_other() -> None:
    """One connection that hangs would stop the run."""
    gate = threading.Event()
    ahead: LookAhead[int, int] = LookAhead(
        lambda asked: asked.question or int(gate.wait(PATIENCE_S)), most=1, room=Room(1)
    )
    before = threading.active_count()
    stuck = ahead.take(0)
    with pytest.raises(FutureTimeoutError):
        stuck.answer(0.05)
    ahead.abandon(stuck)
    assert ahead.take(5).answer(PATIENCE_S) == 5
    ahead.close()
    gate.set()
    assert_threads(before)


def test_a_void_question_that_is_stuck_holds_up_no_other() -> None:
    """A page that nobody wants any more, and that never ends, would stop the run without a word."""
    gate = threading.Event()

    def ask(asked: Asked[int, int]) -> int:
        asked.begin()
        return asked.question or int(gate.wait(2 * PATIENCE_S))

    ahead: LookAhead[int, int] = LookAhead(ask, most=1, room=Room(1))
    before = threading.active_count()
    ahead.expect([0], most=9)
    while not ahead._ahead[0].age:  # noqa: SLF001 (until it is under way)
        time.sleep(0.01)
    ahead.expect([7], most=9)
    wanted = ahead.take(7)
    with pytest.raises(FutureTimeoutError):
        wanted.answer(0.05)
    ahead.relieve(older=PATIENCE_S)
    assert not wanted.done
    ahead.relieve(older=0.01)
    assert wanted.answer(PATIENCE_S / 2) == 7
    ahead.close()
    gate.set()
    assert_threads(before)


def test_answers_ahead_wait_for_room_but_not_the_one_that_is_wanted() -> None:
    """Pages that turn out large would fill the memory, or wait for each other for ever."""
    room = Room(100)
    first, second, third = (Asked[int, int](number, 1, 0) for number in range(3))
    room.take(90, first)
    waiting = threading.Thread(target=room.take, args=(20, second), daemon=True)
    waiting.start()
    waiting.join(0.1)
    assert (waiting.is_alive(), second.size) == (True, 0)
    third.wanted = True
    room.take(500, third)
    assert third.size == 500
    third.void = True
    third.wanted = False
    with pytest.raises(VoidError):
        room.take(1, third)
    room.free(third)
    room.free(first)
    waiting.join(PATIENCE_S)
    assert (waiting.is_alive(), second.size) == (False, 20)


def test_a_second_wish_for_a_pause_halves_what_is_in_flight_and_calm_restores_it() -> None:
    """An API that is overrun would be overrun again, or the run stay slow for ever."""
    throttle = Throttle(most=8, rate=None, longest=1)
    wish = TransientError("m", "r")
    throttle.pause(0.01, wish)
    throttle.pause(0.01, wish)
    assert throttle.allowed == 8
    throttle.wait(threading.Event())
    throttle.pause(0.01, wish)
    assert throttle.allowed == 4
    throttle.wait(threading.Event())
    for _ in range(100):
        throttle.relax()
    assert throttle.allowed == 5


def test_a_silence_that_is_too_long_is_not_waited_for_and_closing_ends_the_wait() -> None:
    """A worker would sleep for an hour, or send a request after the end."""
    throttle = Throttle(most=8, rate=None, longest=1)
    wish = TransientError("m", "r", retry_after=3600)
    throttle.pause(3600, wish)
    closed = threading.Event()
    with pytest.raises(TransientError):
        throttle.wait(closed)
    closed.set()
    with pytest.raises(ClosedError):
        throttle.wait(closed)


@pytest.mark.parametrize("concurrency", [1, 2, 4, 16])
def test_pages_are_fetched_ahead_and_come_in_order(tap: Tap, api: FakeAPI, concurrency: int) -> None:
    """Records would come in another order, or as slowly as one by one."""
    api.reset(records=3000)
    api.behave(latency_ms=40, jitter_ms=20)
    run = tap(settings(api, concurrency=concurrency))
    assert (run.status, run.ids, run.verdict["verdict"]) == (0, expected_ids(api), "complete")
    assert len(api.requests()) == 32
    assert concurrency / 2 <= most_within(api, 0.04) <= concurrency


def test_nothing_is_asked_ahead_before_the_second_page(tap: Tap, api: FakeAPI) -> None:
    """An API that ignores the offset would be asked for the same page again and again."""
    api.behave(offset="ignored", latency_ms=20)
    run = tap(settings(api, concurrency=16))
    assert (run.status, len(api.requests()) <= 3, "offset_param" in run.errors[0]) == (1, True, True)


@pytest.mark.parametrize(
    "behaviour",
    [{"cap": 50}, {"total": "absent"}, {"changes": [{"after": 9, "op": "delete", "at": "front", "count": 150}]}],
    ids=str,
)
def test_a_wrong_guess_costs_little(tap: Tap, api: FakeAPI, behaviour: dict[str, Any]) -> None:
    """A collection that moves would cost many times the requests."""
    api.reset(records=3000)
    spent = {}
    for concurrency in (1, 8):
        api.reset(records=3000)
        api.behave(**behaviour)
        run = tap(settings(api, concurrency=concurrency))
        assert (run.status, api.survivors() - set(run.ids)) == (0, set())
        spent[concurrency] = len(api.requests())
    assert spent[8] <= spent[1] + 2 * 8


def test_an_error_comes_after_the_pages_before_it(tap: Tap, api: FakeAPI) -> None:
    """Pages that were there already would be lost with the one that fails."""
    api.reset(records=3000)
    api.behave(latency_ms=20, faults=[{"on": 12, "kind": "status", "status": 403}])
    run = tap(settings(api, concurrency=8))
    assert run.status == 1
    (error,) = run.errors
    refused = next(request for request in api.requests() if request["status"] == 403)
    offset = int(refused["query"].split("offset=")[1].split("&")[0])
    assert f"at offset {offset} was answered with 403 Forbidden" in error
    assert run.ids == expected_ids(api)[: offset + 1]
    assert run.state["bookmarks"]["storage_data"]["walk"]["place"]["offset"] == offset


def test_a_wish_for_a_pause_is_heeded_by_all(tap: Tap, api: FakeAPI) -> None:
    """An API would be asked on by seven workers after it told one of them to wait."""
    api.reset(records=3000)
    api.behave(latency_ms=20, faults=[{"on": 12, "kind": "status", "status": 429, "headers": {"Retry-After": "1"}}])
    run = tap(settings(api, concurrency=8))
    assert (run.status, run.ids) == (0, expected_ids(api))
    refused = next(request for request in api.requests() if request["status"] == 429)
    after = [request["at"] for request in api.requests() if request["at"] > refused["at"] + 0.1]
    assert min(after) >= refused["at"] + 1


def test_a_storm_of_429_is_weathered(tap: Tap, api: FakeAPI) -> None:
    """A rate limit would end the run, though the API says when to come back."""
    api.reset(records=3000)
    api.behave(
        latency_ms=5,
        faults=[{"on": list(range(5, 25)), "kind": "status", "status": 429, "headers": {"Retry-After": "0"}}],
    )
    run = tap(settings(api, concurrency=8, max_retries=20))
    assert (run.status, run.ids) == (0, expected_ids(api))


def test_the_rate_holds_over_all_workers(tap: Tap, api: FakeAPI) -> None:
    """A contract of so many requests a second would be broken."""
    api.reset(records=2000)
    run = tap(settings(api, concurrency=8, requests_per_second=20))
    assert (run.status, run.ids, len(api.requests())) == (0, expected_ids(api), 22)
    assert most_within(api, 0.5) <= 0.5 * 20 + 1


def test_pages_that_are_void_and_never_end_do_not_stop_the_run(tap: Tap, api: FakeAPI) -> None:
    """All workers would wait for what nobody wants, and nobody for them."""
    api.reset(records=1500)
    # The third page is short, so that those asked for behind it are void, and they trickle for ever.
    short = {"on": 3, "kind": "raw", "body": json.dumps({"data": api.records()[198:220], "total": 1500})}
    api.behave(faults=[short, {"on": [4, 5], "kind": "trickle"}])
    run = tap(settings(api, concurrency=2, timeout=1))
    assert (run.status, run.ids) == (0, expected_ids(api)), run.stderr


def test_redirects_count_for_the_rate(tap: Tap, api: FakeAPI) -> None:
    """An API that redirects would be asked twice as often as it allows."""
    api.reset(records=500)
    api.behave(
        paths=["/v2/r"],
        faults=[{"every": 2, "kind": "status", "status": 302, "headers": {"Location": "/v2/r"}}],
    )
    run = tap(settings(api, path="/v2/r", concurrency=4, requests_per_second=20))
    assert (run.status, run.ids) == (0, expected_ids(api)), run.stderr
    assert most_within(api, 0.5) <= 0.5 * 20 + 1


@pytest.mark.parametrize("buffered", [True, False])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_requests_in_flight(
    tmp_path: Path, api: FakeAPI, number: int, *, buffered: bool
) -> None:
    """A scheduler would lose patience, and kill; or a line be torn that is being written, as nobody reads."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings(api, concurrency=8)), encoding="utf-8")
    api.reset(records=3000)
    api.behave(faults=[{"from": 4, "kind": "unanswered"}])
    process = subprocess.Popen(
        [BIN / "tap-storage", "--config", config],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(PYTHONUNBUFFERED="" if buffered else "1"),
        encoding="utf-8",
    )
    while len(api.requests()) < 4:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    told = time.monotonic()
    output, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, time.monotonic() - told < 2) == (128 + number, True)
    messages = [json.loads(line) for line in output.split("\n") if line]
    assert messages[-1]["type"] == "STATE"
    emitted = [message["record"]["id"] for message in messages if message["type"] == "RECORD"]
    assert emitted == expected_ids(api)[: len(emitted)]
    assert messages[-1]["value"]["bookmarks"]["storage_data"]["walk"]["records"] == len(emitted)


def test_a_destination_that_goes_away_ends_the_run_with_requests_in_flight(tmp_path: Path, api: FakeAPI) -> None:
    """A pipeline would hang until the API has answered."""
    api.reset(records=3000)
    api.behave(faults=[{"from": 7, "kind": "unanswered"}])
    config = tmp_path / "config.json"
    config.write_text(json.dumps(settings(api, concurrency=8)), encoding="utf-8")
    reading, writing = os.pipe()
    process = subprocess.Popen(
        [BIN / "tap-storage", "--config", config], stdout=writing, stderr=subprocess.PIPE, env=environment()
    )
    os.close(writing)
    os.read(reading, 1000)
    os.close(reading)
    closed = time.monotonic()
    _, errors = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, time.monotonic() - closed < 5) == (1, True)
    assert b"The destination closed the pipe" in errors


def test_no_thread_is_left_behind(api: FakeAPI) -> None:
    """Whoever runs the tap inside another program would collect threads."""
    before = threading.active_count()
    for concurrency in (1, 8):
        messages, whole = run_here({**settings(api), "concurrency": concurrency}, {}, killed_after=10**6)
        assert (whole, len([each for each in messages if each["type"] == "RECORD"])) == (True, 250)
    run_here({**settings(api), "concurrency": 8}, {}, killed_after=120)
    assert_threads(before)
