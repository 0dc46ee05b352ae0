"""`python -m torture`: tells stories until the time is up, and says what they came to."""

from __future__ import annotations

import argparse
import itertools
import os
import secrets
import sys
import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import TYPE_CHECKING

from demo.marks import publish
from torture.figures import Figures
from torture.telling import Outcome, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the command line, torture; returns 1 if anything is wrong, or a kind of fault never fired."""
    parser = argparse.ArgumentParser(prog="python -m torture", description=__doc__)
    parser.add_argument("--seed", help="to repeat a torture; a new one unless given")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--only", type=int, help="the number of the one story to repeat")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--publish", type=Path, help="a document to write the figures into")
    options = parser.parse_args(arguments)
    seed = options.seed or secrets.token_hex(4)
    print(f"seed {seed}", flush=True)
    began = time.monotonic()
    until = began + 60 * options.minutes
    outcomes = [tell(seed, options.only)] if options.only else _stories(seed, until=until, workers=options.workers)
    figures, defective, lost = Figures(), [], 0
    for outcome in outcomes:
        figures.include(outcome.figures)
        lost += outcome.lost
        if outcome.defects:
            defective.append(outcome.number)
            print(
                *outcome.defects,
                f"again: python -m torture --seed {seed} --only {outcome.number}",
                sep="\n",
                flush=True,
            )
    never = [] if options.only else figures.never()
    table = figures.table(
        seed=seed,
        time=f"{(time.monotonic() - began) / 60:.1f} minutes",
        defects=", ".join(f"story {number}" for number in defective) or "none",
        **{"stories in which a record was lost": str(lost)},
        **({"faults that never came": ", ".join(never)} if never else {}),
    )
    print(table)
    if options.publish:
        publish("torture", table, options.publish)
    return bool(defective or never)


def _stories(seed: str, *, until: float, workers: int) -> Iterator[Outcome]:
    """Yield the outcomes of stories from number 1 on, as they end."""
    numbers = itertools.count(1)
    with ThreadPoolExecutor(workers) as pool:
        running: set[Future[Outcome]] = set()
        while True:
            while len(running) < workers and time.monotonic() < until:
                running.add(pool.submit(tell, seed, next(numbers)))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (each.result() for each in done)


if __name__ == "__main__":
    sys.exit(main())
