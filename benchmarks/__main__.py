"""`python -m benchmarks`: installs the peers, measures all cells, and writes results.md, results.svg and results.json.

They are in this directory after a whole run, and in `.bench/` after one that an option has narrowed. Exits 0; 1 where a
contender failed, lost a record or could not be installed; 128 more than a signal's number.
"""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environments, machine, pipelines
from benchmarks.cells import CELLS, QUICK, chosen
from benchmarks.contender import LostError
from benchmarks.environments import SetupError
from benchmarks.measure import measure
from benchmarks.pipelines import LOADER
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.results import Results, load, save
from benchmarks.rounds import Effort, run
from demo.control import FakeAPI
from demo.postgres import postgres
from demo.signals import exit_on_signals
from demo.stage import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cells import Cell
    from benchmarks.contender import Contender
    from benchmarks.measure import Outcome
    from benchmarks.results import Measured

HERE = Path(__file__).parent
REPEATS = 3
BUDGET_S = 60.0
QUICK_SHARE = 50


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure; return the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    exit_on_signals()
    narrowed = options.quick or options.only or options.records
    if options.render:
        write(load(HERE / "results.json"), HERE)
        return 0
    only = options.only or (QUICK if options.quick else [])
    cells = chosen(only, records=options.records, share=QUICK_SHARE if options.quick else 1)
    if not cells:
        parser.error("nothing is called so: see --help")
    effort = Effort(options.repeats or (1 if options.quick else REPEATS), options.budget)
    try:
        results = bench(cells, effort, install=not options.installed)
    except (LostError, SetupError) as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    directory = environments.BENCH if narrowed else HERE
    write(results, directory)
    print(report(results))
    print(f"==> Written to {directory}")
    return 0


def bench(cells: Sequence[Cell], effort: Effort, *, install: bool) -> Results:
    """Install what these cells need, and measure them."""
    environments.BENCH.mkdir(exist_ok=True)
    contenders = {contender.name: contender for cell in cells for contender in cell.contenders}
    peers = sorted({contender.peer for contender in contenders.values()})
    if "meltano" in peers:
        peers = sorted({*peers, "tap_storage"})
    if install:
        with step("Installing the peers, each into an environment of its own"):
            environments.install(peers)
            if "meltano" in peers:
                pipelines.prepare()
    versions = environments.versions(peers)
    if "meltano" in peers:
        versions["meltano"] += f", {LOADER} {pipelines.loader_version()}"
    facts = {**machine.facts(), "Python": environments.python_version(peers[0])}
    results = Results(
        date=datetime.now(timezone.utc).isoformat(timespec="seconds"),
        machine=facts,
        versions={name: versions[contender.peer] for name, contender in contenders.items()},
        cells=[],
    )
    for cell in cells:
        results.cells.append(measured(cell, effort))
        save(results, environments.BENCH / "results.json")  # what a later cell fails at is no loss of the earlier ones
    return results


def measured(cell: Cell, effort: Effort) -> Measured:
    """Measure a cell, with a fake API of its own, and a database where it ends in one."""
    title = f"{cell.key}: {cell.records:,} {cell.shape} records, {cell.latency_ms} ms, limit {cell.limit:,}"
    server = postgres(environments.BENCH / "postgres") if cell.database else nullcontext("")
    with step(title), FakeAPI(cell.records, **cell.behaviour) as api, server as database:  # type: ignore[arg-type]

        def once(contender: Contender) -> Outcome:
            if database:
                pipelines.clear(database)
            return measure(contender, api, limit=cell.limit, records=cell.records, database=database)

        return run(cell, effort, once)


def write(results: Results, directory: Path) -> None:
    """Write the three files."""
    save(results, directory / "results.json")
    (directory / "results.md").write_text(report(results), encoding="utf-8")
    (directory / "results.svg").write_text(plot(results), encoding="utf-8")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    keys = ", ".join(cell.key for cell in CELLS)
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help=f"part of a contender or of: {keys}"
    )
    parser.add_argument("--records", type=int, help="in every cell, instead of its own number")
    parser.add_argument("--repeats", type=int, help=f"rounds, instead of {REPEATS}")
    parser.add_argument("--budget", type=float, default=BUDGET_S, help="seconds a contender may use up before it rests")
    parser.add_argument("--quick", action="store_true", help=f"one round of some cells, one record in {QUICK_SHARE}")
    parser.add_argument("--installed", action="store_true", help="leave the environments as they are")
    parser.add_argument("--render", action="store_true", help="only write table and plot anew from results.json")
    return parser


if __name__ == "__main__":
    sys.exit(main())
