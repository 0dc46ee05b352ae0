"""The ordered collection: which records there are, in which order, and their text."""

from __future__ import annotations

import json
import re
from array import array
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from demo.fake_api.instants import instant
from demo.fake_api.records import CHUNK, created

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from demo.fake_api.instants import Window
    from demo.fake_api.records import RecordMaker

VIEWS_KEPT = 16
TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{},]', re.DOTALL)


class Given(NamedTuple):
    """A record whose text was given, not made."""

    text: bytes
    identifier: str | int | None
    created: float | None


class Collection:
    """Records by number, in the order of insertion.

    Made records have the numbers from 1, records given as text those from -1 down. A
    number is never used twice, and what it stands for is known after its deletion.
    """

    def __init__(self, maker: RecordMaker, size: int) -> None:
        self._maker = maker
        self._given: dict[int, Given] = {}
        self._next_made = size + 1
        self._next_given = -1
        self._order: range | array[int] = range(1, size + 1)
        self._views: dict[tuple[str | None, Window | None], Sequence[int]] = {}

    def __len__(self) -> int:
        """Return the number of records there are."""
        return len(self._order)

    @property
    def order(self) -> Sequence[int]:
        """The numbers of the records, as inserted."""
        return self._order

    def made_by(self, maker: RecordMaker) -> None:
        """Have the made records come from another maker from now on."""
        self._maker = maker
        self._views.clear()

    def texts(self, numbers: Sequence[int]) -> Iterable[bytes]:
        """Return the records' JSON texts, in the order of the numbers."""
        if isinstance(numbers, range) and numbers.step == 1:
            return self._run(numbers)
        given, made = self._given, self._maker.text
        return [given[n].text if n in given else made(n) for n in numbers]

    def identifier(self, number: int) -> str | int | None:
        """Return the record's id; None if it has none that is a string or integer."""
        if number in self._given:
            return self._given[number].identifier
        return self._maker.identifier(number)

    def created(self, number: int) -> float | None:
        """Return the record's `created_at`; None if it has none that can be read."""
        if number in self._given:
            return self._given[number].created
        return created(number)

    def view(self, sort: str | None, window: Window | None) -> Sequence[int]:
        """Return the numbers of the records within the window, sorted.

        sort: "created_at", "-created_at" or "id"; None: as inserted.
        """
        key = (sort, window)
        if key not in self._views:
            if len(self._views) >= VIEWS_KEPT:
                self._views.clear()
            self._views[key] = self._sorted(self._within(window), sort)
        return self._views[key]

    def insert(self, position: int, count: int, created_at: str | None) -> Sequence[int]:
        """Insert made records at the position and return their numbers."""
        numbers = range(self._next_made, self._next_made + count)
        self._next_made += count
        if created_at is not None:
            for number in numbers:
                text = self._maker.dated(number, created_at)
                self._given[number] = given(text.decode())
        return self.put(position, numbers)

    def insert_texts(self, position: int, texts: Sequence[str]) -> Sequence[int]:
        """Insert records given as JSON text at the position, return their numbers."""
        numbers = range(self._next_given, self._next_given - len(texts), -1)
        self._next_given -= len(texts)
        self._given.update(zip(numbers, map(given, texts), strict=True))
        return self.put(position, numbers)

    def delete(self, numbers: Iterable[int]) -> None:
        """Delete the records with these numbers."""
        doomed = set(numbers)
        self._order = array("q", [n for n in self._order if n not in doomed])
        self._views.clear()

    def put(self, position: int, numbers: Sequence[int]) -> Sequence[int]:
        """Put records at the position, by numbers that are not in use, and return these."""
        if isinstance(self._order, range):
            self._order = array("q", self._order)
        self._order[position:position] = array("q", numbers)
        self._views.clear()
        return numbers

    def _run(self, numbers: range) -> Iterator[bytes]:
        """Yield the texts of made records that follow each other, by whole slices."""
        number = numbers.start
        while number < numbers.stop:
            index, place = divmod(number - 1, CHUNK)
            run = self._maker.chunk(index)[place : place + numbers.stop - number]
            yield from run
            number += len(run)

    def _within(self, window: Window | None) -> Sequence[int]:
        if window is None:
            return self._order
        if isinstance(self._order, range):  # made in the order of creation, so a million need not be looked at
            first = bisect_left(self._order, True, key=lambda n: window.begun(created(n)))  # noqa: FBT003 - a value
            last = bisect_left(self._order, True, key=lambda n: window.over(created(n)))  # noqa: FBT003 - likewise
            return self._order[first:last]
        kept = (n for n in self._order if window.admits(self.created(n)))
        return array("q", kept)

    def _sorted(self, numbers: Sequence[int], sort: str | None) -> Sequence[int]:
        if sort == "-created_at":
            return self._sorted(numbers, "created_at")[::-1]
        if sort is None or isinstance(numbers, range):  # made in the order of both
            return numbers
        return sorted(numbers, key=self._by_id if sort == "id" else self._by_created)

    def _by_created(self, number: int) -> tuple[float, int]:
        moment = self.created(number)
        return (float("-inf") if moment is None else moment, abs(number))

    def _by_id(self, number: int) -> tuple[bool, int, str]:
        identifier = self.identifier(number)
        if isinstance(identifier, int):
            return (False, identifier, "")
        return (True, 0, identifier or "")


def given(text: str) -> Given:
    """Return the record of a JSON text, kept as it is; it need not even be JSON."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        record = None
    fields = record if isinstance(record, dict) else {}
    identifier = fields.get("id")
    if not isinstance(identifier, (str, int)):
        identifier = None
    try:
        moment = instant(str(fields.get("created_at")))
    except ValueError:
        moment = None
    return Given(text.encode(errors="surrogatepass"), identifier, moment)


def split_array(text: str) -> list[str]:
    """Return the texts of a JSON array's elements, exactly as they are written.

    Only brackets and strings are looked at: numbers keep their digits, and depth has no
    limit. Raises ValueError for text that is no array.
    """
    text = text.strip()
    if not (text.startswith("[") and text.endswith("]")):
        message = "expected the text of a JSON array"
        raise ValueError(message)
    depth, start, parts = 0, 1, []
    for token in TOKEN.finditer(text):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if (depth == 1 and token[0] == ",") or depth == 0:
            parts.append(text[start : token.start()].strip())
            start = token.end()
    return [] if parts == [""] else parts
