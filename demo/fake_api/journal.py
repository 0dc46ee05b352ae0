"""The journal: every request and every change, in the order in which they happened."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from typing import TextIO

ENTRIES_KEPT = 200_000


@dataclass(frozen=True)
class Entry:
    """A request with the records it was served, or a change with its records.

    n: counts the entries, from 1. kind: "request", "insert" or "delete". at: seconds
    since 1970. numbers: the records. facts: what else the JSON entry says.
    """

    n: int
    kind: str
    at: float
    numbers: Sequence[int]
    facts: dict[str, object]


class Journal:
    """The entries since the last reset, the newest 200,000 of them.

    file: each entry is also written there, as a line of JSON. identifier: the id of a
    record's number.
    """

    def __init__(self, identifier: Callable[[int], object], file: TextIO | None = None) -> None:
        self._identifier = identifier
        self._file = file
        self._count = 0
        self._entries: deque[Entry] = deque(maxlen=ENTRIES_KEPT)

    def add(self, kind: str, numbers: Sequence[int] = (), **facts: object) -> None:
        """Write down what just happened."""
        self._count += 1
        entry = Entry(self._count, kind, time.time(), numbers, facts)
        self._entries.append(entry)
        if self._file:
            print(json.dumps(self._told(entry)), file=self._file, flush=True)

    def told(self, *, since: int = 0, all_ids: bool = False) -> list[dict[str, object]]:
        """Return the entries after number `since` as JSON objects."""
        later = (entry for entry in self._entries if entry.n > since)
        return [self._told(entry, all_ids=all_ids) for entry in later]

    def served(self) -> Iterator[int]:
        """Yield the numbers of the records served so far, some more than once."""
        for entry in self._entries:
            if entry.kind == "request":
                yield from entry.numbers

    def _told(self, entry: Entry, *, all_ids: bool = False) -> dict[str, object]:
        told = {"n": entry.n, "kind": entry.kind, "at": entry.at, **entry.facts}
        numbers = entry.numbers
        if entry.kind != "request":
            return {**told, "ids": self._ids(numbers)}
        told["served"] = len(numbers)
        told["ids"] = self._ids((numbers[0], numbers[-1]) if numbers else ())
        if all_ids:
            told["all_ids"] = self._ids(numbers)
        return told

    def _ids(self, numbers: Iterable[int]) -> list[object]:
        return [self._identifier(number) for number in numbers]
