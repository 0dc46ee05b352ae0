"""The ground that a walk has read: where its last record stands, which records are known, and how far they moved."""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, WalkError, refuse_disorder, refuse_restlessness
from tap_storage.walk.totals import Totals
from tap_storage.walk.trail import Trail

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

PAGES_REMEMBERED = 16
DISORDER = 3
MOST_DISORDER = 12
"""How much disorder is borne: an answer whose known records come in another order than before adds three, any other
takes one away."""
CLOSE = 16
"""Records that may be gone between two by which a page is located."""
TWO = 2
LONG_TRICKLE = 8
"""Pages in a row that are not full, after which the collection may be growing while its end is read …"""
TRICKLE = 10
LONGEST_TRICKLE = 256
"""… and those with a tenth of what they could hold of new records, or less, after which it grows too fast."""
LONG_RESTLESS = 24
"""Answers without a new record, after which the frontier is not waited for to stand still."""
MOST_RESTARTS = 3
"""Times that all records remembered may be gone."""


class Ground:
    """What was read, and what an answer adds to it.

    start: offset of the first record. limit: records asked for at a time. overlap: records that consecutive pages
    share. unique: whether a key names one record. strides: empty pages in a row to look behind. note: is told what a
    person may want to know.
    """

    def __init__(  # noqa: PLR0913 (what can be told of a walk)
        self,
        *,
        start: int,
        limit: int,
        overlap: int,
        unique: bool,
        strides: int,
        note: Callable[[str], object],
    ) -> None:
        self.start = start
        self.limit = limit
        self.strides = strides
        self.note = note
        self.trail = Trail(PAGES_REMEMBERED * limit)
        self.totals = Totals(start)
        self.position = start
        """Where the frontier, the last record read, was seen last."""
        self.largest = 0
        """The most records on a page so far."""
        self.step = 0
        """The number whose multiples offsets must be, 0 if pages share records."""
        self.pages = 0
        """Pages that held something new."""
        self.read = 0
        self.moved = 0
        """By how many places records were seen to move, all in all."""
        self.still = True
        """Whether every known record was seen where it should be."""
        self.page = Answer(start, ())
        """The last answer that held something new."""
        self._undisturbed = True
        self.new: Sequence[int] = ()
        """The places of new records in the answer taken last."""
        self.idle = 0
        """Answers without any since."""
        self._overlap = overlap
        self._unique = unique
        self._short = False
        self._tail: list[Hashable] = []
        self._sightings: deque[Sequence[Hashable]] = deque(maxlen=PAGES_REMEMBERED)
        self._full = True
        self._stated: int | None = None
        self.cut = False
        """Whether a page held less than it could, by what is known to follow or by a larger page after it."""
        self._uneven = False
        self._missed: set[Hashable] = set()
        """Records that should have been on the page before, which was not full, unless they are gone."""
        self.hiding = 0
        """Pages that were seen to lack records which the API left out."""
        self.strays = 0
        """Pages without a seam on which known records came again out of their order."""
        self._restless = False
        self._trickle = self._shorts = 0
        self._disorder = 0
        self._restarts = 0

    # Questions about an answer.

    def known(self, answer: Answer) -> list[int]:
        """Return the places of the records that are known."""
        return [place for place, key in enumerate(answer.keys) if key in self.trail]

    def unknown(self, answer: Answer, start: int = 0) -> Sequence[int]:
        """Return the places of the records that are not, from a place on."""
        if not self.trail.holds_any(answer.keys[start:]):
            return range(start, len(answer.keys))
        return [place for place in range(start, len(answer.keys)) if answer.keys[place] not in self.trail]

    def unread(self, answer: Answer) -> Sequence[int]:
        """Return the places of unknown records but for those in front of known ones, if any may have been forgotten."""
        known = self.known(answer)
        return self.unknown(answer, known[0] if known and self.trail.forgetful else 0)

    def knows(self, answer: Answer) -> bool:
        """Tell whether any record is known."""
        return self.trail.holds_any(answer.keys)

    def trickles(self) -> bool:
        """Tell whether the end may be moving away as it is read. Raises WalkError when it did for long."""
        if self._trickle > LONGEST_TRICKLE:
            refuse_restlessness()
        return self._trickle > LONG_TRICKLE or (self._shorts > 0 and self._shorts % LONG_TRICKLE == 0)

    def is_restless(self) -> bool:
        """Tell whether the frontier has been last for long, on pages that are to be trusted, but never stood still."""
        return self.idle > LONG_RESTLESS and not self.irregular and not self.sighted

    @property
    def irregular(self) -> bool:
        """Whether a page held less than one before it although more followed, or came later."""
        return self.cut or self._uneven

    @property
    def sighted(self) -> bool:
        """Whether a page that could not be located held a record, since the last new one, that is still unread."""
        return any(key not in self.trail for keys in self._sightings for key in keys)

    def follows(self, answer: Answer, page: Answer) -> Sequence[int]:
        """Return the places of new records in an answer without a seam, which should follow a page."""
        return self.unknown(answer) if self._unique or answer.keys == page.keys else range(len(answer.keys))

    def recognizes(self, answer: Answer) -> bool:
        """Tell whether an answer that was read before holds known records, and in the order that they had."""
        known = self.known(answer)
        return bool(known) and self._is_ordered(answer, known)

    def strayed(self, answer: Answer) -> int:
        """Return how far before the frontier a known record was read that comes again where records should be new.

        0 if there is none, or only the last ones read: those come first where others were inserted in front of them; or
        if all are known, where more were inserted than a page holds.
        """
        known = self.known(answer) if self._unique else []
        keys = [answer.keys[place] for place in known]
        if not known or (known[-1] == len(known) - 1 and keys == self.trail.read[-len(known) :]):
            return 0
        if len(answer.keys) > 1 and self.falls_behind(answer):
            return 0
        return self.trail.place(self.trail.frontier) - min(map(self.trail.place, keys))

    def falls_behind(self, answer: Answer) -> bool:
        """Tell whether all records of an answer are known, as others that come after them are."""
        known = bool(answer.keys) and not self.unknown(answer) and self.recognizes(answer)
        return known and answer.keys[-1] != self.trail.frontier

    def weigh_order(self, *, ordered: bool) -> None:
        """Take in whether known records come in the order that they had. Raises WalkError where they often do not."""
        self._disorder = max(0, self._disorder - 1) if ordered else self._disorder + DISORDER
        if self._disorder > MOST_DISORDER:
            refuse_disorder()

    def leads_on(self, answer: Answer) -> bool:
        """Tell whether any record is unread, or known to come after the frontier."""
        frontier = self.trail.place(self.trail.frontier)
        later = any(self.trail.place(answer.keys[place]) > frontier for place in self.known(answer))
        return later or bool(self.unread(answer))

    def agrees(self, answer: Answer) -> bool:
        """Tell whether the frontier is the last record by an answer's total."""
        return self.totals.agrees(answer, self.position)

    def lacks(self, answer: Answer) -> bool:
        """Tell whether there is more behind the frontier by an answer's total."""
        return self.totals.lacks(answer, self.position)

    @property
    def falls_short(self) -> bool:
        """Whether fewer were read than there are by a total that never changed, and none seems to be left out.

        Where the order was seen not to hold, none does: it only looks so.
        """
        hiding = self.hiding and not self._restless
        return self.totals.steady and not hiding and self.read + len(self.new) < self.position + 1 - self.start

    def explain(self, answer: Answer) -> None:
        """Take what is missing for left out, if the last page that held something new is still the same.

        A record that moved to read ground since that page was asked for would be on it, or have moved its records. And
        the last record has to stand as much further on than on that page as there are records missing.
        """
        missing = self.position + 1 - self.start - self.read - len(self.new)
        further = self.position - (self.page.offset + len(self.page.keys) - 1)
        if (
            self._undisturbed
            and missing == further
            and (answer.keys, answer.total) == (self.page.keys, self.page.total)
        ):
            self._note_hidden(answer.offset)

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
        return answer.offset == self.seam and self._tail[-overlap:] == answer.keys[:overlap]

    def locates(self, answer: Answer) -> bool:
        """Tell whether an answer shows where it lies, by the known records that it begins with.

        A single one that is not the frontier does not: it may have moved behind records that were not read yet. Two do
        that were read closely one after the other.
        """
        if self.joins(answer) or answer.offset <= self.start or self.largest == 1:
            return self.knows(answer)
        ground = list(itertools.takewhile(self.trail.__contains__, answer.keys))
        if self.trail.frontier in ground:
            return True
        before, last = (self.trail.place(key) for key in ground[-2:]) if len(ground) > 1 else (0, 0)
        return 0 < last - before <= CLOSE

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

    # What an answer adds.

    def resume(self, answer: Answer, place: int) -> None:
        """Take the record at a place of an answer for the frontier, and all before it for read."""
        keys = answer.keys[: place + 1]
        self.trail.append(keys)
        self.trail.forgetful = True
        self._remember(keys)
        self.position = answer.offset + place
        self.read = self.position + 1 - self.start
        self.largest = max(self.largest, len(answer.keys))
        self.pages = 1
        self.totals.compare(answer, self.position)

    def sight(self, answer: Answer) -> None:
        """Keep in mind what an answer holds that cannot be located."""
        self._sightings.append(answer.keys)
        self.cut = self.cut or not self._missed.isdisjoint(answer.keys)

    def extend(self, answer: Answer, new: Sequence[int]) -> None:
        """Take these records of an answer as following those read."""
        keys = [answer.keys[place] for place in new]
        self.trail.append(keys)
        self._remember([*self._tail, *keys])
        self._adopt(answer, new)

    def advance(self, answer: Answer) -> bool:
        """Take in an answer that was located; tell whether anything in it is new."""
        if self.joins(answer):
            new = self._join(answer)
        elif known := self.known(answer):
            new = self._weave(answer, known)
        else:
            self._begin_again()
            new = range(len(answer.keys))
            self.trail.weave(answer.keys, start=0)
            self._remember(answer.keys)
        self._adopt(answer, new)
        return bool(new)

    def compare_with_total(self) -> None:
        """Raise WalkError where fewer records were read than there are, by a total that never changed."""
        if not self.totals.steady:
            self.check_order()
        elif self.falls_short:
            read = self.read + len(self.new)
            msg = (
                f"is the last of {self.totals.latest} records, but {read} different ones were read: some moved to "
                "where it had been read, or share their primary key. Add a sort by a field that never changes to "
                "params and run again, or correct primary_keys"
            )
            raise WalkError(msg)

    def check_order(self) -> None:
        """Raise WalkError where known records ever came in another order, so that unknown ones may have, too."""
        if self._restless:
            refuse_disorder()

    def _join(self, answer: Answer) -> Sequence[int]:
        overlap = self.overlap
        new = self.unknown(answer, overlap) if self._unique else range(overlap, len(answer.keys))
        if len(answer.keys) > overlap:
            self.trail.append(answer.keys[overlap:], new=len(new) == len(answer.keys) - overlap and self._unique)
        self._remember([*self._tail, *answer.keys[overlap:]])
        self.weigh_order(ordered=True)
        return new

    def _remember(self, keys: Sequence[Hashable]) -> None:
        """Keep the last keys, repetitions included, for the next seam."""
        self._tail = list(keys[-max(1, self._overlap) :])

    def _weave(self, answer: Answer, known: Sequence[int]) -> Sequence[int]:
        before = self.trail.place(answer.keys[known[0]])
        # What precedes all known records of the first page was read before, if anything is forgotten.
        new = self.unknown(answer, known[0] if self.trail.forgetful else 0)
        ordered = self._is_ordered(answer, known)
        if ordered:
            self._account_for(self.shift(answer), answer)
        self._restless = self._restless or not ordered
        self.weigh_order(ordered=ordered)
        self.trail.weave(
            [answer.keys[place] for place in sorted([*new, *known])], start=before, ordered=not self._restless
        )
        self._remember(answer.keys)
        return new

    def _is_ordered(self, answer: Answer, known: Sequence[int]) -> bool:
        """Tell whether known records come as they did before, but for those that moved behind what was read."""
        ground = list(itertools.takewhile(lambda place: answer.keys[place] != self.trail.frontier, known))
        places = [self.trail.place(answer.keys[place]) for place in ground]
        return places == sorted(places)

    def _account_for(self, shift: int, answer: Answer) -> None:
        """Tell records that moved from those that follow hidden ones, and so stand further on than they seemed to."""
        self.still = self.still and not shift
        grew = answer.total is not None and self._stated is not None and answer.total > self._stated
        if shift < 0 or (shift and (self._full or grew)):
            self.moved += abs(shift)
            self.note(
                f"Records moved by {shift:+d} while they were read: seen at offset {answer.offset}, "
                f"after the page at offset {self.seam} was asked for"
            )
        elif shift and self.unknown(answer):
            self._note_hidden(self.seam)

    def _note_hidden(self, offset: int) -> None:
        self.hiding += 1
        if self.hiding == 1:
            self.note(f"The API leaves records out of the page at offset {offset}, and counts them")

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

    def _extent(self, answer: Answer) -> int:
        """Return how many places an answer takes up.

        Records twice on a page that holds more than it was asked for may be rows of a join, which take up one place.
        Where pages share no records, nothing else would tell that the next one begins too far on.
        """
        size = len(answer.keys)
        return size if self._overlap or size <= self.limit else max(self.limit, len(set(answer.keys)))

    def _adopt(self, answer: Answer, new: Sequence[int]) -> None:
        """Take the last record of an answer for the frontier."""
        size = self._extent(answer)
        self.position = answer.offset + size - 1
        self._full = size == self.limit
        self._stated = answer.total
        self.cut = self.cut or 0 < self.largest < size or not self._missed.isdisjoint(answer.keys)
        self._missed = set() if size >= self.largest or self.trail.at_its_end else set(self.trail.ahead)
        if not new:
            return
        self.new = new
        self.page = answer
        self._undisturbed = self.still
        self._sightings.clear()
        few = max(self.stride // TRICKLE, 1 if self.stride > TWO else 0)
        self._trickle = self._trickle + 1 if len(new) <= few else 0
        self._shorts = self._shorts + 1 if size < self.largest else 0
        self._uneven = self._uneven or self._short
        self._short = size < self.largest
        self.largest = max(self.largest, size)
        self.pages += 1
        self.totals.compare(answer, self.position)
        if self.pages == TWO and size == self.largest < self.limit:
            self.note(f"The API serves {size} records a page where limit asks for {self.limit}: reading on by {size}")
