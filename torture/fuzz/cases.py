"""Cases: what a run is given, and how it is judged. Case K of a seed is always the same.

Here is what cases are made of; `bodies` and `heads` have the answers of an API, `files` what a person passes.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from torture.fuzz.mutations import dump
from torture.fuzz.serving import answer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torture.fuzz.running import Ending
    from torture.fuzz.serving import Answer

KEY = "fuzz-secret"
SIZE = 12
"""Records of a collection."""
PAGE = 5
MOST_DIGITS = 9
"""Of an offset that is asked for."""
FIELDS = {
    "tags": {"type": ["array", "null"], "items": {"type": ["string", "null"]}},
    "price": {"type": ["number", "null"]},
    "day": {"type": ["string", "null"], "format": "date"},
    "owner": {
        "type": ["object", "null"],
        "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}},
        "required": ["name"],
    },
    "kind": {"type": ["string", "null"], "enum": ["a", "b", None]},
}


@dataclasses.dataclass(frozen=True)
class Case:
    """What a run is given, and what judges it besides the rules for all.

    files: contents by option. options: further ones. plain: whether it is to write no messages; mapped: whether its
    records are what expressions make of them. hostile: things in it that are; almost: those of them that are valid but
    for little.
    """

    kind: str
    files: Mapping[str, bytes]
    answer: Answer
    judge: Callable[[Ending], list[str]]
    options: Sequence[str] = ()
    plain: bool = False
    mapped: bool = False
    hostile: int = 1
    almost: int = 1


def record(number: int) -> dict[str, Any]:
    """Return a valid record, with all that the schemas know."""
    return {
        "id": f"r{number:03}",
        "name": f"é {number}" if number % 3 else None,
        "created_at": f"2024-01-{number + 1:02}T00:00:00Z",
        "updated_at": f"2024-02-{number + 1:02}T00:00:00.123456+01:00",
        "size": number * 1000,
        "is_public": bool(number % 2),
        "metadata": {"a": [1, {"b": 1.5}], "n": None},
        "tags": ["x", None],
        "price": 1.25,
        "day": "2024-01-01",
        "owner": {"name": "o", "age": number},
        "kind": "a",
    }


COLLECTION = [record(number) for number in range(SIZE)]
IDS = [each["id"] for each in COLLECTION]


def config(url: str, **more: Any) -> dict[str, Any]:
    """Return the config that reads the server at this address, asking once."""
    return {"base_url": url, "api_key": KEY, "backoff_factor": 0, "max_retries": 0, "limit": PAGE, "timeout": 5, **more}


def page(records: Sequence[Any], total: int, selector: str = "data") -> Any:
    """Return an answer's tree, in which the records are where a selector says."""
    if selector == "$":
        return list(records)
    tree: Any = list(records)
    for name in reversed(selector.split(".")):
        tree = {name: tree}
    return tree | {"total": total, "next": None}


def paged(parameters: Mapping[str, str]) -> bytes:
    """Return the page of the collection that is asked for."""
    offset, limit = (
        int(text) if (text := parameters.get(name, "")).isdecimal() and len(text) < MOST_DIGITS else default
        for name, default in (("offset", 0), ("limit", 100))
    )
    return dump(page(COLLECTION[offset : offset + limit], SIZE)).encode()


def well(_: int, parameters: dict[str, str]) -> bytes:
    """Answer as an API should."""
    return answer(paged(parameters))
