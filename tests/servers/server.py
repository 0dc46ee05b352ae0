"""Starts a server as a process of its own, waits until it listens, counts what it was asked, ends it."""

from __future__ import annotations

import abc
import re
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from tests.running import environment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parent.parent.parent
HOST = "127.0.0.1"
PATIENCE_S = 60
POLL_S = 0.02


class Server(abc.ABC):
    """A server that runs while the `with` block does, with everything it writes in a directory of its own.

    path: of the collection. api_key: None where none is asked for. params: what the query must hold besides.
    """

    path: ClassVar[str]
    params: ClassVar[dict[str, str]] = {}

    def __init__(self, directory: Path, records: int) -> None:
        self.directory = directory
        self.records = records
        self.api_key: str | None = None
        self.url = ""
        self._log = directory / "server.log"

    @abc.abstractmethod
    def prepare(self) -> None:
        """Install what is missing, and fill the database; leave the key in `api_key`."""

    @abc.abstractmethod
    def command(self, port: int) -> Sequence[str]:
        """Return the command that serves the database on this port of 127.0.0.1."""

    @abc.abstractmethod
    def add(self, count: int) -> None:
        """Add so many records, created now."""

    @abc.abstractmethod
    def ids(self) -> set[int]:
        """Return the ids of all records, without asking for the collection."""

    def __enter__(self) -> Self:
        """Start the server; returns when it can be asked."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self.prepare()
        port = _free_port()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(port),
                cwd=ROOT,
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        try:
            self._wait(port)
        except BaseException:
            self._stop()
            raise
        self.url = f"http://{HOST}:{port}"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the server."""
        self._stop()

    def requests(self) -> int:
        """Return how many GET requests for the collection the server's log has; an answer may be ahead of its line."""
        pattern = rf"GET {re.escape(self.path)}[?\s]"
        return len(re.findall(pattern, self._log.read_text(encoding="utf-8", errors="replace")))

    def _wait(self, port: int) -> None:
        """Wait until something listens on the port."""
        deadline = time.monotonic() + PATIENCE_S
        while self._process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex((HOST, port)) == 0:
                    return
            time.sleep(POLL_S)
        message = f"the server did not start, see {self._log}"
        raise RuntimeError(message)

    def _stop(self) -> None:
        """End the process: asked first, killed where it does not listen."""
        self._process.terminate()
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        port: int = unused.getsockname()[1]
    return port
