"""Questions that are asked ahead, in threads, and answered in order; knows nothing of HTTP or of pages.

The threads are daemons, so that none holds up the end of the process. One that is stuck is abandoned, and another takes
its place. At most as many questions are on their way as there are threads: those that are void by now count too.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")


MOMENT_S = 0.25


class VoidError(Exception):
    """Nobody wants the answer."""


class Room:
    """How many bytes the answers may take up that nobody has taken yet."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._changed = threading.Condition()

    def take(self, size: int, asked: Asked[Any, Any]) -> None:
        """Make room for so many more bytes of an answer; unless it is wanted now, wait until there is.

        Raises VoidError where there is none, and nobody wants the answer any more.
        """
        with self._changed:
            while self._used and self._used + size > self._most and not asked.wanted:
                if asked.void:
                    raise VoidError
                self._changed.wait(MOMENT_S)
                asked.begin()  # it was not the server that took the time
            asked.size += size
            self._used += size

    def free(self, asked: Asked[Any, Any]) -> None:
        """Let the room of an answer be used for others."""
        with self._changed:
            self._used -= asked.size
            asked.size = 0
            self._changed.notify_all()


class Asked(Generic[Q, A]):
    """A question that was asked.

    attempt: 1 for the first. after: how many answers had been taken by then.
    """

    def __init__(self, question: Q, attempt: int, after: int) -> None:
        self.question = question
        self.attempt = attempt
        self.after = after
        self.abandoned = False
        self.wanted = False
        """Whether its answer is waited for."""
        self.void = False
        """Whether nobody wants its answer any more."""
        self.size = 0
        """Bytes of its answer."""
        self._answer: Future[A] = Future()
        self._started = 0.0

    def answer(self, timeout: float) -> A:
        """Return the answer, or raise what asking raised; concurrent.futures.TimeoutError if neither comes in time."""
        return self._answer.result(timeout)

    @property
    def done(self) -> bool:
        """Whether there is an answer, or an error."""
        return self._answer.done()

    def begin(self) -> None:
        """Note that it is sent now."""
        self._started = time.monotonic()

    @property
    def age(self) -> float:
        """Seconds since it was sent, 0 before."""
        return time.monotonic() - self._started if self._started else 0.0

    def cancel(self) -> bool:
        """Let it not be asked; return False if it has been already."""
        return self._answer.cancel()

    def resolve(self, ask: Callable[[Asked[Q, A]], A]) -> None:
        """Ask, unless it was cancelled."""
        if not self._answer.set_running_or_notify_cancel():
            return
        try:
            self._answer.set_result(ask(self))
        except BaseException as error:  # noqa: BLE001 (raised again where the answer is wanted)
            self._answer.set_exception(error)


class LookAhead(Generic[Q, A]):
    """Asks what is expected to be wanted, and hands out the answers as they are wanted.

    ask: called in threads; it calls `begin` when the question is sent, and makes room for what comes. most: threads.
    room: of all answers. One thread uses a LookAhead.
    """

    def __init__(self, ask: Callable[[Asked[Q, A]], A], *, most: int, room: Room) -> None:
        self._ask = ask
        self._most = most
        self._room = room
        self._void: list[Asked[Q, A]] = []
        self._threads = 0
        self._taken = 0
        self._queue: queue.SimpleQueue[Asked[Q, A] | None] = queue.SimpleQueue()
        self._ahead: dict[Q, Asked[Q, A]] = {}

    def expect(self, questions: Sequence[Q], *, most: int) -> None:
        """Ask these, in their order, until so many are asked; any other that was asked is void."""
        ahead = self._ahead
        self._ahead = {question: asked for question in questions if (asked := ahead.pop(question, None))}
        for void in ahead.values():
            void.void = True
            if not void.cancel():
                self._void.append(void)
        self._void = [void for void in self._void if not self._is_over(void)]
        for question in questions:
            if question not in self._ahead and len(self._ahead) < most:
                self._ahead[question] = self.ask(question)

    def take(self, question: Q) -> Asked[Q, A]:
        """Return a question that was expected, or is asked now; it is not expected any more."""
        asked = self._ahead.pop(question, None) or self.ask(question)
        asked.wanted = True
        return asked

    def ask(self, question: Q, *, attempt: int = 1) -> Asked[Q, A]:
        """Ask a question now."""
        asked: Asked[Q, A] = Asked(question, attempt, self._taken)
        asked.wanted = attempt > 1
        self._queue.put(asked)
        self._start()
        return asked

    def is_early(self, asked: Asked[Q, A]) -> bool:
        """Tell whether it was asked before the latest answer was taken."""
        return asked.after < self._taken

    def count(self) -> None:
        """Take an answer in."""
        self._taken += 1

    def free(self, asked: Asked[Q, A]) -> None:
        """Let go of an answer's room."""
        self._room.free(asked)

    def abandon(self, stuck: Asked[Q, A]) -> None:
        """Wait no more for an answer; another thread takes the place of the one that does."""
        stuck.abandoned = stuck.void = True
        self._room.free(stuck)
        self._threads -= 1
        self._start()

    def relieve(self, *, older: float) -> None:
        """Abandon what nobody wants and has been on its way for so many seconds: what is wanted may be behind it."""
        for void in self._void:
            if not self._is_over(void) and void.age > older:
                self.abandon(void)
        self._void = [void for void in self._void if not void.abandoned]

    def close(self) -> None:
        """Ask nothing more, and let the threads end as they come free."""
        self.expect([], most=0)
        for _ in range(self._threads):
            self._queue.put(None)

    def _is_over(self, void: Asked[Q, A]) -> bool:
        if void.done:
            self._room.free(void)
        return void.done

    def _start(self) -> None:
        if self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name="look-ahead", daemon=True).start()

    def _work(self) -> None:
        while asked := self._queue.get():
            asked.resolve(self._ask)
            if asked.abandoned:
                self._room.free(asked)
                return
            del asked  # or its answer would be kept until there is another question
