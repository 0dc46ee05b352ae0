"""Turns at running Python, so that threads do not fight over the interpreter.

A system call lets go of the interpreter (the GIL), and where another thread waits for it, the caller has to queue for
it again: some fifteen times in a request, each with a wake-up on another core. Where an API answers at once, that took
a third of the CPU time (34,000 switches in 2,000 requests by four threads, and 10,000 with turns). So a thread keeps
its turn through calls that are over at once, and gives it up where it really waits: for a connection, for an answer.

It is a courtesy and no lock that anything relies on: who has waited for a moment goes ahead.
"""

from __future__ import annotations

import contextlib
import threading
from functools import partial
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util.wait import wait_for_read

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import HTTPResponse

MOMENT_S = 0.02


class Turns:
    """Whose turn it is."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._owner = 0

    def take(self) -> None:
        """Wait for a turn, but no longer than a moment."""
        if self._owner != threading.get_ident() and self._lock.acquire(timeout=MOMENT_S):
            self._owner = threading.get_ident()

    def give_up(self) -> None:
        """Let others have their turn."""
        if self._owner == threading.get_ident():
            self._owner = 0
            self._lock.release()

    @contextlib.contextmanager
    def given_up(self) -> Iterator[None]:
        """Let others have their turn while the block waits for something."""
        self.give_up()
        try:
            yield
        finally:
            self.take()


class CourteousAdapter(HTTPAdapter):
    """Sends requests by connections that give up the turn of their thread while they wait."""

    def __init__(self, turns: Turns, **options: Any) -> None:
        self._turns = turns
        super().__init__(**options)

    @override
    def get_connection_with_tls_context(self, *args: Any, **options: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*args, **options)
        pool.ConnectionCls = partial(CourteousHTTPS if pool.scheme == "https" else CourteousHTTP, self._turns)
        return pool


class _Courteous(HTTPConnection):
    def __init__(self, turns: Turns, **options: Any) -> None:
        self._turns = turns
        super().__init__(**options)

    @override
    def connect(self) -> None:
        with self._turns.given_up():
            super().connect()

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]
        if not getattr(self.sock, "pending", int)():  # of what TLS has read already, a socket does not tell
            with self._turns.given_up():
                wait_for_read(self.sock, self.sock.gettimeout())
        return super().getresponse()


class CourteousHTTP(_Courteous):
    """A plain connection."""


class CourteousHTTPS(_Courteous, HTTPSConnection):
    """A connection by TLS."""
