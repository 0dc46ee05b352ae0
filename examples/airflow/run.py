"""`make example-airflow`: lets Airflow copy a storage API into PostgreSQL in slices, kills one, and checks the copy.

Airflow is real: its scheduler, its API server and its processes of tasks, in an environment of their own. The API and
PostgreSQL are the demo's. Its files are in `.airflow/run` in the working directory, and are removed in the end, unless
something failed. Exits 0, or 1 where something failed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import ExitStack
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.audit import Table, audit
from demo.control import FakeAPI
from demo.postgres import libpq_url
from demo.signals import exit_on_signals
from demo.stage import OccupiedError, stage, step
from demo.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeVar

    from demo.stage import Stage

    T = TypeVar("T")

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(".airflow").resolve()
AIRFLOW = HERE / "venv" / "bin" / "airflow"
API_KEY = "made-up-for-the-example"
RECORDS = 60_000
LATENCY_MS = 40
SLICES = 6
SLOTS = 3
NEW = 500
PATIENCE_S = 600
OWN = ("AIRFLOW", "MELTANO_", "TAP_STORAGE_", "TARGET_POSTGRES_", "VIRTUAL_ENV", "PYTHON")
FEW = 20
"""Requests for a daily run, at most."""


class CheckError(Exception):
    """Something is not as it should be."""


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One process of a task, by Airflow's own database. began, ended: seconds since 1970."""

    number: int
    attempt: int
    state: str
    pid: int
    began: float
    ended: float


class Airflow:
    """Airflow with an own home, reached by its command, and watched through its database."""

    def __init__(self, home: Path, env: dict[str, str]) -> None:
        self._home = home
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        self._env = env | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": address,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": API_KEY * 3,
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "examples" / "airflow" / "dags"),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "5",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
            "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        }

    def __call__(self, *arguments: str) -> None:
        """Run the command to its end. Raises CheckError where it fails."""
        with (self._home / "commands.log").open("ab") as log:
            done = subprocess.run(
                [AIRFLOW, *arguments], env=self._env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False
            )
        if done.returncode:
            msg = f"airflow {' '.join(arguments)} failed, see {self._home / 'commands.log'}"
            raise CheckError(msg)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run what Airflow consists of."""
        with ExitStack() as stack:
            for part in ("api-server", "scheduler", "dag-processor"):
                log = stack.enter_context((self._home / f"{part}.log").open("wb"))
                process = subprocess.Popen(
                    [AIRFLOW, part],
                    env=self._env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
                stack.callback(_end, process)
            yield

    def run_state(self, dag: str) -> str:
        """Return the state of a DAG's only run, "" without one."""
        rows = self._ask("SELECT state FROM dag_run WHERE dag_id = ? AND run_type = 'manual'", dag)
        return str(rows[0][0]) if rows else ""

    def knows(self, dag: str) -> bool:
        """Tell whether a DAG was read."""
        return bool(self._ask("SELECT 1 FROM dag WHERE dag_id = ?", dag))

    def attempts(self, dag: str, task: str) -> list[Attempt]:
        """Return all processes of a task, in the order in which they began."""
        columns = "map_index, try_number, state, pid, start_date, end_date"
        rows = [
            row
            for table in ("task_instance", "task_instance_history")
            for row in self._ask(f"SELECT {columns} FROM {table} WHERE dag_id = ? AND task_id = ?", dag, task)  # noqa: S608
        ]
        found = {
            (number, attempt): Attempt(number, attempt, str(state), int(pid or 0), _seconds(begin), _seconds(end))
            for number, attempt, state, pid, begin, end in rows
            if begin
        }
        return sorted(found.values(), key=lambda each: each.began)

    def _ask(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(
            sqlite3.connect(f"file:{self._home / 'airflow.db'}?mode=ro", uri=True, timeout=30)
        ) as db:
            return db.execute(query, values).fetchall()


def main() -> int:
    """Run the example; return its exit status."""
    exit_on_signals()
    if not AIRFLOW.exists():
        print("Airflow is not installed: run make example-airflow", file=sys.stderr)
        return 1
    began = time.monotonic()
    api = FakeAPI(RECORDS, API_KEY, latency_ms=LATENCY_MS, sort="created_at")
    try:
        with stage(HERE / "run", api) as running:
            try:
                demonstrate(running)
            except CheckError:
                _keep(running.directory)
                raise
    except (CheckError, OccupiedError) as error:
        print(f"The example failed: {error}", file=sys.stderr)
        return 1
    print(f"The example passed, in {time.monotonic() - began:.0f} s")
    return 0


def demonstrate(on: Stage) -> None:
    """Backfill in slices, and run once more. Raises CheckError where the copy is not what the API holds."""
    home = on.directory / "airflow"
    home.mkdir()
    airflow = Airflow(home, _environment(on))
    table = Table(libpq_url(on.sqlalchemy_url))
    with step("Preparing Airflow: a database, and a pool without slots yet"):
        airflow("db", "migrate")
        airflow("pools", "set", "storage_api", "0", "Tasks that ask the storage API at a time")
    with airflow.running():
        with step(f"Triggering storage_backfill: {RECORDS:,} records in {SLICES} slices"):
            _wait(lambda: airflow.knows("storage_daily"))
            for dag in ("storage_backfill", "storage_daily"):
                airflow("dags", "unpause", dag)
            airflow("dags", "trigger", "storage_backfill", "--conf", json.dumps({"slices": SLICES}))
            _wait(lambda: any(each.state == "success" for each in airflow.attempts("storage_backfill", "plan")))
            planned = len(on.api.requests())
            print(f"    the plan took {planned} requests")
        with step(f"Adding {NEW} records to the API now that the plan is made, half of them with dates of the past"):
            on.api.insert(NEW // 2, created_at="2020-01-03T00:00:00Z", at="random")
            on.api.insert(NEW // 2)
            airflow("pools", "set", "storage_api", str(SLOTS), "Tasks that ask the storage API at a time")
        with step(f"Copying, {SLOTS} slices at a time, one of which is killed"):
            killed = _wait(lambda: _kill_one(on, planned))
            print(f"    killed meltano, process {killed[0]}, in the slice {killed[1]}")
            _wait(lambda: airflow.run_state("storage_backfill") in ("success", "failed"))
        attempts = airflow.attempts("storage_backfill", "copy")
        _show(attempts)
        _check_backfill(airflow, attempts)
        _check_copy(on, table)
        with step(f"Adding {NEW} records, and triggering storage_daily"):
            on.api.insert(NEW)
            asked = len(on.api.requests())
            airflow("dags", "trigger", "storage_daily")
            _wait(lambda: airflow.run_state("storage_daily") in ("success", "failed"))
            requests = on.api.requests()[asked:]
            served = sum(request["served"] for request in requests)
            print(f"    {len(requests)} requests, {served} records served, {NEW} of them new")
        if airflow.run_state("storage_daily") != "success" or len(requests) > FEW:
            msg = "the daily run failed, or read more than what is new"
            raise CheckError(msg)
        _check_copy(on, table)


def _environment(on: Stage) -> dict[str, str]:
    """Return what Airflow and its tasks get: settings of the plugins, and where the states are."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
    path = os.pathsep.join([str(Path(sys.executable).parent), str(AIRFLOW.parent), own.get("PATH", "")])
    return own | {
        "PATH": path,
        "NO_PROXY": "127.0.0.1",
        "TMPDIR": str(_made(on.directory / "tmp")),
        "MELTANO_ENVIRONMENT": "demo",
        "MELTANO_PROJECT_ROOT": str(ROOT),
        "MELTANO_STATE_BACKEND_URI": f"file://{on.directory / 'state'}",
        "TAP_STORAGE_API_KEY": API_KEY,
        "TAP_STORAGE_BASE_URL": on.api.url,
        "TAP_STORAGE_SORT_ORDER": "ascending",
        "TARGET_POSTGRES_SQLALCHEMY_URL": on.sqlalchemy_url,
    }


def _kill_one(on: Stage, planned: int) -> tuple[int, str] | None:
    """Kill the run of a slice that has a state, and is not the last; return its process and name, None for none yet."""
    if len(on.api.requests()) < planned + SLOTS * 40:
        return None
    for directory in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid = int(directory.name)
            if (
                b"--state-id-suffix=" not in (command := (directory / "cmdline").read_bytes())
                or b"meltano" not in command
            ):
                continue
            arguments = [part.decode() for part in command.split(b"\0")]
            names = [part.partition("=")[2] for part in arguments if part.startswith("--state-id-suffix=")]
            variables = (directory / "environ").read_bytes().split(b"\0")
            if (
                names
                and names[0]
                and f"MELTANO_STATE_BACKEND_URI=file://{on.directory / 'state'}".encode() in variables
            ):
                os.kill(pid, signal.SIGKILL)
                return pid, names[0]
    return None


def _check_backfill(airflow: Airflow, attempts: list[Attempt]) -> None:
    last = {each.number: each.state for each in attempts}
    again = [each for each in attempts if each.attempt > 1]
    if airflow.run_state("storage_backfill") != "success" or set(last.values()) != {"success"} or len(last) != SLICES:
        msg = "the backfill failed"
    elif not again:
        msg = "no slice was tried again, though one was killed"
    elif _most_at_once(attempts) < SLOTS:
        msg = f"no {SLOTS} tasks ran at once"
    else:
        return
    raise CheckError(msg)


def _check_copy(on: Stage, table: Table) -> None:
    with step("Checking the table against the API"):
        rows, ever = table.rows(), on.api.ever()
        verdict = audit(rows, on.api.records(), ever)
        told = ", ".join(f"{count} {what}" for what, count in dataclasses.asdict(verdict).items())
        print(f"    {len(rows):,} rows for {len(ever):,} records: {told}")
    if not verdict.passed:
        msg = "the table in PostgreSQL is not what the API holds"
        raise CheckError(msg)


def _most_at_once(attempts: list[Attempt]) -> int:
    return max(sum(each.began <= moment.began < each.ended for each in attempts) for moment in attempts)


def _show(attempts: list[Attempt]) -> None:
    """Print when each process ran, to scale."""
    begin, end = min(each.began for each in attempts), max(each.ended for each in attempts)
    width = 40 / (end - begin)
    rows = [
        (
            each.number + 1,
            each.attempt,
            each.pid,
            each.state,
            f"{each.began - begin:.1f}",
            f"{each.ended - begin:.1f}",
            " " * round((each.began - begin) * width) + "█" * max(1, round((each.ended - each.began) * width)),
        )
        for each in attempts
    ]
    print(text_table(("slice", "attempt", "process", "state", "began", "ended (s)", "when"), rows))
    print(f"    at most {_most_at_once(attempts)} at once")


def _wait(found: Callable[[], T | None]) -> T:
    """Return what is found once it is something. Raises CheckError after ten minutes."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        with contextlib.suppress(sqlite3.OperationalError):  # it is busy, or not made yet
            if result := found():
                return result
        time.sleep(0.25)
    msg = f"nothing happened for {PATIENCE_S} s"
    raise CheckError(msg)


def _end(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _keep(directory: Path) -> None:
    """Keep the logs of a run that failed."""
    kept = directory.with_name("failed")
    shutil.rmtree(kept, ignore_errors=True)
    shutil.copytree(directory / "airflow", kept)
    print(f"Airflow's logs are in {kept}", file=sys.stderr)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


def _seconds(text: object) -> float:
    """Read a moment of Airflow's database; now, for what has not come yet."""
    return (
        datetime.fromisoformat(str(text)).replace(tzinfo=timezone.utc) if text else datetime.now(timezone.utc)
    ).timestamp()


if __name__ == "__main__":
    sys.exit(main())
