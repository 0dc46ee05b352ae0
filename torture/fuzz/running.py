"""A case, run by the command's own code in this process, or by the installed command in one of its own."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import logging
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tap_storage.tap import TapStorage

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMAND = Path(sys.executable).parent / "tap-storage"
DEADLINE_S = 60
LOOK_S = 0.01


@dataclasses.dataclass(frozen=True)
class Ending:
    """What a run came to. peak: bytes of memory at most, of this process where it was run here."""

    status: object
    stdout: bytes
    stderr: str
    seconds: float
    peak: int = 0


def run_here(arguments: Sequence[str]) -> Ending:
    """Run the command in this process: its options, files, log and exit status are those of the installed one."""
    out, err = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True), io.StringIO()
    before, begin = (sys.stdout, sys.stderr, sys.excepthook), time.perf_counter()
    sys.stdout, sys.stderr = out, err
    status: object = None
    try:
        TapStorage.cli.main(list(arguments))
    except SystemExit as error:
        status = error.code
    finally:
        sys.stdout, sys.stderr, sys.excepthook = before
        logging.getLogger().handlers.clear()  # each run adds one
    return Ending(status, out.detach().getvalue(), err.getvalue(), time.perf_counter() - begin)


def run_installed(arguments: Sequence[str], directory: Path) -> Ending:
    """Run the installed command. Without an exit status if it did not end in time."""
    paths = directory / "stdout", directory / "stderr"
    begin = time.perf_counter()
    with paths[0].open("wb") as out, paths[1].open("wb") as err:
        process = subprocess.Popen([COMMAND, *arguments], stdout=out, stderr=err, cwd=directory)
        status, peak = None, 0
        while status is None and time.perf_counter() - begin < DEADLINE_S:
            peak = max(peak, _peak(process.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = process.wait(LOOK_S)
        process.kill()
        process.wait()
    stderr = paths[1].read_bytes().decode("utf-8", "backslashreplace")
    return Ending(status, paths[0].read_bytes(), stderr, time.perf_counter() - begin, peak)


def _peak(pid: int) -> int:
    """Return how much memory a process has had at most, 0 where there is no telling.

    The usage that the system tells of a child has in it what its parent had.
    """
    try:
        found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text(encoding="utf-8"))
    except OSError:
        return 0
    return int(found[1]) << 10 if found else 0
