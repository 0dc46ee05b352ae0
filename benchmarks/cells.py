"""What is compared: each cell is a fake API, a page size, a number of records, and who reads them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from benchmarks.contenders import READERS, TAP_STORAGE, TAP_STORAGE_16
from benchmarks.pipelines import PIPELINES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contender import Contender
    from demo.fake_api.records import Shape

JITTER_MS = 10


@dataclasses.dataclass(frozen=True)
class Cell:
    """latency_ms: of an answer, on average: up to ten are random. database: whether it ends in PostgreSQL."""

    key: str
    shape: Shape
    latency_ms: int
    limit: int
    records: int
    contenders: Sequence[Contender]
    database: bool = False

    @property
    def behaviour(self) -> dict[str, object]:
        """How the fake API has to behave."""
        if not self.latency_ms:
            return {"shape": self.shape}
        return {"shape": self.shape, "latency_ms": self.latency_ms - JITTER_MS / 2, "jitter_ms": JITTER_MS}


WAITING = (*READERS, TAP_STORAGE_16)

# Where the API answers at once, so many records that starting up hardly counts; else as many as one can wait for.
CELLS = (
    Cell("instant-1000-flat", "flat", 0, 1000, 500_000, READERS),
    Cell("instant-100-flat", "flat", 0, 100, 500_000, READERS),
    Cell("20ms-100-flat", "flat", 20, 100, 100_000, WAITING),
    Cell("20ms-1000-flat", "flat", 20, 1000, 100_000, WAITING),
    Cell("instant-1000-wide", "wide", 0, 1000, 100_000, READERS),
    Cell("instant-100-wide", "wide", 0, 100, 100_000, READERS),
    Cell("20ms-100-wide", "wide", 20, 100, 20_000, WAITING),
    Cell("20ms-1000-wide", "wide", 20, 1000, 50_000, WAITING),
    Cell("memory-100k", "flat", 0, 100, 100_000, (TAP_STORAGE,)),
    Cell("memory-1m", "flat", 0, 100, 1_000_000, (TAP_STORAGE,)),
    Cell("postgres", "flat", 0, 1000, 500_000, PIPELINES, database=True),
)

QUICK = ("instant-1000-flat", "20ms-100-flat", "instant-1000-wide", "memory", "postgres")
"""Enough to see that everything works."""


def chosen(only: Sequence[str], *, records: int | None, share: int = 1) -> list[Cell]:
    """Return the cells and contenders whose key or name holds one of these texts, or all of them.

    records: instead of each cell's own; share: or only its so-manieth part.
    """
    cells = (
        dataclasses.replace(
            cell,
            records=records or max(cell.limit, cell.records // share),
            contenders=[each for each in cell.contenders if not only or _named(only, cell.key, each.name)],
        )
        for cell in CELLS
    )
    return [cell for cell in cells if cell.contenders]


def _named(only: Sequence[str], key: str, name: str) -> bool:
    """A text names a cell or a contender; with both given, both must fit."""
    keys = [text for text in only if any(text in cell.key for cell in CELLS)]
    names = [text for text in only if text not in keys]
    return (not keys or any(text in key for text in keys)) and (not names or any(text in name for text in names))
