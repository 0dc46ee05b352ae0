"""A run that is followed to its end, with its blow dealt when the moment has come."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from torture.pipeline.blows import strike

if TYPE_CHECKING:
    from torture.pipeline.database import Database
    from torture.pipeline.meltano import MeltanoRun
    from torture.pipeline.plan import Arrivals, Blow
    from torture.pipeline.watch import Watch

PATIENCE_S = 90
"""Until a run counts as hung."""
POLL_S = 0.02


class Attack:
    """A run with a blow to come, or none. struck: seconds into the run when it was dealt; None before."""

    def __init__(self, run: MeltanoRun, watch: Watch, database: Database, blow: Blow | None) -> None:
        self.struck: float | None = None
        self.seconds = 0.0
        """From the blow to the end, or from the start where there was none."""
        self._run = run
        self._watch = watch
        self._database = database
        self._blow = blow
        self._due: float | None = None

    def follow(self, arrivals: Arrivals | None) -> int | None:
        """Return the exit status; None if the run does not end. arrivals: records that come meanwhile."""
        while self._run.status is None and self._run.seconds < PATIENCE_S:
            self._watch.look()
            if arrivals:
                self._watch.let_arrive(arrivals)
            if self._blow and self.struck is None:
                self._strike_if_due(self._blow)
            elif self._blow and self._over(self._blow):
                self._database.start()
            time.sleep(POLL_S)
        status = self._run.status
        self.seconds = self._run.seconds - (self.struck or 0)
        return status

    def _strike_if_due(self, blow: Blow) -> None:
        now = self._run.seconds
        if self._due is None and self._watch.requests >= blow.requests:
            self._due = now + blow.seconds
        if self._due is not None and now >= self._due and strike(blow.kind, self._run, self._database):
            self.struck = now

    def _over(self, blow: Blow) -> bool:
        """Tell whether PostgreSQL was down for long enough."""
        return self.struck is not None and blow.down is not None and self._run.seconds > self.struck + blow.down
