"""What was measured, as it is kept in results.json: table, plot and targets are all made of it."""

from __future__ import annotations

import dataclasses
from statistics import median
from typing import TYPE_CHECKING, Literal

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

Figure = Literal["wall_s", "cpu_s", "rss_mib"]


@dataclasses.dataclass(frozen=True)
class Run:
    """One run that delivered all records; see `measure.Outcome`."""

    contender: str
    wall_s: float
    cpu_s: float
    rss_mib: float
    server_cpu_s: float


@dataclasses.dataclass(frozen=True)
class Measured:
    """A cell with its runs, in the order in which they were made."""

    key: str
    shape: str
    latency_ms: int
    limit: int
    records: int
    database: bool
    runs: list[Run]

    @property
    def contenders(self) -> list[str]:
        """Their names, in the order of the first round."""
        return list(dict.fromkeys(run.contender for run in self.runs))

    def of(self, contender: str) -> list[Run]:
        """Return the runs of one of them."""
        return [run for run in self.runs if run.contender == contender]

    def median(self, contender: str, figure: Figure) -> float:
        """Return the median of its runs. Raises statistics.StatisticsError if there are none."""
        figures: list[float] = [getattr(run, figure) for run in self.of(contender)]
        return median(figures)

    def rate(self, contender: str) -> float:
        """Return records per second of the whole command."""
        return self.records / self.median(contender, "wall_s")

    def cpu_us(self, contender: str) -> float:
        """Return microseconds of CPU per record."""
        return self.median(contender, "cpu_s") / self.records * 1e6


@dataclasses.dataclass(frozen=True)
class Results:
    """All cells of one call. date: ISO 8601. machine: facts by name. versions: of the peers, by contender."""

    date: str
    machine: dict[str, str]
    versions: dict[str, str]
    cells: list[Measured]

    def cell(self, key: str) -> Measured | None:
        """Return a cell; None if it was not measured."""
        return next((cell for cell in self.cells if cell.key == key), None)


def save(results: Results, path: Path) -> None:
    """Write the results as JSON."""
    path.write_bytes(msgspec.json.format(msgspec.json.encode(results), indent=1) + b"\n")


def load(path: Path) -> Results:
    """Read the results. Raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(path.read_bytes(), type=Results)
