"""`python -m torture.pipeline`: attacks `meltano run tap-storage target-postgres`, and counts what is lost.

A round puts an end to Meltano, to the tap, to the target or to PostgreSQL in up to three runs, while the API fails one
answer in five and gets new records. Then it runs as a user would until all is there, and compares table and API.
Exits 1 if a record is missing, there twice or different, or if the tap misbehaved in another way.
"""

from __future__ import annotations

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo.control import FakeAPI
from demo.signals import exit_on_signals
from torture.pipeline.blows import KINDS
from torture.pipeline.database import database
from torture.pipeline.plan import draw
from torture.pipeline.report import together, told
from torture.pipeline.round import Round

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torture.pipeline.outcome import Outcome

API_KEY = "made-up+for/the=torture"


def main() -> int:
    """Play the rounds, print the tables; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m torture.pipeline", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="of everything that is drawn")
    parser.add_argument("--rounds", type=int, help="so many rounds, and no limit of time")
    parser.add_argument("--minutes", type=float, default=10, help="no new round after so many minutes (10)")
    parser.add_argument("--only", type=int, metavar="K", help="round K of the seed alone")
    options = parser.parse_args()
    exit_on_signals()
    print(f"--seed {options.seed}", flush=True)
    numbers = iter([options.only]) if options.only is not None else _numbers(options.rounds, options.minutes)
    directory = Path(tempfile.mkdtemp(prefix="tap-storage-"))
    outcomes: list[Outcome] = []
    try:
        with FakeAPI(1, API_KEY) as api, database(directory / "data") as server:
            for number in numbers:
                plan = draw(options.seed, number)
                stage = Round(plan, api=api, database=server, directory=directory / f"round-{number}")
                outcomes.append(stage.play())
                _tell(number, outcomes[-1])
    except SystemExit:  # a signal: there is nothing to look at
        shutil.rmtree(directory, ignore_errors=True)
        raise
    return _verdict(outcomes, directory, every_kind=options.only is None)


def _numbers(rounds: int | None, minutes: float) -> Iterator[int]:
    end = time.monotonic() + minutes * 60
    number = 0
    while number < rounds if rounds is not None else time.monotonic() < end:
        yield number
        number += 1


def _tell(number: int, outcome: Outcome) -> None:
    blows = ", ".join([*outcome.hit, *(f"{kind} (too late)" for kind in outcome.missed)])
    runs = " ".join("hung" if status is None else str(status) for status in outcome.runs)
    print(f"round {number}: {blows}; exit statuses {runs}; {outcome.records:,} records checked", flush=True)
    if not outcome.passed:
        counts = ("missing", "twice", "unknown", "different")
        wrong = [f"{count:,} {name}" for name in counts if (count := getattr(outcome, name))]
        print(f"    FAILED: {'; '.join(wrong + outcome.problems)}. Again: --only {number}", flush=True)


def _verdict(outcomes: list[Outcome], directory: Path, *, every_kind: bool) -> int:
    whole = together(outcomes)
    print(f"\n{told(whole)}")
    never = [kind for kind in KINDS if not whole.hit[kind]] if every_kind and len(outcomes) >= len(KINDS) else []
    if never:
        print(f"\nThese blows never hit: {', '.join(never)}")
    if not whole.passed:
        print(f"\nFAILED. The logs are in {directory}")
        return 1
    shutil.rmtree(directory)
    return int(bool(never))


if __name__ == "__main__":
    sys.exit(main())
