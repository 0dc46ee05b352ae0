"""A PostgreSQL server that can be killed and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import psutil
import psycopg

from demo.postgres import libpq_url, postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

PATIENCE_S = 60
POLL_S = 0.05
CONNECTION = "postgres: postgres "
"""How PostgreSQL titles the process of a connection, by its user."""


class Database:
    """A server on a data directory, with all that it takes to start it. url: SQLAlchemy's."""

    def __init__(self, data: Path, url: str, command: Sequence[str], user: int) -> None:
        self.url = url
        self._data = data
        self._command = list(command)
        self._user = user
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def up(self) -> bool:
        """Whether the server was started, and not ended here since."""
        return self._process is not None

    def start(self) -> None:
        """Start the server unless it is up; returns when it takes connections, recovered from whatever was done to it.

        Raises TimeoutError after a minute.
        """
        deadline = time.monotonic() + PATIENCE_S
        while not self._answers():
            if time.monotonic() > deadline:
                msg = f"PostgreSQL does not start, see {self._data / 'log'}"
                raise TimeoutError(msg)
            if self._process is None or self._process.poll() is not None:  # it refuses while another lets go of memory
                self._process = self._launched()
            time.sleep(POLL_S)

    def stop_at_once(self) -> None:
        """Have the server drop everything where it stands, as `pg_ctl stop --mode=immediate` does."""
        self._end(lambda process: process.send_signal(signal.SIGQUIT))

    def kill(self) -> None:
        """Kill all processes of the server."""

        def all_at_once(process: psutil.Process) -> None:
            for each in [process, *process.children()]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()

        self._end(all_at_once)

    def connections(self) -> list[psutil.Process]:
        """Return the processes that serve clients: the server itself survives the end of one, and ends the others."""
        if self._process is None:
            return []
        with suppress(psutil.NoSuchProcess):
            return [each for each in psutil.Process(self._process.pid).children() if _serves(each)]
        return []

    def _end(self, how: Callable[[psutil.Process], None]) -> None:
        if self._process is None:
            return
        running = psutil.Process(self._process.pid)
        children = running.children()
        how(running)
        self._process.wait(PATIENCE_S)
        psutil.wait_procs(children, PATIENCE_S)
        self._process = None

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(libpq_url(self.url)):
            return self._process is not None
        return False

    def _launched(self) -> subprocess.Popen[bytes]:
        with self._data.with_name("postgres.log").open("ab") as log:
            return subprocess.Popen(
                self._command,
                cwd=self._data,
                user=None if self._user == os.getuid() else self._user,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@contextmanager
def database(data: Path) -> Iterator[Database]:
    """Run a server on a new data directory, with what the demo's server is started with."""
    with postgres(data) as url:
        running = psutil.Process(int((data / "postmaster.pid").read_text(encoding="utf-8").split()[0]))
        made = Database(data, url, running.cmdline(), running.uids().effective)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def _serves(process: psutil.Process) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(part.startswith(CONNECTION) for part in process.cmdline())
    return False
