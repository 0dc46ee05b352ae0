"""What keeps all workers together from asking too much of an API: the pauses that it wants, and a rate."""

from __future__ import annotations

import math
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyrate_limiter import Limiter

    from tap_storage.failures import TransientError

CALM = 100
"""Answers in a row without a wish for a pause, after which one page more may be in flight."""
SLOW = 100
"""Requests per second, above which they are counted by the tenth of a second, and not spaced evenly."""
MOMENT_S = 0.25


class ClosedError(Exception):
    """Nothing is to be asked any more."""


class Throttle:
    """Says when a request may be sent, and how many pages may be in flight.

    most: pages in flight at first. rate: requests per second, None for no limit. longest: seconds of silence that are
    waited for.
    """

    def __init__(self, *, most: int, rate: float | None, longest: float) -> None:
        self.allowed = most
        """Pages that may be in flight now."""
        self._most = most
        self._longest = longest
        self._limiter = _limiter(rate) if rate else None
        self._lock = threading.Lock()
        self._silent_until = 0.0
        self._wish: TransientError | None = None
        self._calm = 0

    def wait(self, closed: threading.Event) -> None:
        """Return when a request may be sent.

        Raises ClosedError when `closed` is set, and the wish for a silence that is longer than the longest.
        """
        while not closed.is_set():
            if (left := self._silent_until - time.monotonic()) > 0:
                if left > self._longest and self._wish:
                    raise self._wish
                closed.wait(left)
            elif self._is_due() and self._silent_until <= time.monotonic():
                return
        raise ClosedError

    def pause(self, seconds: float, wish: TransientError) -> None:
        """Let no request be sent for so long. From the second such wish on, half as many pages are in flight."""
        with self._lock:
            now = time.monotonic()
            again = self._wish is not None and now >= self._silent_until  # else it is the same storm
            self._silent_until = max(self._silent_until, now + seconds)
            self._wish = wish
            self._calm = 0
            if again:
                self.allowed = max(1, self.allowed // 2)

    def _is_due(self) -> bool:
        return self._limiter is None or bool(self._limiter.try_acquire("", timeout=MOMENT_S))

    def relax(self) -> None:
        """Take in an answer that was no wish for a pause."""
        self._calm += 1
        if self._calm >= CALM and self.allowed < self._most:
            self._calm = 0
            self.allowed += 1


def _limiter(rate: float) -> Limiter:
    from pyrate_limiter import Limiter, Rate  # noqa: PLC0415 (a tenth of a second that only this setting is worth)

    spaced = Rate(1, math.ceil(1000 / rate)) if rate <= SLOW else Rate(int(rate // 10), 100)
    return Limiter(spaced, buffer_ms=0)
