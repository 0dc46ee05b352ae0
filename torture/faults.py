"""The ways in which an answer of the API can fail, and what a run may make of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

Fault = dict[str, Any]

ELSEWHERE: Final = "http://127.0.0.1:1/v1/resource?{query}"
SAME_PLACE: Final = "/v1/resource?{query}"

PASSING: Final[Mapping[str, Fault]] = {
    "429": {"kind": "status", "status": 429},
    "500": {"kind": "status", "status": 500},
    "502": {"kind": "status", "status": 502, "body": "<html>bad gateway</html>"},
    "503": {"kind": "status", "status": 503},
    "504": {"kind": "status", "status": 504, "body": ""},
    "Retry-After, seconds": {"kind": "retry_after", "seconds": 1},
    "Retry-After, no time": {"kind": "retry_after", "seconds": 0, "status": 503},
    "Retry-After, a date": {"kind": "retry_after", "seconds": 0.5, "as": "date"},
    "dropped": {"kind": "drop"},
    "cut off": {"kind": "cut"},
    "closed late": {"kind": "unanswered", "seconds": 0.2},
    "no answer": {"kind": "unanswered"},
    "trickle": {"kind": "trickle", "interval_s": 0.1},
    "trickling head": {"kind": "trickle_headers", "interval_s": 0.1},
    "no JSON": {"kind": "garbage"},
    "half a JSON": {"kind": "raw", "body": '{"data": [{"id": "obj-0000001", "created_at": "2020-'},
    "nothing at all": {"kind": "raw", "body": ""},
    "HTML": {"kind": "html"},
    "echo of the request": {"kind": "echo"},
}
"""What a run asks again for, `max_retries` times."""

HARMLESS: Final[Mapping[str, Fault]] = {
    "redirect on the server": {"kind": "redirect", "location": SAME_PLACE, "status": 307},
}
"""What a run takes as it comes."""

FINAL: Final[Mapping[str, Fault]] = {
    "400": {"kind": "status", "status": 400},
    "401": {"kind": "status", "status": 401},
    "403": {"kind": "status", "status": 403},
    "404": {"kind": "status", "status": 404},
    "redirect elsewhere": {"kind": "redirect", "location": ELSEWHERE},
    "error envelope": {"kind": "envelope"},
    "null for the list": {"kind": "null_data"},
    "an object for the list": {"kind": "data_object"},
    "numbers for records": {"kind": "scalars"},
    "an empty page": {"kind": "empty"},
    "another API's page": {"kind": "raw", "body": '{"items": [{"key": 1}], "count": 7}'},
}
"""What a run may fail of, and must not take for the end of the collection."""

KINDS: Final[Mapping[str, Fault]] = {**PASSING, **HARMLESS, **FINAL}
SPARE: Final = 3
"""How many times the requests that a run is likely to need are given faults; what must come is among the first."""
SLOW: Final = frozenset({"no answer", "trickle", "trickling head"})
"""Those that cost a whole timeout, or ten."""


def schedule(rng: Random, first: int, requests: int, share: float) -> list[Fault]:
    """Return faults for that share of so many data requests from the first on, kinds at random.

    Retry-After, and what costs a timeout, come three times at most: they are a second each. Every other schedule has
    something final in it, once, in the first half of what a run is likely to need.
    """
    often = [kind for kind in {**PASSING, **HARMLESS} if kind not in SLOW and "After, seconds" not in kind]
    meant: dict[str, list[int]] = {}
    for number in range(first, first + requests):
        if rng.random() < share:
            meant.setdefault(rng.choice(often), []).append(number)
    for kind in rng.sample([*SLOW, "Retry-After, seconds", "Retry-After, a date"], k=rng.choice([0, 0, 1, 2])):
        meant.setdefault(kind, []).append(_early(rng, first, requests))
    if rng.random() < 1 / 2:
        meant[rng.choice(list(FINAL))] = [_early(rng, first, max(1, requests // SPARE // 2))]
    rare = sorted(meant, key=lambda kind: len(meant[kind]))  # the first that is due counts
    return [{**KINDS[kind], "on": sorted(set(meant[kind]))} for kind in rare]


def storm(rng: Random, first: int, requests: int) -> list[Fault]:
    """Return a few dozen answers of 429 in a row, with or without a Retry-After."""
    begin = _early(rng, first, requests)
    fault: Fault = rng.choice([KINDS["429"], KINDS["Retry-After, no time"]])
    return [{**fault, "from": begin, "times": rng.randint(2, 30)}]


def by_number(scheduled: Sequence[Fault]) -> dict[int, str]:
    """Return what each data request met, by its number."""
    met: dict[int, str] = {}
    for fault in reversed(scheduled):  # the first that is due counts
        first, times = fault.get("from", 0), fault.get("times", 0)
        numbers = fault.get("on") or range(first, first + times)
        met.update(dict.fromkeys(numbers, _name(fault)))
    return met


def _name(fault: Fault) -> str:
    timeless = {key: value for key, value in fault.items() if key not in {"on", "from", "times"}}
    return next(kind for kind, known in KINDS.items() if known == timeless)


def _early(rng: Random, first: int, requests: int) -> int:
    """Return one of the requests, those at the beginning, where runs differ most, oftener."""
    return first + int(requests * rng.random() ** 2)
