"""`python -m torture.long_run`: ten million records through the installed command, its memory and rate over time."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, cast

import matplotlib as mpl
from matplotlib import pyplot as plt

from demo.control import FakeAPI
from tests.running import BIN, environment, settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EVERY_S: Final = 1.0
PIECE: Final = 1 << 20
RECORD: Final = b'{"type":"RECORD"'
MOST_MEMORY: Final = 200
"""MiB."""
HALF: Final = 2


class Moment(NamedTuple):
    """Seconds since the beginning, lines read by then, and MiB of memory that the tap holds."""

    seconds: float
    lines: int
    memory: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, run, plot; returns 1 if records are missing or too much memory is taken."""
    parser = argparse.ArgumentParser(prog="python -m torture.long_run", description=__doc__)
    parser.add_argument("--records", type=int, default=10_000_000)
    parser.add_argument("--limit", type=int, default=1000)
    parser.add_argument("--plot", type=Path, help="where the plot goes")
    options = parser.parse_args(arguments)
    with (
        FakeAPI(records=options.records, id_type="integer", shape="flat") as api,
        tempfile.TemporaryDirectory() as place,
    ):
        config = Path(place, "config.json")
        config.write_text(json.dumps(settings(api, limit=options.limit)), encoding="utf-8")
        moments = list(_watch([str(BIN / "tap-storage"), "--config", str(config)], Path(place)))
        status, first_half, last_half = int(moments.pop().memory), *_rates(moments)
        requests = len(api.requests())
    records = moments[-1].lines
    memory = max(moment.memory for moment in moments)
    print(
        f"{records:,} records in {moments[-1].seconds:.0f} s, {requests:,} requests, exit status {status}\n"
        f"{first_half:,.0f} records/s in the first half, {last_half:,.0f} in the second\n"
        f"at most {memory:.0f} MiB; {moments[len(moments) // 10].memory:.0f} MiB after a tenth of the time"
    )
    if options.plot:
        _plot(moments, options.plot)
    return int(status != 0 or records != options.records or memory > MOST_MEMORY)


def _watch(command: Sequence[str], place: Path) -> Iterator[Moment]:
    """Yield a moment a second, then one with the exit status in the place of the memory."""
    with (place / "stderr").open("wb") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, env=environment())
        stdout = cast("IO[bytes]", process.stdout)
        began = due = time.monotonic()
        lines, memory, rest = 0, 0.0, b""
        while piece := os.read(stdout.fileno(), PIECE):
            piece = rest + piece
            lines += piece.count(RECORD)
            rest = piece[-len(RECORD) + 1 :]
            if (now := time.monotonic()) >= due:
                memory = _memory(process.pid) or memory
                yield Moment(now - began, lines, memory)
                due = now + EVERY_S
        yield Moment(time.monotonic() - began, lines, memory)
        yield Moment(0, 0, process.wait())


def _memory(process: int) -> float:
    with contextlib.suppress(OSError, IndexError):  # it may have ended
        held = Path("/proc", str(process), "status").read_text().partition("VmRSS:")[2]
        return int(held.split()[0]) / 1024
    return 0


def _rates(moments: Sequence[Moment]) -> tuple[float, float]:
    """Return the records a second while the first half of the records was read, and while the second was."""
    begin = next(moment for moment in moments if moment.lines)
    end = moments[-1]
    middle = next(moment for moment in moments if moment.lines >= end.lines / HALF)
    return tuple(  # type: ignore[return-value]
        (after.lines - before.lines) / ((after.seconds - before.seconds) or 1)
        for before, after in ((begin, middle), (middle, end))
    )


def _plot(moments: Sequence[Moment], path: Path) -> None:
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tap-storage"
    figure, (rate, memory) = plt.subplots(2, 1, sharex=True, figsize=(8, 5), layout="constrained")
    pairs = list(itertools.pairwise(moments))
    seconds = [after.seconds for _, after in pairs]
    rate.plot(
        seconds, [(after.lines - before.lines) / (after.seconds - before.seconds) / 1000 for before, after in pairs]
    )
    rate.set(ylabel="thousand records/s", ylim=(0, None), title=f"{moments[-1].lines:,} records")
    memory.plot(seconds, [after.memory for _, after in pairs])
    memory.set(xlabel="seconds", ylabel="MiB", ylim=(0, None))
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    sys.exit(main())
