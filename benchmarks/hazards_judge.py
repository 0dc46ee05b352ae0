"""Puts one hazard to one contender, and judges it from outside: by its output, its exit status, the API's journal."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from benchmarks.contender import Task
from benchmarks.environments import BENCH, bin_of, environment
from benchmarks.hazards_output import altered, leaked, records_of, state_of
from benchmarks.hazards_put import KILLED, LIMIT, SPOILED
from demo.control import FakeAPI

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contender import Contender
    from benchmarks.hazards_put import Hazard

DEADLINE_S = 180
TOO_MANY = 50
"""Who asks so many times as often as there are pages never ends."""
POLL_S = 0.2
LOG_KEPT = 20_000

Verdict = Literal["complete", "fails loudly", "loses silently", "duplicates", "alters", "without key", "never ends"]


@dataclasses.dataclass(frozen=True)
class Judged:
    """What came of it.

    lost, twice, altered, keyless: records. expected: ids that had to come: of a moving collection the survivors'.
    status: None where it had to be ended. waited: seconds before it asked again where the API had told how long to
    wait. leaked: whether the key is in its output. resumed: requests of the run after a kill.
    """

    contender: str
    hazard: str
    verdict: Verdict
    expected: int
    lost: int
    twice: int
    altered: int
    keyless: int
    status: int | None
    requests: int
    seconds: float
    leaked: bool
    waited: float | None = None
    resumed: int | None = None


def put(contender: Contender, hazard: Hazard, logs: Path | None = None) -> Judged:
    """Run a contender against a hazard, with an API and a directory of its own. logs: where to keep its last words."""
    BENCH.mkdir(exist_ok=True)
    faults = {"faults": [{"kind": "unanswered", "on": KILLED}]} if hazard.killed else {}
    with (
        FakeAPI(hazard.records, hazard.api_key, **{**hazard.behaviour, **faults}) as api,
        tempfile.TemporaryDirectory(prefix="hazard-", dir=BENCH) as name,
    ):
        _replace(api, hazard)
        url = _nobody() if hazard.refused else api.url
        task = Task(url, hazard.api_key, LIMIT, hazard.records, Path(name), bin_of(contender.peer))
        command, began, state, before = contender.command(task), time.monotonic(), [], 0
        if hazard.killed:
            _run(contender, task, command, api, most=hazard.records)
            state = state_of(task)
            for file in ("stdout", "stderr"):
                (task.directory / file).rename(task.directory / f"{file}.killed")
            api.behave(faults=[])
            before = len(api.requests())
        status = _run(contender, task, [*command, *state], api, most=hazard.records // LIMIT * TOO_MANY)
        seconds = time.monotonic() - began
        if logs:
            log = task.stdout.with_name("stderr").read_bytes()[-LOG_KEPT:]
            (logs / f"{contender.name}, {hazard.number} {hazard.text}.log").write_bytes(log)
        judged = _judged(contender, hazard, task, api, status, seconds)
        return dataclasses.replace(judged, resumed=judged.requests - before) if hazard.killed else judged


def _run(contender: Contender, task: Task, command: Sequence[str], api: FakeAPI, *, most: int) -> int | None:
    """Run to its end; None where it met the request that stays unanswered, asked too often, or took too long."""
    variables, began, seen = environment(contender.environment(task)), time.monotonic(), len(api.journal())
    with task.stdout.open("wb") as out, task.stdout.with_name("stderr").open("wb") as err:
        process = subprocess.Popen(
            command, cwd=task.directory, env=variables, stdout=out, stderr=err, start_new_session=True
        )
        try:
            while time.monotonic() - began < DEADLINE_S:
                with suppress(subprocess.TimeoutExpired):
                    return process.wait(POLL_S)
                requests = [entry for entry in api.journal(since=seen) if entry["kind"] == "request"]
                seen = max((entry["n"] for entry in requests), default=seen)
                if seen > most or any(entry["fault"] == "unanswered" for entry in requests):
                    return None
            return None
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _judged(  # noqa: PLR0913, PLR0917 - what one run left behind
    contender: Contender, hazard: Hazard, task: Task, api: FakeAPI, status: int | None, seconds: float
) -> Judged:
    records = list(records_of(task))
    ids = [record["id"] for record in records if record.get("id") is not None]
    expected = {each for each in api.survivors() if each is not None}
    requests = api.requests()
    again = 0 if hazard.killed else len(ids) - len(set(ids))
    lost = len(expected - set(ids))
    wrong = altered(hazard, records)
    keyless = len(records) - len(ids)
    return Judged(
        contender=contender.name,
        hazard=hazard.text,
        verdict=_verdict(status, lost=lost, twice=again, altered=wrong, keyless=keyless),
        expected=len(expected),
        lost=lost,
        twice=again,
        altered=wrong,
        keyless=keyless,
        status=status,
        requests=len(requests),
        seconds=round(seconds, 1),
        leaked=leaked(task),
        waited=_waited(requests) if hazard.retry_after else None,
    )


def _verdict(status: int | None, *, lost: int, twice: int, altered: int, keyless: int) -> Verdict:
    """Return the worst that is true."""
    if status is None:
        return "never ends"
    if status:
        return "fails loudly"
    found: dict[Verdict, int] = {
        "loses silently": lost,
        "alters": altered,
        "without key": keyless,
        "duplicates": twice,
    }
    return next((verdict for verdict, records in found.items() if records), "complete")


def _replace(api: FakeAPI, hazard: Hazard) -> None:
    """Give some records the hazard's field."""
    if not hazard.field:
        return
    name, text = hazard.field
    records = []
    for record in api.records():
        if record["id"].endswith(SPOILED):
            record.pop(name)
            own = json.dumps(record)
            records.append(f'{own[:-1]},"{name}":{text}}}' if text else own)
        else:
            records.append(json.dumps(record))
    api.replace(f"[{','.join(records)}]")
    api.reset()  # so that they count as there from the beginning


def _waited(requests: Sequence[dict[str, Any]]) -> float | None:
    """Return how long after a Retry-After the same question was asked again."""
    told = next((entry for entry in requests if entry["fault"] == "retry_after"), None)
    if told is None:
        return None
    later = (entry for entry in requests if entry["n"] > told["n"] and entry["offset"] == told["offset"])
    return next((round(entry["at"] - told["at"], 1) for entry in later), None)


def _nobody() -> str:
    """Return an address at which nothing listens."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
