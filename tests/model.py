"""A server whose collection changes while it is read, and a reader that fetches ahead, for the walk's property test.

It shares no arithmetic with the walk: records are the elements of a list, and a page is a slice of it.
"""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING, Literal

from tap_storage.walk import Walk

if TYPE_CHECKING:
    from collections.abc import Sequence

Total = Literal["right", "absent"] | int


@dataclasses.dataclass(frozen=True)
class Change:
    """So many records that are inserted or deleted at a place, 0 the front and 1 the back."""

    op: Literal["insert", "delete"]
    place: float
    count: int


@dataclasses.dataclass(frozen=True)
class Case:
    """A server and a reader.

    shorts: records that pages lack, page after page, over and over; a page keeps two. changes: those after each answer,
    none after the last listed. depth: pages fetched at a time. seed: of the order in which those are answered.
    """

    records: int
    limit: int
    cap: int
    overlap: int
    shorts: Sequence[int]
    total: Total
    changes: Sequence[Sequence[Change]]
    depth: int
    seed: int

    @property
    def size(self) -> int:
        """The most records that a page holds."""
        return min(self.limit, self.cap)


class Server:
    """Answers with slices of a list, which changes after each answer."""

    def __init__(self, case: Case) -> None:
        self.records = list(range(case.records))
        self.before = set(self.records)
        self.ever = set(self.records)
        self.answers = 0
        self.changed = 0
        self._case = case

    def get(self, offset: int) -> tuple[list[int], int | None]:
        """Return a page and the total, and change."""
        page = self.records[offset:][: self._case.size]
        shorts = self._case.shorts
        if shorts and len(page) > 2:
            page = page[: max(2, len(page) - shorts[self.answers % len(shorts)])]
        told = self._case.total
        total = len(self.records) if told == "right" else None if told == "absent" else told
        for change in self._case.changes[self.answers : self.answers + 1]:
            self._apply(change)
        self.answers += 1
        return page, total

    @property
    def survivors(self) -> set[int]:
        """The records that were there all the time."""
        return self.before & set(self.records)

    def _apply(self, changes: Sequence[Change]) -> None:
        for change in changes:
            for _ in range(change.count):
                if change.op == "insert":
                    new = len(self.ever)
                    self.records.insert(round(change.place * len(self.records)), new)
                    self.ever.add(new)
                elif self.records:
                    self.records.pop(round(change.place * (len(self.records) - 1)))
                self.changed += 1


@dataclasses.dataclass
class Outcome:
    """What came of reading: records emitted, in order; answers taken; the most keys remembered; notes."""

    server: Server
    emitted: list[int] = dataclasses.field(default_factory=list)
    taken: int = 0
    remembered: int = 0
    notes: list[str] = dataclasses.field(default_factory=list)


class EndlessError(Exception):
    """The walk asks for ever."""


def read(case: Case, *, patience: int = 5000) -> Outcome:
    """Read a server with pages fetched ahead, answered in any order. Raises WalkError, EndlessError."""
    server = Server(case)
    outcome = Outcome(server)
    chance = random.Random(case.seed)
    walk = Walk(limit=case.limit, overlap=case.overlap, note=outcome.notes.append)
    fetched: dict[int, tuple[list[int], int | None, int]] = {}
    while not walk.finished:
        if server.answers > patience:
            raise EndlessError
        wanted = list(walk.upcoming(case.depth))
        fetched = {offset: fetched[offset] for offset in wanted if offset in fetched}
        missing = [offset for offset in wanted or [walk.offset] if offset not in fetched]
        chance.shuffle(missing)
        for offset in missing:
            fetched[offset] = (*server.get(offset), outcome.taken)
        page, total, after = fetched.pop(walk.offset)
        outcome.emitted += [page[place] for place in walk.take(page, total, early=after < outcome.taken)]
        outcome.taken += 1
        outcome.remembered = max(outcome.remembered, walk.remembered)
    return outcome
