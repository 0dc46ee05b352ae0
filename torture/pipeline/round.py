"""One round: blows while the pipeline runs, runs until nothing is left to do, and then the table against the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg

from demo.audit import Table, audit
from demo.postgres import libpq_url
from torture.pipeline.attack import Attack
from torture.pipeline.meltano import Project
from torture.pipeline.outcome import Outcome
from torture.pipeline.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from demo.audit import Row
    from demo.control import FakeAPI
    from torture.pipeline.database import Database
    from torture.pipeline.meltano import MeltanoRun
    from torture.pipeline.plan import Blow, Plan

MOST_RUNS = 20
FAR_PAGES = 8
"""A run that first asks for an offset farther from the start went on from a place in its state: no more are ahead."""
LEAVES_A_CLAIM = "Meltano: SIGKILL"
"""Meltano 4.4.1 takes a run that was killed for running, and refuses another for five minutes but with `--force`."""


class Round:
    """A plan on its stage. directory: a new one, for Meltano's files and logs."""

    def __init__(self, plan: Plan, *, api: FakeAPI, database: Database, directory: Path) -> None:
        self._plan = plan
        self._api = api
        self._database = database
        self._outcome = Outcome(plan.number)
        self._project = Project(
            directory, settings=plan.settings, base_url=api.url, api_key=api.api_key, sqlalchemy_url=database.url
        )
        self._busy = plan.busy
        self._journalled = 0
        self._force = False
        self._late: set[Any] = set()
        """What has arrived since the last run that ended well: the next one finds it, where the walk has passed it."""

    def play(self) -> Outcome:
        """Play the round to its end, and tell what came of it."""
        self._begin()
        pending = list(self._plan.blows)
        while len(self._outcome.runs) < MOST_RUNS:
            blow = pending.pop(0) if pending and self._database.up else None
            if self._run(blow) != 0:
                continue
            whole = not self._late
            self._check(whole=whole)
            self._late.clear()
            if blow is None and not pending:
                self._outcome.until_complete = self._outcome.until_complete or [len(self._outcome.runs)]
                if whole:
                    return self._outcome
        self._outcome.problems.append(f"not complete after {MOST_RUNS} runs")
        return self._outcome

    def _begin(self) -> None:
        self._api.reset(records=self._plan.records)
        self._api.behave(**self._plan.behaviour)
        self._database.start()
        with psycopg.connect(libpq_url(self._database.url), autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS storage CASCADE")

    def _run(self, blow: Blow | None) -> int | None:
        """Run once; return the exit status."""
        up = self._database.up
        arrivals = self._plan.arrivals if blow or (up and self._busy) else None
        self._busy = self._busy and (blow is not None or not up)
        run = self._project.start(force=self._force)
        watch = Watch(self._api, since=self._journalled)
        attack = Attack(run, watch, self._database, blow)
        try:
            status = attack.follow(arrivals)
        finally:
            left = run.left_behind()
        struck = attack.struck is not None
        if not (blow and struck and blow.down is None):
            self._database.start()
        self._force |= bool(blow and struck and blow.kind == LEAVES_A_CLAIM)
        watch.look()
        self._note(watch, status)
        self._outcome.dealt(blow, status, attack.seconds, hit=struck)
        self._judge(run, status, left, up=up)
        return status

    def _note(self, watch: Watch, status: int | None) -> None:
        outcome = self._outcome
        self._journalled = watch.last
        self._late |= set(watch.arrived)
        outcome.faults += watch.faults
        outcome.requests += watch.requests
        outcome.arrived += len(watch.arrived)
        step = self._plan.step
        outcome.resumed += (watch.first_offset or 0) > FAR_PAGES * step and 0 not in outcome.runs
        outcome.runs.append(status)

    def _judge(self, run: MeltanoRun, status: int | None, left: list[str], *, up: bool) -> None:
        """Note what no run may do, whatever happens to it."""
        problems = self._outcome.problems
        number = len(self._outcome.runs)
        if status is None:
            problems.append(f"run {number} never ended")
        if status == 0 and not up:
            problems.append(f"run {number} ended well without a database")
        if "tap-storage" in left:
            problems.append(f"run {number}: the tap outlived Meltano")
        if self._api.api_key in run.text:
            problems.append(f"run {number}: the API key is in the log")
        if run.tap_said("Traceback"):
            problems.append(f"run {number}: the tap printed a traceback")

    def _check(self, *, whole: bool) -> None:
        """Hold the table against the API. whole: nothing may be missing; else what has arrived lately may."""
        late = set() if whole else self._late
        records = [record for record in self._api.records() if record["id"] not in late]
        ever = self._api.ever() - late
        rows = [row for row in self._rows() if row["id"] not in late]
        found = audit(rows, records, ever)
        self._outcome.checked(len(records), found)

    def _rows(self) -> list[Row]:
        """Return the rows of the table that were not dropped by a full refresh."""
        rows = Table(libpq_url(self._database.url)).rows()
        return [row for row in rows if row["_sdc_deleted_at"] is None]
