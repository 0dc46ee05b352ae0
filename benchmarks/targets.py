"""What tap-storage is held to, and whether it gets there: computed from the results, with nothing to be set by hand."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Literal

from benchmarks import contenders, pipelines
from benchmarks.cells import CELLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.contender import Contender
    from benchmarks.results import Figure, Results

TAP = contenders.TAP_STORAGE
SIXTEEN = contenders.TAP_STORAGE_16
SEQUENTIAL = (contenders.DLT, contenders.MSDK, contenders.SDK_TEMPLATE)
RECORDS = {cell.key: cell.records for cell in CELLS}

Verdict = Literal["met", "not met", "not measured", "too few records"]


@dataclasses.dataclass(frozen=True)
class Target:
    """text: what is measured. bound: its limit, `at_most` or else at least. value: None where it was not measured.

    key: of the cell that it is measured in, with as many records as that has in a whole run.
    """

    text: str
    key: str
    bound: float
    at_most: bool
    unit: str
    value: Callable[[Results], float | None]

    def verdict(self, results: Results) -> Verdict:
        """Tell whether it is reached."""
        value, cell = self.value(results), results.cell(self.key)
        if value is None or cell is None:
            return "not measured"
        if cell.records < RECORDS[self.key]:
            return "too few records"
        met = value <= self.bound if self.at_most else value >= self.bound
        return "met" if met else "not met"


def targets() -> Iterator[Target]:
    """Yield all of them, in the order of the table."""
    for key, limit, bound in (("instant-1000-flat", "1,000", 1.0), ("instant-100-flat", "100", 1.1)):
        text = f"CPU per record, limit {limit}: of the bare loop's"
        yield Target(text, key, bound, at_most=True, unit="×", value=_ratio(key, TAP, contenders.BARE_LOOP, "cpu_s"))
    for peer, bound in ((contenders.SDK_TEMPLATE, 8), (contenders.DLT, 3)):
        key = "instant-1000-flat"
        yield _times(f"CPU per record, limit 1,000: less than {peer.name}", key, bound, _ratio(key, peer, TAP, "cpu_s"))
    key = "20ms-100-flat"
    for peer, bound in (*((each, 10) for each in SEQUENTIAL), (contenders.AIRBYTE_SLICED, 4)):
        text = f"records/s at 20 ms, limit 100, concurrency 16: of {peer.name}"
        yield _times(text, key, bound, _ratio(key, peer, SIXTEEN, "wall_s"))
    for peer in SEQUENTIAL:
        text = f"records/s at 20 ms, limit 100, default settings: of {peer.name}"
        yield _times(text, key, 3.5, _ratio(key, peer, TAP, "wall_s"))
    yield Target("peak RSS at 1,000,000 records", "memory-1m", 80, at_most=True, unit="MiB", value=_peak)
    yield Target("the same, above that at 100,000 records", "memory-1m", 5, at_most=True, unit="MiB", value=_growth)
    for tap, bound in ((pipelines.TAP_RECORD, 1.3), (pipelines.TAP_BATCH, 2)):
        text = f"records/s into PostgreSQL, {tap.name}: of {pipelines.DLT_APPEND.name}"
        yield _times(text, "postgres", bound, _ratio("postgres", pipelines.DLT_APPEND, tap, "wall_s"))


def _times(text: str, key: str, bound: float, value: Callable[[Results], float | None]) -> Target:
    return Target(text, key, bound, at_most=False, unit="×", value=value)


def _peak(results: Results) -> float | None:
    cell = results.cell("memory-1m")
    return cell.median(TAP.name, "rss_mib") if cell else None


def _growth(results: Results) -> float | None:
    small, large = results.cell("memory-100k"), results.cell("memory-1m")
    if not (small and large):
        return None
    return large.median(TAP.name, "rss_mib") - small.median(TAP.name, "rss_mib")


def _ratio(key: str, above: Contender, below: Contender, figure: Figure) -> Callable[[Results], float | None]:
    """Return what gives the ratio of two medians in one cell; None if either was not measured."""

    def value(results: Results) -> float | None:
        cell = results.cell(key)
        if not cell or not {above.name, below.name} <= set(cell.contenders):
            return None
        return cell.median(above.name, figure) / cell.median(below.name, figure)

    return value
