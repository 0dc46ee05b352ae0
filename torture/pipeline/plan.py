"""What is to happen in a round: drawn from a seed and the round's number, so that it can be repeated alone."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from torture.pipeline.blows import KINDS, OF_POSTGRES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

FAILING = 0.2
"""The share of answers that fail."""
ANSWERS_PLANNED = 4000
"""More than a round ever asks for."""
START_S = 3.0
"""About as long as Meltano takes until the first request."""

FAULTS: tuple[Mapping[str, Any], ...] = (
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)),
    {"kind": "retry_after", "seconds": 0},
    {"kind": "retry_after", "seconds": 0, "as": "date"},
    {"kind": "echo"},
    {"kind": "drop"},
    {"kind": "cut"},
    {"kind": "garbage"},
    {"kind": "html"},
    {"kind": "unanswered", "seconds": 0.2},
)
"""Every one of them is asked again."""


@dataclass(frozen=True)
class Blow:
    """An end that is put to something while a run is under way.

    requests: the API has to have had so many of this run before. seconds: from then on until the blow. down: seconds
    until PostgreSQL is started again; None: not before another run has failed.
    """

    kind: str
    requests: int
    seconds: float
    down: float | None = 0


@dataclass(frozen=True)
class Arrivals:
    """Records that come while a run is under way: so many at a place of the collection, every so many requests."""

    count: int
    every: int
    at: str


@dataclass(frozen=True)
class Plan:
    """A round.

    step: records in a page. behaviour: of the fake API. settings: environment variables. blows: one a run. busy:
    whether records come in the first run without a blow, too.
    """

    number: int
    records: int
    step: int
    behaviour: Mapping[str, Any]
    settings: Mapping[str, str]
    arrivals: Arrivals | None
    blows: Sequence[Blow]
    busy: bool


def draw(seed: int, number: int, *, records: tuple[int, int] = (6_000, 24_000), kind: str | None = None) -> Plan:
    """Return round `number` of a seed. records: the fewest and the most. kind: of the one blow, not several drawn.

    As many rounds as there are kinds of blows begin with each kind once.
    """
    rng = Random(f"{seed}/{number}")
    size = rng.randint(*records)
    limit = rng.choice((100, 250, 500, 1000))
    cap = rng.choice((None, None, limit // 2))
    pages = size // (cap or limit)
    order = rng.choice(((None, "unsorted"), ("created_at", "ascending"), ("-created_at", "descending")))
    first = kind or Random(seed).sample(KINDS, len(KINDS))[number % len(KINDS)]
    kinds = [first] if kind else [first, *rng.choices(KINDS, k=rng.choice((0, 0, 1, 2)))]
    return Plan(
        number=number,
        records=size,
        step=cap or limit,
        behaviour={
            "cap": cap,
            "sort": order[0],
            "latency_ms": rng.choice((0, 5, 20)),
            "jitter_ms": rng.choice((0, 20)),
            "faults": _faults(rng),
        },
        settings=_settings(rng, limit, order[1]),
        arrivals=Arrivals(rng.randint(1, 40), rng.randint(3, 40), rng.choice(("front", "read", "random", "back"))),
        blows=[_blow(rng, kind, pages) for kind in kinds],
        busy=rng.random() < 1 / 2,
    )


def _faults(rng: Random) -> list[dict[str, Any]]:
    numbers: list[list[int]] = [[] for _ in FAULTS]
    for number in range(1, ANSWERS_PLANNED):
        if rng.random() < FAILING:
            rng.choice(numbers).append(number)
    return [{**fault, "on": on} for fault, on in zip(FAULTS, numbers, strict=True) if on]


def _settings(rng: Random, limit: int, order: str) -> dict[str, str]:
    settings = {
        "TAP_STORAGE_LIMIT": str(limit),
        "TAP_STORAGE_SORT_ORDER": order,
        "TAP_STORAGE_CONCURRENCY": rng.choice(("1", "4", "8")),
        "TAP_STORAGE_BACKOFF_FACTOR": "0",
        "TAP_STORAGE_LOOKBACK_WINDOW": rng.choice(("0", "300")),
        "TARGET_POSTGRES_BATCH_SIZE_ROWS": rng.choice(("500", "3000", "50000")),
    }
    if rng.random() < 1 / 4:
        settings |= {
            "TAP_STORAGE_REPLICATION_KEY": "",
            "TAP_STORAGE_SORT_ORDER": "unsorted",
            "TAP_STORAGE_EMIT_ACTIVATE_VERSION_MESSAGES": "true",
        }
    return settings


def _blow(rng: Random, kind: str, pages: int) -> Blow:
    """Return a blow at any moment from the start of Meltano to the last rows on their way to PostgreSQL."""
    down = rng.choice((0, rng.uniform(0, 2), None)) if kind in OF_POSTGRES else 0
    if rng.random() < 1 / 6:
        return Blow(kind, 0, rng.uniform(0, START_S), down)
    return Blow(kind, rng.randint(1, round(pages * 1.4) + 1), rng.choice((0, rng.expovariate(2))), down)
