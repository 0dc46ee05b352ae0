"""Signals that end a run: at once, but never in the middle of a line."""

from __future__ import annotations

import contextlib
import os
import threading
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.singerlib.encoding.simple import Message

PATIENCE_S = 1.5
"""So long a line may take to go out, where the destination has stopped to read."""

_signal: int | None = None
_writing = False


def interrupt(signum: int) -> None:
    """Raise SystemExit with the status that names the signal; the end of the line does if one is being written."""
    global _signal  # noqa: PLW0603 (there is one process, and its signals)
    _signal = signum
    reaper = threading.Timer(PATIENCE_S, os._exit, [_status(signum)])
    reaper.daemon = True
    reaper.start()
    if not _writing:
        raise SystemExit(_status(signum))


@contextlib.contextmanager
def whole_line() -> Iterator[None]:
    """Let no signal end the process before the block did."""
    global _writing  # noqa: PLW0603 (as above)
    _writing = True
    try:
        yield
    finally:
        _writing = False
    if _signal is not None:
        raise SystemExit(_status(_signal))


class WholeLineWriter(MsgSpecWriter):
    """Writes Singer messages, each to its end."""

    @override
    def write_message(self, message: Message) -> None:
        with whole_line():
            super().write_message(message)


def _status(signum: int) -> int:
    return 128 + signum
