"""How far a stream has come, for whoever waits: a bar on a terminal, else a log line now and then.

Both go to stderr. Nothing is drawn between the lines of the log: while there is a bar, they are written above it.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from typing_extensions import Self

from tap_storage.redaction import handlers

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TextIO

    from tqdm import tqdm

    from tap_storage.settings import Resource
    from tap_storage.verdict import Verdict

VERSION = 1
"""Of the fields; they keep their names and meaning for as long as it stays."""
SHORT_S = 30
"""A run that takes no longer is over before anyone asks; then there is a line …"""
EVERY_S = 29
"""… so often: told of by pages and waits that may be a moment late, no line is 30 seconds behind another."""
REDRAW_S = 0.1
USUAL_SIZE = os.terminal_size((79, 24))
"""Of a terminal that does not say its own."""
MOST_LEFT = 10**12
"""Records; an API that promises more does not count them."""


class Display:
    """Shows how far a run has come, while the `with` block lasts.

    verdict: what the run came to so far. resource: where reading begins and ends. log: takes messages. bar: whether
    there may be one, if there is a terminal. clock: seconds, from any moment on.
    """

    def __init__(
        self,
        verdict: Verdict,
        resource: Resource,
        *,
        log: Callable[..., None],
        bar: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._verdict = verdict
        self._first = resource.initial_offset if resource.initial_offset <= 1 else 0  # what lies beyond is skipped
        self._stop = resource.maximum_offset
        self._log = log
        self._clock = clock
        self._began = clock()
        self._offset: int | None = None
        self._due = self._began + SHORT_S
        self._wanted = bar
        self._bar: Bar | None = None

    def __enter__(self) -> Self:
        if self._wanted and _on_terminal():
            with contextlib.suppress(OSError):
                self._bar = Bar(self._verdict.stream)
                self._due = self._began
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar:
            self._draw(self._bar)
            self._bar.close()
        self._due = float("inf")

    def advance(self, offset: int) -> None:
        """Take in that a page was read, to right before this offset."""
        self._offset = offset
        self.tick()

    def tick(self) -> None:
        """Show how far the run has come, if it is time; costs next to nothing otherwise."""
        now = self._clock()
        if now < self._due:
            return
        if self._bar:
            self._due = now + REDRAW_S
            self._draw(self._bar)
        else:
            self._due = now + EVERY_S
            self._say(now - self._began)

    @property
    def left(self) -> int | None:
        """Records left to be read by what the API stated last; None where it did not, or cannot be believed."""
        if self._offset is None or self._verdict.total is None:
            return None
        end = self._first + self._verdict.total
        left = min(end, self._stop or end) - self._offset
        return left if 0 <= left <= MOST_LEFT else None

    def _draw(self, bar: Bar) -> None:
        bar.draw(self._verdict.read, self.left, emitted=self._verdict.records)

    def _say(self, seconds: float) -> None:
        read, left = self._verdict.read, self.left
        fields = {
            "version": VERSION,
            "stream": self._verdict.stream,
            "records_read": read,
            "total_promised": self._verdict.total,
            "records_per_second": round(read / seconds, 1),
            "seconds_left": None if left is None or not read else round(left * seconds / read),
            "seconds": round(seconds, 1),
        }
        self._log("PROGRESS: %s", json.dumps(fields), extra={"progress": fields})


class Bar:
    """A bar at the bottom of the terminal, below the log. A terminal that went away is no reason to fail."""

    _lock = threading.RLock()
    """Held by whoever writes to the terminal, be it a bar or the log."""

    def __init__(self, name: str) -> None:
        from tqdm import tqdm  # noqa: PLC0415 (takes 20 ms, for a terminal only)

        tqdm.monitor_interval = 0  # a thread that would redraw what `draw` does
        tqdm.set_lock(self._lock)  # its own is for several processes, and needs shared memory
        self._stderr = sys.stderr
        size = os.get_terminal_size(self._stderr.fileno())
        self._bar: tqdm[Any] = tqdm(
            desc=name,
            unit=" records",
            file=self._stderr,
            dynamic_ncols=all(size),
            ncols=size.columns or USUAL_SIZE.columns,
            nrows=size.lines or USUAL_SIZE.lines,
            smoothing=0,
        )
        self._logs: list[logging.StreamHandler[Any]] = [
            handler
            for handler in handlers()
            if isinstance(handler, logging.StreamHandler)
            and handler.stream is self._stderr
            and handler is not logging.lastResort  # whose stream cannot be set
        ]
        self._direct_logs(_AboveBar(self._bar, self._stderr))

    def draw(self, read: int, left: int | None, *, emitted: int) -> None:
        """Show so many records; left: None where it is not known."""
        self._bar.n = read
        self._bar.total = None if left is None else read + left
        self._bar.set_postfix_str(f"{emitted} emitted" if emitted < read else "", refresh=False)
        with contextlib.suppress(OSError):
            self._bar.refresh()

    def close(self) -> None:
        """Leave the bar as it is, and the log to itself below it."""
        with contextlib.suppress(OSError):
            with self._lock:  # a line from another thread would come before the bar has ended its own
                self._bar.close()
            self._direct_logs(self._stderr)

    def _direct_logs(self, file: Any) -> None:
        for handler in self._logs:
            handler.setStream(file)


class _AboveBar:
    """A file that writes its lines above the bar."""

    def __init__(self, bar: tqdm[Any], file: TextIO) -> None:
        self._bar = bar
        self._file = file

    def write(self, text: str) -> None:
        with self._bar.external_write_mode(file=self._file):
            self._file.write(text)

    def flush(self) -> None:
        self._file.flush()


def _on_terminal() -> bool:
    """Tell whether a bar can be seen, and is not in the way: records on the same terminal would be torn by it."""
    return sys.stderr.isatty() and not sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
