"""The cells of the matrix: few of them, in which every two values that can meet do."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from typing import TYPE_CHECKING

from torture.leaks.outputs import OUTPUTS
from torture.leaks.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    Pair = tuple[tuple[str, object], tuple[str, object]]

TRIES = 30
"""Cells of which the one that covers most is taken."""


@dataclasses.dataclass(frozen=True)
class Cell:
    """One run. shape: of the key, and so of the other secrets. source: of the settings. header: carries the key."""

    output: str
    failure: str
    level: str
    source: str
    shape: str
    header: bool

    def pairs(self) -> set[Pair]:
        """Return every two of its values."""
        return set(itertools.combinations(dataclasses.asdict(self).items(), 2))


FACTORS: dict[str, tuple[object, ...]] = {
    "level": ("INFO", "DEBUG"),
    "source": ("file", "environment", ".env"),
    "shape": tuple(SHAPES),
    "header": (False, True),
}


def cells(rng: Random) -> list[Cell]:
    """Return cells that cover every pair, in random order; each secret has each shape with each failure and output."""
    chosen: list[Cell] = []
    left = {pair for output, failure in _met() for pair in _all_pairs({"output": output, "failure": failure})}
    for output, failure in _met():
        chosen.append(_best(rng, left, output=output, failure=failure))
        left -= chosen[-1].pairs()
    while left:
        wanted = dict(min(left, key=repr))
        chosen.append(_best(rng, left, **wanted))
        left -= chosen[-1].pairs()
    rng.shuffle(chosen)
    return chosen


@cache
def _met(output: object = None, failure: object = None) -> list[tuple[str, str]]:
    """Return the outputs and failures that meet, of these if any are named."""
    return [
        (name, each)
        for name, way in OUTPUTS.items()
        for each in way.failures
        if output in (None, name) and failure in (None, each)
    ]


def _all_pairs(base: dict[str, object]) -> Iterator[Pair]:
    """Yield the pairs that cells with this output and failure have."""
    values = {**{name: (value,) for name, value in base.items()}, **FACTORS}
    for one, two in itertools.combinations([field.name for field in dataclasses.fields(Cell)], 2):
        yield from itertools.product(((one, v) for v in values[one]), [(two, v) for v in values[two]])


def _best(rng: Random, left: set[Pair], **fixed: object) -> Cell:
    """Return a cell with these values that covers many of the pairs that are left."""
    tried = [_random(rng, fixed) for _ in range(TRIES)]
    return max(tried, key=lambda cell: len(cell.pairs() & left))


def _random(rng: Random, fixed: dict[str, object]) -> Cell:
    output, failure = rng.choice(_met(fixed.get("output"), fixed.get("failure")))
    rest = {name: fixed.get(name, rng.choice(values)) for name, values in FACTORS.items()}
    return Cell(output=output, failure=failure, **rest)  # type: ignore[arg-type]
