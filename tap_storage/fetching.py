"""Pages, one after the other, from answers that come in threads: what fails is asked again, what is stuck given up.

Everything here happens in the thread that reads, and nothing for longer than a moment: signals are heard, and the state
is saved, while it waits.
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from singer_sdk.exceptions import FatalAPIError

from tap_storage.failures import TransientError
from tap_storage.lookahead import Asked, LookAhead, Room

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from singer_sdk.streams.rest import HTTPRequest

    from tap_storage.client import Client, Response
    from tap_storage.verdict import Traffic

T = TypeVar("T")

MOMENT_S = 0.25
"""How long at most nothing is done while waiting."""
MOST_BYTES = 64 << 20
"""Of the pages in memory, but at least one may be."""


class Question(NamedTuple):
    """A page to be asked for. limit: how many records, None for as many as always."""

    offset: int
    limit: int | None = None


class Fetcher(Generic[T]):
    """Fetches pages, those that are expected ahead of time.

    client: asks for them. request: makes the request for one. read: makes of an answer what is wanted; it may raise
    UnreadablePageError. concurrency: pages in flight. waiting: is called while there is nothing to do. log: is told of
    retries. traffic: is counted up.
    """

    def __init__(  # noqa: PLR0913 (its parts)
        self,
        client: Client,
        *,
        request: Callable[[Question], HTTPRequest],
        read: Callable[[Response], T],
        concurrency: int,
        waiting: Callable[[], object],
        log: Callable[[str], object],
        traffic: Traffic,
    ) -> None:
        self._client = client
        self._request = request
        self._read = read
        self._waiting = waiting
        self._log = log
        self._traffic = traffic
        self._room = Room(MOST_BYTES)
        self._ahead: LookAhead[Question, Response] = LookAhead(self._ask, most=concurrency, room=self._room)
        self._largest = 1

    def expect(self, questions: Sequence[Question], *, most: int) -> None:
        """Ask for these pages, up to so many, or as many as may be in flight; forget others that were asked for."""
        allowed = max(1, min(self._client.throttle.allowed, MOST_BYTES // self._largest))
        self._ahead.expect(questions, most=min(most, allowed))

    def fetch(self, question: Question, *, what: str) -> tuple[T, bool]:
        """Return a page, and whether it was asked for before the one before it was taken.

        what: the subject of messages, such as "storage_data at offset 300". Raises FatalAPIError.
        """
        asked = self._ahead.take(question)
        while True:
            try:
                page = self._take(asked)
            except FatalAPIError as error:  # noqa: PERF203 (a request costs a thousand times more)
                msg = f"{what} {error}"
                raise type(error)(msg) from None
            except TransientError as error:
                self._pause_after(error, asked.attempt, what)
                asked = self._ahead.ask(question, attempt=asked.attempt + 1)
            else:
                self._client.throttle.relax()
                early = self._ahead.is_early(asked)
                self._ahead.count()
                return page, early

    def close(self) -> None:
        """Ask for nothing any more."""
        self._client.close()
        self._ahead.close()

    def _ask(self, asked: Asked[Question, Response]) -> Response:
        return self._client.ask(
            self._request(asked.question),
            attempt=asked.attempt,
            begin=asked.begin,
            expect=lambda size: self._room.take(size, asked),
        )

    def _take(self, asked: Asked[Question, Response]) -> T:
        """Return what the answer holds. Raises TransientError or FatalAPIError."""
        try:
            response = self._wait_for(asked)
        finally:
            self._ahead.free(asked)
        self._largest = max(self._largest, len(response.body))
        try:
            return self._read(response)
        except Exception as error:  # noqa: BLE001 (what is not a failure of the answer is raised as it is)
            raise self._client.judge(error, attempt=asked.attempt) from None

    def _wait_for(self, asked: Asked[Question, Response]) -> Response:
        while True:
            try:
                return asked.answer(MOMENT_S)
            except FutureTimeoutError as error:
                if asked.age > self._client.page_timeout and not asked.done:
                    # Timeouts of sockets begin anew with each byte: a trickle of them would hold the run up for ever.
                    self._ahead.abandon(asked)
                    raise self._client.judge(error, attempt=asked.attempt) from None
            if not asked.age:
                self._ahead.relieve(older=self._client.timeout)
            self._waiting()

    def _pause_after(self, error: TransientError, attempt: int, what: str) -> None:
        """Wait as long as a failure asks for. Raises FatalAPIError if that was enough."""
        try:
            self._client.refuse(error, attempt=attempt)
        except FatalAPIError as enough:
            msg = f"{what} {enough}"
            raise FatalAPIError(msg) from None
        end = error.again_at or 0.0
        seconds = max(0.0, end - time.monotonic())
        self._log(f"{what} {error}: asking again in {seconds:.1f} s")
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, MOMENT_S))
            self._waiting()
        self._traffic.retries += 1
        self._traffic.seconds_waited += seconds
