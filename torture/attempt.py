"""Runs the installed command, ends it at the moment told, and watches from outside what it takes and leaves behind."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import select
import signal
import subprocess
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, cast

from tests.running import BIN, environment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torture.story import Ending

PATIENCE_S: Final = 120
"""No run that is not stuck takes longer, even on a busy machine."""
HEEDS_S: Final = 15
"""Nor does it take longer to end after a signal, where 2 s are promised."""
LOOK_S: Final = 0.05
PIECE: Final = 1 << 16


@dataclasses.dataclass(frozen=True)
class Footprint:
    """What a process took at most, and what it left: bytes of memory, threads, connections; processes, files."""

    memory: int
    threads: int
    sockets: int
    processes: int
    files: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Ended:
    """A run that is over. status: negative for a signal. stdout: what was read of it. seconds: in all, and to heed."""

    status: int
    stdout: bytes
    stderr: str
    footprint: Footprint
    seconds: float
    heeded: float
    stuck: bool


def attempt(arguments: Sequence[str], directory: Path, ending: Ending) -> Ended:
    """Run the tap with these arguments until it ends, or is ended."""
    temporary = directory / "tmp"
    temporary.mkdir(exist_ok=True)
    began = time.monotonic()
    with (directory / "stderr").open("wb") as stderr:
        process = subprocess.Popen(
            [BIN / "tap-storage", *arguments],
            cwd=directory,
            env=environment(TMPDIR=str(temporary)),
            stdout=subprocess.PIPE,
            stderr=stderr,
            start_new_session=True,
        )
        watched = _Watched(process, ending)
        status = watched.to_its_end()
    over = time.monotonic()
    return Ended(
        status=status,
        stdout=bytes(watched.read),
        stderr=(directory / "stderr").read_text(encoding="utf-8", errors="replace"),
        footprint=Footprint(
            memory=watched.memory,
            threads=watched.threads,
            sockets=watched.sockets,
            processes=_in_session(process.pid),
            files=tuple(sorted(str(path.relative_to(temporary)) for path in temporary.rglob("*"))),
        ),
        seconds=over - began,
        heeded=over - watched.disturbed if watched.disturbed else 0,
        stuck=watched.stuck,
    )


class _Watched:
    """A process whose output is read, until a moment comes."""

    def __init__(self, process: subprocess.Popen[bytes], ending: Ending) -> None:
        self.read = bytearray()
        self.memory = self.threads = self.sockets = 0
        self.disturbed = 0.0
        self.stuck = False
        self._process = process
        self._ending = ending
        self._lines = 0
        self._looked = 0.0

    def to_its_end(self) -> int:
        """Return the status."""
        stdout = cast("IO[bytes]", self._process.stdout)
        began = time.monotonic()
        with stdout:
            while not self.stuck:
                now = time.monotonic()
                self.stuck = now - began > PATIENCE_S or bool(self.disturbed and now - self.disturbed > HEEDS_S)
                self._look(now)
                if not self.disturbed and (self._lines >= self._ending.lines or now - began > self._ending.seconds):
                    self._disturb(now)
                    if self._ending.kind == "pipe":
                        break
                if select.select([stdout], [], [], LOOK_S)[0]:
                    piece = os.read(stdout.fileno(), PIECE)
                    self.read += piece
                    self._lines += piece.count(b"\n")
                    if not piece:
                        break
        return self._wait()

    def _disturb(self, now: float) -> None:
        if self._ending.kind == "none":
            return
        self.disturbed = now
        if self._ending.kind != "pipe":
            self._process.send_signal(signal.Signals[self._ending.kind])

    def _wait(self) -> int:
        try:
            # That a pipe was closed is noticed with the next line only.
            return self._process.wait(PATIENCE_S if self._ending.kind == "pipe" else HEEDS_S)
        except subprocess.TimeoutExpired:
            self.stuck = True
            self._process.kill()
            return self._process.wait()

    def _look(self, now: float) -> None:
        """Look at memory, threads and connections, now and then."""
        if now - self._looked < LOOK_S:
            return
        self._looked = now
        own = Path("/proc", str(self._process.pid))
        with contextlib.suppress(OSError, IndexError):  # it may have ended
            peak = (own / "status").read_text().partition("VmHWM:")[2]  # an inherited one counts in getrusage
            self.memory = max(self.memory, int(peak.split()[0]) << 10)
            self.threads = max(self.threads, sum(1 for _ in (own / "task").iterdir()))
            open_files = [str(each.readlink()) for each in (own / "fd").iterdir()]
            self.sockets = max(self.sockets, sum(name.startswith("socket:") for name in open_files))


def _in_session(session: int) -> int:
    """Return how many processes are left of a session."""
    count = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            count += stat.read_text().rpartition(")")[2].split()[3] == str(session)
    return count
