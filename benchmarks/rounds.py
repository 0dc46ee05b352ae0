"""Runs a cell in rounds, each contender once a round, so that whatever disturbs the machine hits all of them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks.contender import LostError
from benchmarks.results import Measured, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.cells import Cell
    from benchmarks.contender import Contender
    from benchmarks.measure import Outcome


@dataclasses.dataclass(frozen=True)
class Effort:
    """repeats: rounds at most. budget_s: who has spent so much time on a cell sits out its further rounds."""

    repeats: int
    budget_s: float


def run(cell: Cell, effort: Effort, once: Callable[[Contender], Outcome]) -> Measured:
    """Measure a cell. once: runs a contender. Raises LostError at the first run that lost or doubled a record."""
    runs: list[Run] = []
    spent: defaultdict[str, float] = defaultdict(float)
    for _ in range(effort.repeats):
        for contender in cell.contenders:
            if spent[contender.name] < effort.budget_s:
                made = checked(contender.name, cell.records, once(contender))
                spent[contender.name] += made.wall_s
                runs.append(made)
                print(f"    {made.contender:28} {made.wall_s:7.2f} s {made.cpu_s:7.2f} CPU s", flush=True)
    return Measured(cell.key, cell.shape, cell.latency_ms, cell.limit, cell.records, cell.database, runs)


def checked(contender: str, records: int, outcome: Outcome) -> Run:
    """Return an outcome as a run that counts. Raises LostError if it failed, or any record is missing or came twice."""
    if outcome.status or outcome.delivered != records or outcome.distinct != records:
        message = (
            f"{contender}: exit status {outcome.status}, {outcome.delivered:,} records delivered, {outcome.distinct:,} "
            f"different ones, of {records:,}. The end of its log:\n{outcome.log}"
        )
        raise LostError(message)
    return Run(contender, outcome.wall_s, outcome.cpu_s, outcome.rss_mib, outcome.server_cpu_s)
