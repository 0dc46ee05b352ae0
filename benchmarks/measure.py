"""Runs one contender once, against a fake API however it behaves, and says what it delivered and what it cost."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from benchmarks.contender import Task
from benchmarks.environments import BENCH, bin_of, environment

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from benchmarks.contender import Contender
    from demo.control import FakeAPI

STOPWATCH = Path(__file__).with_name("stopwatch.py")
PATIENCE_S = 1800
MEMORY = Path("/dev/shm")  # noqa: S108 - directories in it are made with names and rights of their own
ROOM_BYTES = 4 << 30
LOG_SHOWN = 2000


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What one run came to.

    status: the exit status. wall_s, cpu_s: of the whole command, its start and its children included. rss_mib: the peak
    of its largest process. server_cpu_s: of the fake API meanwhile. delivered: records; distinct: different ids among
    them. log: the end of its standard error.
    """

    status: int
    wall_s: float
    cpu_s: float
    rss_mib: float
    server_cpu_s: float
    delivered: int
    distinct: int
    log: str


def measure(contender: Contender, api: FakeAPI, *, limit: int, records: int, database: str = "") -> Outcome:
    """Run a contender to its end; the API forgets what it was asked before.

    records: how many there are, for contenders that divide the work. Raises subprocess.TimeoutExpired after half an
    hour.
    """
    api.reset()
    with _scratch() as directory:
        task = Task(api.url, api.api_key, limit, records, directory, bin_of(contender.peer), database)
        command = contender.command(task)
        variables = environment(contender.environment(task))
        server = psutil.Process(api.pid)
        before = server.cpu_times()
        cost = _timed(task, command, variables)
        after = server.cpu_times()
        ids = list(contender.ids(task))
        log = (directory / "stderr").read_text(encoding="utf-8", errors="replace")
    return Outcome(
        status=int(cost["status"]),
        wall_s=cost["wall_s"],
        cpu_s=cost["cpu_s"],
        rss_mib=cost["rss_kib"] / 1024,
        server_cpu_s=after.user + after.system - before.user - before.system,
        delivered=len(ids),
        distinct=len(set(ids)),
        log=log[-LOG_SHOWN:],
    )


def _timed(task: Task, command: Sequence[str], variables: dict[str, str]) -> dict[str, float]:
    result = task.directory / "cost.json"
    files = (str(result), str(task.stdout), str(task.directory / "stderr"))
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", str(STOPWATCH), *files, *command],
        cwd=task.directory,
        env=variables,
        start_new_session=True,
    )
    try:
        process.wait(PATIENCE_S)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # what a contender leaves behind would slow the next one down
        process.wait()
    cost: dict[str, float] = json.loads(result.read_bytes())
    return cost


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield an empty directory, in memory where there is room: a disk that is busy writing would be noise."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    BENCH.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="tap-storage-bench-", dir=MEMORY if roomy else BENCH) as name:
        yield Path(name)
