"""Points in time as seconds since 1970, read from what clients and records write."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from math import floor
from typing import NamedTuple

MILLISECONDS_FROM = 1e11
"""A larger number cannot mean seconds (it would be after the year 5000)."""

FRACTION = re.compile(r"\.(\d{1,6})\d*")


def instant(text: str) -> float:
    """Return the seconds since 1970 of ISO 8601 (no zone: UTC), or of an epoch number.

    Raises ValueError for anything else.
    """
    if re.fullmatch(r"-?\d+(\.\d+)?", text):
        number = float(text)
        return number / 1000 if number > MILLISECONDS_FROM else number
    # Python 3.10 reads neither "Z" nor fractions of other than 3 or 6 digits.
    text = FRACTION.sub(lambda found: "." + found[1].ljust(6, "0"), text, count=1)
    moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
    return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).timestamp()


class Window(NamedTuple):
    """The instants in [start, end), or (start, end), to a resolution in seconds."""

    start: float | None
    end: float | None
    exclusive: bool
    resolution_s: float

    def admits(self, moment: float | None) -> bool:
        """Tell whether the moment lies within; one that is not known never does."""
        return moment is not None and self.begun(moment) and not self.over(moment)

    def begun(self, moment: float) -> bool:
        """Tell whether the moment is not before the window."""
        if self.start is None:
            return True
        moment, start = self._rounded(moment), self._rounded(self.start)
        return moment > start if self.exclusive else moment >= start

    def over(self, moment: float) -> bool:
        """Tell whether the moment is behind the window."""
        return self.end is not None and self._rounded(moment) >= self._rounded(self.end)

    def _rounded(self, moment: float) -> float:
        if not self.resolution_s:
            return moment
        return floor(moment / self.resolution_s) * self.resolution_s
