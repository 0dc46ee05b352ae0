"""Standard output, to which every line goes whole."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from singer_sdk.contrib.msgspec import MsgSpecWriter
from typing_extensions import override

if TYPE_CHECKING:
    from singer_sdk.singerlib.encoding.simple import Message


def write_whole(lines: bytes) -> None:
    """Write lines to their end.

    Without a buffer (PYTHONUNBUFFERED) a write that a signal interrupts takes a part of them only, and says how much.
    """
    left = memoryview(lines)
    while left:
        left = left[sys.stdout.buffer.write(left) :]


class WholeLineWriter(MsgSpecWriter):
    """Writes Singer messages, each to its end."""

    @override
    def write_message(self, message: Message) -> None:
        write_whole(bytes(self.format_message(message)))
        sys.stdout.flush()
