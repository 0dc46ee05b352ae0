"""Questions that are asked ahead, in threads, and answered in order; knows nothing of HTTP or of pages.

The threads are daemons, so that none holds up the end of the process. One that is stuck is abandoned, and another takes
its place. At most as many questions are on their way as there are threads: those that are void by now count too.
"""

from __future__ import annotations

import queue
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Q = TypeVar("Q")
A = TypeVar("A")


class Asked(Generic[Q, A]):
    """A question that was asked.

    attempt: 1 for the first. after: how many answers had been taken by then.
    """

    def __init__(self, question: Q, attempt: int, after: int) -> None:
        self.question = question
        self.attempt = attempt
        self.after = after
        self.abandoned = False
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

    def cancel(self) -> None:
        """Let it not be asked, if it has not been yet."""
        self._answer.cancel()

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

    ask: called in threads; it calls `begin` when the question is sent. most: threads. One thread uses a LookAhead.
    """

    def __init__(self, ask: Callable[[Asked[Q, A]], A], *, most: int) -> None:
        self._ask = ask
        self._most = most
        self._threads = 0
        self._taken = 0
        self._queue: queue.SimpleQueue[Asked[Q, A] | None] = queue.SimpleQueue()
        self._ahead: dict[Q, Asked[Q, A]] = {}

    def expect(self, questions: Sequence[Q]) -> None:
        """Ask these, in their order, unless they are already; any other that was asked is void."""
        ahead = self._ahead
        self._ahead = {question: asked for question in questions if (asked := ahead.pop(question, None))}
        for void in ahead.values():
            void.cancel()
        for question in questions:
            if question not in self._ahead:
                self._ahead[question] = self.ask(question)

    def take(self, question: Q) -> Asked[Q, A]:
        """Return a question that was expected, or is asked now; it is not expected any more."""
        return self._ahead.pop(question, None) or self.ask(question)

    def ask(self, question: Q, *, attempt: int = 1) -> Asked[Q, A]:
        """Ask a question now."""
        asked: Asked[Q, A] = Asked(question, attempt, self._taken)
        self._queue.put(asked)
        if self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._work, name="look-ahead", daemon=True).start()
        return asked

    def is_early(self, asked: Asked[Q, A]) -> bool:
        """Tell whether it was asked before the latest answer was taken."""
        return asked.after < self._taken

    def count(self) -> None:
        """Take an answer in."""
        self._taken += 1

    def abandon(self, stuck: Asked[Q, A]) -> None:
        """Wait no more for an answer."""
        stuck.abandoned = True
        self._threads -= 1

    def close(self) -> None:
        """Ask nothing more, and let the threads end as they come free."""
        self.expect([])
        for _ in range(self._threads):
            self._queue.put(None)

    def _work(self) -> None:
        while asked := self._queue.get():
            asked.resolve(self._ask)
            if asked.abandoned:
                return
