"""Which records a well-formed data request gets, and the JSON body they come in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo.fake_api.behaviour import Capped, Ceiling, MultiplesOf, Status, Value
from demo.fake_api.instants import Window, instant

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from demo.fake_api.behaviour import Behaviour, Filters
    from demo.fake_api.collection import Collection

DEFAULT_LIMIT = 100
SORTS = ("created_at", "-created_at", "id")
NO_TOTAL = object()
LIST = "the list of records goes here"


class Failure(Exception):  # noqa: N818 - an answer, not a defect
    """A data request that the API turns down, with this status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Question:
    """What a data request asks for; offset None: not said."""

    limit: int
    offset: int | None
    sort: str | None
    window: Window | None


@dataclass(frozen=True)
class Page:
    """The records of an answer by number, and its total: any JSON value or NO_TOTAL."""

    numbers: Sequence[int]
    total: object


def question(query: Mapping[str, str], behaviour: Behaviour) -> Question:
    """Read the query parameters; raises Failure for what the API does not take."""
    names = behaviour.params
    limit = _whole(query, names.limit)
    if limit is not None and limit < 1:
        message = f"{names.limit} must be at least 1"
        raise Failure(400, message)
    offset = None
    if behaviour.offset != "ignored":
        offset = _whole(query, names.offset) if names.offset in query else behaviour.first_offset
        if offset is None or offset < behaviour.first_offset:
            message = f"{names.offset} must be at least {behaviour.first_offset}"
            raise Failure(400, message)
    sort = query.get("sort")
    if sort is not None and sort not in SORTS:
        message = "sort must be one of " + ", ".join(SORTS)
        raise Failure(400, message)
    return Question(
        limit=DEFAULT_LIMIT if limit is None else limit,
        offset=offset,
        sort=sort or behaviour.sort,
        window=_window(query, behaviour.filters),
    )


def page(
    asked: Question,
    collection: Collection,
    behaviour: Behaviour,
    *,
    request: int,
    rng: Random,
) -> Page:
    """Return the page for a question; raises Failure where the API answers an error.

    request: which data request this is, from 1. rng: shuffles an unstable order.
    """
    numbers = collection.view(None if asked.sort == "unstable" else asked.sort, asked.window)
    if asked.sort == "unstable":
        numbers = rng.sample(numbers, len(numbers))
    size = min(asked.limit, behaviour.cap or asked.limit)
    if behaviour.short_every and request % behaviour.short_every == 0:
        size = max(1, size // 2)
    start = _start(asked.offset, len(numbers), size, behaviour)
    served = visible(numbers[start : start + size], behaviour)
    return Page(served, _total(behaviour, len(numbers), len(served), len(collection)))


def visible(numbers: Sequence[int], behaviour: Behaviour) -> Sequence[int]:
    """Return the numbers without those of hidden records."""
    hidden = behaviour.hidden_every
    return [n for n in numbers if n % hidden] if hidden else numbers


def body(behaviour: Behaviour, content: bytes, total: object) -> bytes:
    """Return the JSON of an answer: the list of records in its envelope."""
    if behaviour.envelope == "$":
        return content
    answer: dict[str, object] = {}
    _place(answer, behaviour.envelope, LIST)
    if total is not NO_TOTAL:
        _place(answer, "meta.total" if behaviour.total == "nested" else "total", total)
    before, after = json.dumps(answer, separators=(",", ":")).split(json.dumps(LIST))
    return b"".join((before.encode(), content, after.encode()))


def _start(offset: int | None, available: int, size: int, behaviour: Behaviour) -> int:
    """Return the position of the page's first record, past the end for an empty one."""
    if offset is None:
        return 0
    match behaviour.ceiling:
        case Ceiling(ceiling, answer) if offset >= ceiling:
            if isinstance(answer, Status):
                raise Failure(answer.status, f"nothing is served from offset {ceiling}")
            return available
    start = offset - behaviour.first_offset
    if isinstance(behaviour.offset, MultiplesOf):
        start -= start % behaviour.offset.multiples_of
    if start < available or not available:
        return start
    if isinstance(behaviour.past_end, Status):
        message = "there is nothing at this offset"
        raise Failure(behaviour.past_end.status, message)
    if behaviour.past_end == "repeat":
        return (available - 1) // size * size
    return start


def _total(behaviour: Behaviour, matching: int, served: int, everything: int) -> object:
    told = behaviour.total
    if isinstance(told, Capped):
        return min(matching, told.capped)
    if isinstance(told, Value):
        return told.value
    return {
        "exact": matching,
        "absent": NO_TOTAL,
        "null": None,
        "string": str(matching),
        "nested": matching,
        "page": served,
        "unfiltered": everything,
    }[told]


def _place(answer: dict[str, object], path: str, value: object) -> None:
    *parents, last = path.split(".")
    for parent in parents:
        nested = answer.setdefault(parent, {})
        if not isinstance(nested, dict):
            return
        answer = nested
    answer[last] = value


def _whole(query: Mapping[str, str], name: str) -> int | None:
    try:
        return int(query[name]) if name in query else None
    except ValueError:
        message = f"{name} must be a whole number"
        raise Failure(400, message) from None


def _window(query: Mapping[str, str], filters: Filters | None) -> Window | None:
    if filters is None or not {filters.start, filters.end} & query.keys():
        return None
    try:
        start, end = (instant(query[name]) if name in query else None for name in (filters.start, filters.end))
    except ValueError:
        message = f"{filters.start} and {filters.end} must be ISO 8601 or epoch seconds"
        raise Failure(400, message) from None
    return Window(start, end, filters.exclusive, filters.resolution_s)
