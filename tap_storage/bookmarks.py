"""Instants, not strings: how replication keys are read, compared and written.

An API may mix precisions and zones, so `…00Z` and `…00.500+01:00` are compared as points in time. What is written has
one fixed width, so that it compares the same way as text wherever the state goes next.
"""

from __future__ import annotations

import dataclasses
from datetime import datetime, timezone

from singer_sdk.helpers._compat import datetime_fromisoformat


def parse_instant(value: object) -> datetime | None:
    """Return the UTC instant that an ISO 8601 text names, or None where it names none.

    A text without a zone is UTC. Digits beyond microseconds are cut off.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime_fromisoformat(value.strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """Write a UTC instant with microseconds, always 27 characters: `2024-01-31T00:00:00.000000Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


@dataclasses.dataclass(frozen=True)
class Window:
    """The instants of interest, `[start, end)`; None leaves a side open."""

    start: datetime | None = None
    end: datetime | None = None

    def holds(self, moment: datetime | None) -> bool:
        """Tell whether a record with this replication key belongs in the run; without a readable key it does."""
        return moment is None or (
            (self.start is None or moment >= self.start) and (self.end is None or moment < self.end)
        )
