"""SIGINT, SIGTERM and SIGHUP end the demo as an exception does, and never half-way through a start or a stop."""

from __future__ import annotations

import signal
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from types import FrameType

T = TypeVar("T")

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def exit_on_signals() -> None:
    """Have the first of these signals raise SystemExit with its usual status, and the others wait for ever."""
    for number in ENDING:
        # nohup ignores SIGHUP for its program; a shell ignores SIGINT for its background jobs, but kill may send it.
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    raise SystemExit(128 + number)


@contextmanager
def undisturbed(context: AbstractContextManager[T]) -> Iterator[T]:
    """Enter and leave a context with signals waiting until that is done; the block itself they do end.

    Programs that are started meanwhile have the signals wait too, so that Ctrl-C does not reach them before the demo.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    with ExitStack() as stack:
        stack.callback(signal.pthread_sigmask, signal.SIG_SETMASK, before)
        entered = stack.enter_context(context)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        try:
            yield entered
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)


def none_waits(_: object) -> bool:
    """Tell whether no signal waits; a filter for logs, since what fails after Ctrl-C is no news."""
    return not signal.sigpending()


def undisturb() -> None:
    """Let signals through: a program inherits what waits."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
