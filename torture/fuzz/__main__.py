"""The command: fuzzes in processes of its own, prints a table, and exits 1 if anything is a defect of the tap.

python -m torture.fuzz [--seed N] [--bodies 100000] [--minutes M]
python -m torture.fuzz --seed N --only K
"""

from __future__ import annotations

import argparse
import secrets
import sys

from torture.fuzz.shift import Shift
from torture.fuzz.work import explain, work


def main() -> int:
    """Run, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m torture.fuzz", description=__doc__.split("\n")[0])
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--bodies", type=int, default=100_000, help="hostile answers, beside what else there is")
    parser.add_argument("--minutes", type=float, default=60, help="the longest time to take")
    parser.add_argument("--only", type=int, help="the number of one case, to be shown")
    parser.add_argument("--from", type=int, default=None, dest="begin", help=argparse.SUPPRESS)
    parser.add_argument("--to", type=int, default=None, dest="end", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.begin is not None:
        work(options.seed, range(options.begin, options.end))
        return 0
    if options.only is not None:
        faults = explain(options.seed, options.only)
        print("\n".join(faults) or "nothing is wrong")
        return bool(faults)
    print(f"Fuzzing with --seed {options.seed}", flush=True)
    shift = Shift(options.seed, bodies=options.bodies, minutes=options.minutes)
    shift.run()
    print(shift.table())
    return bool(shift.defects) or not shift.whole


if __name__ == "__main__":
    sys.exit(main())
