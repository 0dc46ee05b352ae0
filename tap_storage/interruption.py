"""Signals that end a run: at once, but never in the middle of a line.

The handler only notes them; the run heeds them where it can end.
"""

from __future__ import annotations

import os
import threading

PATIENCE_S = 1.5
"""Seconds until the process ends at the latest, be it in a line that the destination does not read."""

_signal: int | None = None


def interrupt(signum: int) -> None:
    """Note a signal, for `heed_signal` to act on; the process ends without it if that takes too long."""
    global _signal  # noqa: PLW0603 (there is one process, and its signals)
    _signal = signum
    reaper = threading.Timer(PATIENCE_S, os._exit, [_status(signum)])
    reaper.daemon = True
    reaper.start()


def heed_signal() -> None:
    """Raise SystemExit, with the status that names the signal, if there was one."""
    if _signal is not None:
        raise SystemExit(_status(_signal))


def _status(signum: int) -> int:
    return 128 + signum
