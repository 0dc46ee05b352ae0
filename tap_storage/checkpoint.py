"""When the state is written: between two pages, for it covers what was written before, and nothing else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tap_storage import progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_storage.run import Run
    from tap_storage.verdict import Verdict
    from tap_storage.walk import Resume

EVERY_RECORDS = 10_000
EVERY_S = 60


class Checkpoint:
    """Says in the state of a stream how far a run has come.

    state: of the stream. place: tells where reading is. write: writes the state out. every: records between two times.
    """

    def __init__(  # noqa: PLR0913 (what a state is made of)
        self,
        run: Run,
        verdict: Verdict,
        *,
        state: dict[str, Any],
        place: Callable[[], Resume | None],
        write: Callable[[], object],
        every: int = EVERY_RECORDS,
    ) -> None:
        self.between_pages = False
        """Whether all that was read has been written."""
        self._run = run
        self._verdict = verdict
        self._state = state
        self._place = place
        self._write = write
        self._every = every
        self._note()

    def save(self) -> None:
        """Write out where the run is, between two pages."""
        place = self._place()
        if not (place and self.between_pages):
            return
        walked = self._run.progress
        self._run.note_newest()
        walked.place, walked.total = place, self._verdict.total
        self._state[progress.KEY] = walked.content
        self._write()
        self._note()

    def save_if_due(self, *, expected: int = 0) -> None:
        """Write out where the run is, if it is time. expected: records to come before it can be done again."""
        many = self._run.progress.records - self._records + expected > self._every
        if many or time.monotonic() - self._when >= EVERY_S:
            self.save()

    def forget(self) -> None:
        """Let nobody go on from what this run has written out so far: what is missing may lie before it."""
        if self._state.pop(progress.KEY, None):
            self._write()

    def _note(self) -> None:
        self._when, self._records = time.monotonic(), self._run.progress.records
