"""A story: an API that misbehaves, a config, and attempts to read it that are disturbed, drawn from a seed."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

SIZES: Final = [0, 1, 30, 200, 200, 500, 500, 1_000, 2_000, 3_000, 12_000, 25_000]
LIMITS: Final = [1, 2, 5, 20, 50, 100, 100, 250, 1_000, 5_000]
MANY: Final = 10**6
MOST_PAGES: Final = 150
FEW: Final = 4
"""Records to a page, at least, so that none of its halves holds but hidden ones."""
DESELECTED: Final = ["name", "updated_at", "size", "content_type", "checksum", "path", "is_public", "metadata"]
ENDINGS: Final = ["none", "none", "none", "SIGKILL", "SIGKILL", "SIGKILL", "SIGTERM", "SIGINT", "pipe"]

MODES: Final[Mapping[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "unsorted": ({}, {}),
    "ascending": ({"sort_order": "ascending"}, {"sort": "created_at"}),
    "descending": ({"sort_order": "descending"}, {"sort": "-created_at"}),
    "filtered": ({"start_param": "created_from"}, {}),
    "filtered, ascending": (
        {"start_param": "created_from", "end_param": "created_to", "sort_order": "ascending"},
        {"sort": "created_at"},
    ),
    "full table": ({"replication_key": ""}, {}),
    "full table with versions": ({"replication_key": "", "emit_activate_version_messages": True}, {}),
}
"""Settings of the tap, and what the API does."""


@dataclasses.dataclass(frozen=True)
class Ending:
    """How an attempt is ended from outside: by a signal, or a pipe that closes; "none": not at all.

    lines: of output, after which. seconds: after which, if that comes first.
    """

    kind: str = "none"
    lines: int = 10**9
    seconds: float = 10**9


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One run of the command.

    before, during: changes of the collection. share: of answers that fail. storm: whether 429 comes in a row.
    """

    ending: Ending = Ending()
    before: Sequence[Mapping[str, Any]] = ()
    during: Sequence[Mapping[str, Any]] = ()
    share: float = 0
    storm: bool = False


@dataclasses.dataclass(frozen=True)
class Story:
    """All that is drawn. selection: fields that the catalog deselects, None for no catalog."""

    mode: str
    records: int
    behaviour: Mapping[str, Any]
    config: Mapping[str, Any]
    selection: Sequence[str] | None
    batch: bool
    attempts: Sequence[Attempt]

    @property
    def requests(self) -> int:
        """About how many requests a whole run of one stream sends."""
        page = min(self.config["limit"], self.behaviour["cap"] or self.records + 1, self.records + 1)
        return 10 + self.records // int(max(1, page - self.config["page_overlap"]))

    @property
    def loud(self) -> bool:
        """Whether the API is such that a run may fail without any fault."""
        told = self.behaviour
        refusing = isinstance(told.get("past_end"), dict) and self.promising
        repeating = told.get("past_end") == "repeat" and "offset" in told  # as if offsets were ignored
        unprovable = self.promising and ("offset" in told or self.config["limit"] == 1)  # as behind a ceiling
        return self.unordered or self.unsteady or "ceiling" in told or refusing or repeating or unprovable

    @property
    def unsteady(self) -> bool:
        """Whether pages are short now and then, and lack rows as well, so that no offset is what it was before."""
        return {"short_every", "hidden_every"} <= self.behaviour.keys()

    @property
    def promising(self) -> bool:
        """Whether totals are higher than what there is."""
        return self.behaviour["total"] in [{"value": MANY}, "unfiltered"]

    @property
    def unordered(self) -> bool:
        """Whether the API has no order."""
        return self.behaviour.get("sort") == "unstable"

    @property
    def blind(self) -> bool:
        """Whether pages share no records, so that a place where records moved meanwhile is not found again."""
        return "offset" in self.behaviour or not self.config["page_overlap"]


def draw(rng: Random) -> Story:
    """Draw a story."""
    limit = rng.choice(LIMITS)
    records = min(rng.choice(SIZES), limit * MOST_PAGES)
    mode = rng.choice(list(MODES))
    settings, sorting = MODES[mode]
    paging, told = _paging(rng, limit, records)
    overlap = 0 if limit == 1 or isinstance(told.get("offset"), dict) else rng.choice([0, 1, 1, 1, min(limit - 1, 5)])
    blind = overlap == 0
    behaviour = {**told, **_transfer(rng), **sorting}
    if mode == "unsorted" and rng.random() < 1 / 20:
        behaviour |= rng.choice([{"sort": "unstable"}, {"ceiling": {"offset": max(1, records // 2)}}])
    config = {
        **paging,
        **settings,
        "limit": limit,
        "page_overlap": overlap,
        "concurrency": rng.choice([1, 2, 4, 4, 16]),
        "max_retries": rng.choice([0, 2, 5, 5, 20]),
        "lookback_window": rng.choice([0, 60, 300]),
        "infer_schema": rng.random() < 3 / 4,
        **rng.choice([{}, {}, {}, {"requests_per_second": 200}]),
        **rng.choice([{}, {}, {"resources": [{"name": "storage_data"}, {"name": "other", "path": "/v1/other"}]}]),
        **rng.choice([{}, {}, {}, {"stream_maps": {"storage_data": {"origin": "'api'", "checksum": "__NULL__"}}}]),
    }
    story = Story(
        mode=mode,
        records=records,
        behaviour=behaviour,
        config=config,
        selection=rng.sample(DESELECTED, k=rng.randint(0, 4)) if rng.random() < 1 / 3 else None,
        batch=rng.random() < 1 / 5,
        attempts=(),
    )
    attempts = [_attempt(rng, story, first=number == 0, blind=blind) for number in range(rng.randint(1, 4))]
    return dataclasses.replace(story, attempts=attempts)


def _paging(rng: Random, limit: int, records: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return settings of the tap, and what the API does with limits, offsets and totals."""
    first = rng.choice([0, 0, 0, 1])
    config: dict[str, Any] = {"initial_offset": first}
    told: dict[str, Any] = {"first_offset": first, "cap": None}
    told["total"] = rng.choice(
        [
            *["exact", "exact", "exact", "absent", "null", "string", "page", "unfiltered"],
            *[{"capped": max(1, records // 2)}, {"value": -1}, {"value": "many"}, {"value": MANY}],
        ]
    )
    hiding = ["hidden", "all"] if limit >= FEW else []  # an empty page is the end where no total says otherwise
    match rng.choice(["plain", "plain", "plain", "cap", "short", "multiples", *hiding]):
        case "cap":
            told["cap"] = rng.randint(max(1, limit // 4), limit)
        case "short":
            told["short_every"] = rng.randint(2, 7)
        case "hidden":
            told["hidden_every"] = rng.randint(2, 30)
        case "multiples":
            told["offset"] = {"multiples_of": limit}
        case "all":
            told |= {"cap": rng.randint(max(FEW, limit // 2), limit), "short_every": 5, "hidden_every": 11}
    told["past_end"] = rng.choice(["empty", "empty", "repeat", {"status": 404}])
    told["envelope"] = rng.choice(["data", "data", "$", "result.items"])
    config["data_selector"] = told["envelope"]
    return config, told


def _transfer(rng: Random) -> dict[str, Any]:
    """Return how answers arrive."""
    return {
        "latency_ms": rng.choice([0, 0, 0, 2, 10]),
        "jitter_ms": rng.choice([0, 0, 10]),
        "gzip": rng.random() < 1 / 4,
        "chunked": rng.random() < 1 / 4,
        "bom": rng.random() < 1 / 8,
        "close": rng.random() < 1 / 4,
        "id_type": rng.choice(["string", "integer"]),
        "shape": rng.choice(["mixed", "flat", "wide"]),
        "paths": ["/v1/resource", "/v1/other"],
    }


def _attempt(rng: Random, story: Story, *, first: bool, blind: bool) -> Attempt:
    kind = rng.choice(ENDINGS)
    lines = rng.randint(0, 1 + (story.records * 5 // 4 if rng.random() < 3 / 4 else 3))
    ending = Ending(kind, lines, 10**9 if rng.random() < 3 / 4 else rng.uniform(0, 2))
    before = (
        [] if first else [_change(rng, rng.choice(["insert", "insert", "delete"])) for _ in range(rng.randint(0, 2))]
    )
    during = []
    for _ in range(rng.choice([0, 0, 0, 1, 2, 3])):
        change = _change(rng, rng.choice(["insert"] if blind else ["insert", "delete"]))
        change |= rng.choice(
            [{"every": rng.randint(3, 60), "times": rng.randint(1, 20)}, {"after": rng.randint(1, story.requests)}]
        )
        during.append(change | ({"at": "back"} if blind else {}))
    return Attempt(ending, before, during, share=rng.choice([0, 0, 0.05, 0.2]), storm=rng.random() < 1 / 6)


def _change(rng: Random, kind: str) -> dict[str, Any]:
    place = rng.choice(
        ["front", "back", "random", "random"] if kind == "insert" else ["front", "back", "read", "random"]
    )
    return {"op": kind, "at": place, "count": rng.choice([1, 1, 2, 7, 30])}
