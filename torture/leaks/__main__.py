"""`python -m torture.leaks`: runs the matrix, prints it, and exits with 1 if anything leaked."""

from __future__ import annotations

import argparse
import secrets
import sys
import time
from random import Random

from torture.leaks.bench import MELTANO
from torture.leaks.cells import cells
from torture.leaks.matrix import run_all
from torture.leaks.outputs import OUTPUTS
from torture.leaks.report import table


def main() -> int:
    """Run as many cells as were asked for, and tell what they came to."""
    parser = argparse.ArgumentParser(prog="python -m torture.leaks", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of cells and secrets")
    parser.add_argument("--cells", type=int, help="so many of them; all that it takes for every pair unless given")
    parser.add_argument("--only", default="", help="cells whose failure or output has this in its name")
    parser.add_argument("--no-meltano", action="store_true", help="leave out the cells under Meltano")
    parser.add_argument("--minutes", type=float, default=60, help="after which no cell begins")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    rng = Random(options.seed)
    met = (cell for cell in cells(rng) if options.only in cell.failure or options.only in cell.output)
    chosen = [cell for cell in met if not (options.no_meltano and OUTPUTS[cell.output].command == MELTANO)]
    outcomes = run_all(chosen[: options.cells], rng, seconds=60 * options.minutes, tell=print)
    print(table(outcomes))
    print(f"{time.monotonic() - began:.0f} s, seed {options.seed}")
    return int(any(outcome.found or outcome.status is None for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
