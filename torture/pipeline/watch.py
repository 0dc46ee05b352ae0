"""What the API sees of a run, by its own journal."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from torture.pipeline.plan import Arrivals

AHEAD = timedelta(seconds=2)
"""Stamped so far ahead, a record is never older than its arrival: one that comes late is lost without a lookback."""


class Watch:
    """Follows the requests of one run, and lets records arrive meanwhile.

    since: the journal's last entry before the run.
    """

    def __init__(self, api: FakeAPI, *, since: int = 0) -> None:
        self.last = since
        self.requests = 0
        self.faults: Counter[str] = Counter()
        self.arrived: list[Any] = []
        self.first_offset: int | None = None
        """The first offset beyond the start that was asked for."""
        self._api = api

    def look(self) -> None:
        """Read what is new in the journal."""
        for entry in self._api.journal(since=self.last):
            self.last = entry["n"]
            if entry["kind"] == "request" and entry["request"]:
                self.requests += 1
                self.first_offset = self.first_offset or entry["offset"] or None
                if entry["fault"]:
                    self.faults[f"{entry['fault']} {entry['status'] or ''}".rstrip()] += 1

    def let_arrive(self, arrivals: Arrivals) -> None:
        """Add the records that are due by now."""
        if self.requests // arrivals.every * arrivals.count > len(self.arrived):
            moment = (datetime.now(timezone.utc) + AHEAD).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self.arrived += self._api.insert(arrivals.count, arrivals.at, created_at=moment)
