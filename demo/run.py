"""`python -m demo.run`: copies a storage API into PostgreSQL, twice, and checks the copy.

Its files are in `.demo` in the working directory, and are removed in the end. Exits 0, 1 where something failed, and
128 more than a signal's number after SIGINT, SIGTERM or SIGHUP.
"""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.audit import Audit, Table, audit
from demo.control import FakeAPI
from demo.pipeline import Pipeline, PipelineError
from demo.postgres import libpq_url
from demo.programs import call
from demo.signals import exit_on_signals, undisturbed
from demo.stage import OccupiedError, stage, step
from demo.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.audit import Row
    from demo.stage import Stage

API_KEY = "made-up-for-the-demo"
RECORDS = 2000
NEW = 250
CAP = 50
SHOWN = ("id", "name", "created_at", "size", "content_type")


@dataclasses.dataclass(frozen=True)
class Copied:
    """What one run of the pipeline did, each by another witness: the API, the tap, and PostgreSQL."""

    requests: int
    served: int
    emitted: int
    written: int
    rows: int


class CheckError(Exception):
    """The table is not what the API is."""


def main() -> int:
    """Run the demo; return its exit status."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True, errors="replace")
    exit_on_signals()
    api = FakeAPI(RECORDS, API_KEY, cap=CAP)
    try:
        with undisturbed(stage(Path(".demo").resolve(), api)) as running:
            demonstrate(running)
    except (CheckError, OccupiedError, PipelineError) as error:
        print(f"The demo failed: {error}", file=sys.stderr)
        return 1
    return 0


def demonstrate(on: Stage) -> None:
    """Read the API in two ways, and show what came of it. Raises CheckError where a record is missing or wrong."""
    print(f"    {RECORDS:,} records; pages of at most {CAP}, though the tap asks for 100")
    with step("Reading the API with a plain offset loop"):
        read, status = count_plain_loop(on)
        print(
            f"    plain offset loop (the SDK's OffsetPaginator): {read:,} of {RECORDS:,} records, exit status {status}"
        )
    on.api.reset()
    table = Table(libpq_url(on.sqlalchemy_url))
    pipeline = Pipeline(
        on.directory / "meltano",
        base_url=on.api.url,
        api_key=API_KEY,
        sqlalchemy_url=on.sqlalchemy_url,
    )
    with step("Copying the API: meltano run tap-storage target-postgres"):
        first = copy(on.api, pipeline, table)
        print(f"    {first.emitted:,} records emitted, {first.rows:,} rows in PostgreSQL")
    with step(f"Adding {NEW} records at the API, and copying again: meltano run tap-storage target-postgres"):
        on.api.insert(NEW)
        second = copy(on.api, pipeline, table)
        print(
            f"    {second.emitted:,} records emitted, {NEW} new ones and {second.emitted - NEW} around the bookmark "
            f"again, {second.rows:,} rows in PostgreSQL"
        )
    with step("Asking Meltano for the bookmark: meltano state get"):
        print(f"    {pipeline.bookmark()}")
    with step("Checking the table against the API's journal"):
        rows = table.rows()
        verdict = audit(rows, on.api.records(), on.api.ever())
    show(rows, first, second, verdict)
    if not verdict.passed or (first.emitted, second.emitted) != (first.written, second.written):
        msg = "the table in PostgreSQL is not what the API holds, see above"
        raise CheckError(msg)


def count_plain_loop(on: Stage) -> tuple[int, int]:
    """Return how many records the plain loop reads, and its exit status."""
    env = {**os.environ, "PLAIN_LOOP_BASE_URL": on.api.url, "PLAIN_LOOP_API_KEY": API_KEY, "NO_PROXY": "127.0.0.1"}
    command = [sys.executable, "-m", "demo.plain_loop"]
    status, output = call(command, env, on.directory / "plain-loop.log")
    messages = [json.loads(line) for line in output.splitlines()]
    return len({message["record"]["id"] for message in messages if message["type"] == "RECORD"}), status


def copy(api: FakeAPI, pipeline: Pipeline, table: Table) -> Copied:
    """Run the pipeline once, and return what its witnesses say."""
    requests_before = len(api.requests())
    started_ms = time.time_ns() // 1_000_000
    emitted = pipeline.run()
    requests = api.requests()[requests_before:]
    rows = table.rows()
    return Copied(
        requests=len(requests),
        served=sum(request["served"] for request in requests),
        emitted=emitted,
        written=sum(row["_sdc_sync_started_at"] >= started_ms for row in rows),
        rows=len(rows),
    )


def show(rows: Sequence[Row], first: Copied, second: Copied, verdict: Audit) -> None:
    """Print some rows, what the runs did, and the verdict."""
    some = rows[CAP - 2 : CAP + 3]
    print(f"\nRows around the first page's end. The plain loop never saw the {CAP} after obj-{CAP:07d}:\n")
    print(text_table(SHOWN, [[row[name] for name in SHOWN] for row in some]))
    print()
    print(
        text_table(
            ("", "first run", "second run", "as told by"),
            [
                ("requests", first.requests, second.requests, "the API's journal"),
                ("records served", first.served, second.served, "the API's journal"),
                ("records emitted", first.emitted, second.emitted, "the tap's METRIC lines"),
                ("rows written", first.written, second.written, "PostgreSQL's _sdc_ columns"),
                ("rows in the table", first.rows, second.rows, "PostgreSQL"),
            ],
        )
    )
    print(
        f"\nThe table against the API: missing: {verdict.missing}, twice: {verdict.twice}, "
        f"never at the API: {verdict.unknown}, values that differ: {verdict.different}\n"
    )


if __name__ == "__main__":
    sys.exit(main())
