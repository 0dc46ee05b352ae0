"""The ground that a walk has read: where its last record stands, which records are known, and how far they moved."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, WalkError, refuse_disorder, refuse_restlessness
from tap_storage.walk.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGES_REMEMBERED = 16
MOST_DISORDERS = 4
"""Answers in a row whose known records come in another order than before."""
MOST_RESTARTS = 3
"""Times that all records remembered may be gone."""


class Ground:
    """What was read, and what an answer adds to it.

    start: offset of the first record. limit: records asked for at a time. overlap: records that consecutive pages
    share. unique: whether a key names one record. note: is told what a person may want to know.
    """

    def __init__(self, *, start: int, limit: int, overlap: int, unique: bool, note: Callable[[str], object]) -> None:
        self.start = start
        self.limit = limit
        self.note = note
        self.trail = Trail(PAGES_REMEMBERED * limit)
        self.position = start
        """Where the frontier, the last record read, was seen last."""
        self.largest = 0
        """The most records on a page so far."""
        self.pages = 0
        """Pages that held something new."""
        self.read = 0
        self.moved = 0
        """By how many places records were seen to move, all in all."""
        self.total: int | None = None
        """The collection's size as the API stated it last."""
        self.promised: int | None = None
        """What it stated last while there was more to come."""
        self.new: Sequence[int] = ()
        """The places of new records in the answer taken last."""
        self.idle = 0
        """Answers without any since."""
        self._first = start if start <= 1 else 0  # an API counts from 0 or from 1; what lies beyond that is skipped
        self._overlap = overlap
        self._unique = unique
        self._full = True
        self._stated: int | None = None
        self.hiding = 0
        """Pages that were seen to lack records which the API left out."""
        self._steady = True
        self._restless = False
        self._disorders = self._restarts = 0

    # Questions about an answer.

    def known(self, answer: Answer) -> list[int]:
        """Return the places of the records that are known."""
        return [place for place, key in enumerate(answer.keys) if key in self.trail]

    def unknown(self, answer: Answer, start: int = 0) -> list[int]:
        """Return the places of the records that are not, from a place on."""
        return [place for place in range(start, len(answer.keys)) if answer.keys[place] not in self.trail]

    def knows(self, answer: Answer) -> bool:
        """Tell whether any record is known."""
        return any(key in self.trail for key in answer.keys)

    def leads_on(self, answer: Answer) -> bool:
        """Tell whether any record is unknown, or known to come after the frontier."""
        known = self.known(answer)
        frontier = self.trail.place(self.trail.frontier)
        return len(known) < len(answer.keys) or any(self.trail.place(answer.keys[place]) > frontier for place in known)

    def agrees(self, answer: Answer) -> bool:
        """Tell whether the total is what was read."""
        return answer.total == self.position + 1 - self._first

    def lacks(self, answer: Answer) -> bool:
        """Tell whether the total is more than what was read."""
        return answer.total is not None and answer.total > self.position + 1 - self._first

    def shift(self, answer: Answer) -> int:
        """Return by how many places the last known record of an answer stands elsewhere than it should."""
        known = self.known(answer)
        if not known:
            return 0
        last = answer.keys[known[-1]]
        expected = self.position + self.trail.place(last) - self.trail.place(self.trail.frontier)
        return answer.offset + known[-1] - expected

    def joins(self, answer: Answer) -> bool:
        """Tell whether an answer begins as it should, with the last records read where they were."""
        overlap = self.overlap
        return answer.offset == self.seam and self.trail.ends_with(answer.keys[:overlap])

    # Where to go on.

    @property
    def overlap(self) -> int:
        """How many records the next page is to share with the last: not all, or it would be the same page again."""
        return max(1, min(self._overlap, self.largest - 1))

    @property
    def seam(self) -> int:
        """The offset of the page that begins with the last records read."""
        return max(self.start, self.position + 1 - self.overlap)

    @property
    def stride(self) -> int:
        """The distance between the offsets of pages that share records."""
        return self.largest - self.overlap

    @property
    def reach(self) -> int:
        """The offset behind the last one that the total promises."""
        return self._first + (self.total or 0)

    # What an answer adds.

    def extend(self, answer: Answer, new: Sequence[int]) -> None:
        """Take these records of an answer as following those read."""
        self.trail.append([answer.keys[place] for place in new])
        self._adopt(answer, new)

    def advance(self, answer: Answer) -> bool:
        """Take in an answer that holds known records, or else the first page again; tell whether any is new."""
        if self.joins(answer):
            new: Sequence[int] = (
                self.unknown(answer, self.overlap) if self._unique else range(self.overlap, len(answer.keys))
            )
            if len(answer.keys) > self.overlap:
                self.trail.append(answer.keys[self.overlap :])
            self._disorders = 0
        elif known := self.known(answer):
            new = self._weave(answer, known)
        else:
            self._begin_again()
            new = range(len(answer.keys))
            self.trail.weave(answer.keys, start=0)
        self._adopt(answer, new)
        return bool(new)

    def compare_with_total(self) -> None:
        """Raise WalkError where fewer records were read than there are, by a total that never changed."""
        if not self._steady:
            self.check_order()
        elif (self.moved or self._restless) and self.read < self.position + 1 - self.start:
            msg = (
                f"is the last of {self.total} records, but {self.read} different ones were read while records moved: "
                "some moved to where it had been read. Add a sort by a field that never changes to params, or run again"
            )
            raise WalkError(msg)

    def check_order(self) -> None:
        """Raise WalkError where known records ever came in another order, so that unknown ones may have, too."""
        if self._restless:
            refuse_disorder()

    def hear(self, total: int | None) -> None:
        """Take in the total of an answer."""
        if total is not None:
            self._steady = self._steady and self.total in (None, total)
            self.total = total

    def _weave(self, answer: Answer, known: Sequence[int]) -> Sequence[int]:
        before = self.trail.place(answer.keys[known[0]])
        # What stands before the first known record was inserted, unless it may be older than the trail.
        inserted = not self.trail.forgetful or before > self.trail.capacity // 2
        new = self.unknown(answer, 0 if inserted else known[0])
        ordered = self._is_ordered(answer, known)
        if ordered:
            self._account_for(self.shift(answer), answer)
        self._disorders = 0 if ordered else self._disorders + 1
        self._restless = self._restless or not ordered
        if self._disorders > MOST_DISORDERS:
            refuse_disorder()
        self.trail.weave([answer.keys[place] for place in sorted([*new, *known])], start=before)
        return new

    def _is_ordered(self, answer: Answer, known: Sequence[int]) -> bool:
        """Tell whether known records come as they did before, but for those that moved behind what was read."""
        ground = list(itertools.takewhile(lambda place: answer.keys[place] != self.trail.frontier, known))
        places = [self.trail.place(answer.keys[place]) for place in ground]
        return places == sorted(places)

    def _account_for(self, shift: int, answer: Answer) -> None:
        """Tell records that moved from those that follow hidden ones, and so stand further on than they seemed to."""
        grew = answer.total is not None and self._stated is not None and answer.total > self._stated
        if shift < 0 or (shift and (self._full or grew)):
            self.moved += abs(shift)
            self.note(
                f"Records moved by {shift:+d} while they were read: seen at offset {answer.offset}, "
                f"after the page at offset {self.seam} was asked for"
            )
        elif shift:
            self.hiding += 1
            if self.hiding == 1:
                self.note(
                    f"The page at offset {answer.offset} shows that the API left records out of the one before it"
                )

    def _begin_again(self) -> None:
        if not self.trail.forgetful:
            return
        self._restarts += 1
        if self._restarts > MOST_RESTARTS:
            refuse_restlessness()
        self.note(
            f"More records moved than the {len(self.trail)} that are remembered: reading again from offset "
            f"{self.start}, and emitting again what was emitted"
        )

    def _adopt(self, answer: Answer, new: Sequence[int]) -> None:
        """Take the last record of an answer for the frontier."""
        size = len(answer.keys)
        self.position = answer.offset + size - 1
        self._full = size == self.limit
        self._stated = answer.total
        if not new:
            return
        self.new = new
        self.largest = max(self.largest, size)
        self.pages += 1
        if self.lacks(answer):
            self.promised = answer.total
        if self.pages == 2 and size == self.largest < self.limit:  # noqa: PLR2004
            self.note(f"The API serves {size} records a page where limit asks for {self.limit}: reading on by {size}")
