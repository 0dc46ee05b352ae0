"""The walk as others see it: what to ask for next, and what is new in an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.alignment import find_alignment
from tap_storage.walk.answers import Answer, Ask, WalkError, refuse_ignored_offset, refuse_restlessness
from tap_storage.walk.ground import Ground
from tap_storage.walk.leaps import leap
from tap_storage.walk.resume import find_again, snapshot
from tap_storage.walk.seams import follow
from tap_storage.walk.strides import MOST_STRIDES, MOST_STRIDES_WHEN_FILTERED

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from tap_storage.walk.answers import Denial, Walking
    from tap_storage.walk.resume import Resume

MOST_IDLE = 64
"""Answers in a row without a new record, after which the walk gives up."""


class Walk:
    """Decides about paging: which offset comes next, what is new in an answer, and when the end is proven.

    start: offset of the first record. limit: records asked for at a time. overlap: records that consecutive pages
    share; with 0, pages follow each other without a seam. maximum: offset before which to stop. unique: whether a key
    names one record; False where its content stands in for it. filtered: whether the API leaves records out, of which
    its total may know nothing. resume: where to go on with a walk that was interrupted. name: what is remembered of a
    key there. note: is told what a person may want to know, once per event.
    """

    def __init__(  # noqa: PLR0913 (what can be told of a walk)
        self,
        *,
        start: int = 0,
        limit: int,
        overlap: int = 1,
        maximum: int | None = None,
        unique: bool = True,
        filtered: bool = False,
        resume: Resume | None = None,
        name: Callable[[Hashable], Hashable] = lambda key: key,
        note: Callable[[str], object],
    ) -> None:
        self.finished = False
        self.bounded = False
        """Whether it was `maximum` that ended the walk."""
        self.undisturbed = False
        """Whether the walk went on where it was interrupted, with its last record where that was."""
        self._overlap = overlap
        self._maximum = maximum
        self._filtered = filtered
        self._resume = resume
        self._name = name
        self._ground = Ground(
            start=start,
            limit=limit,
            overlap=overlap,
            unique=unique,
            strides=MOST_STRIDES_WHEN_FILTERED if filtered else MOST_STRIDES,
            note=note,
        )
        self._walking = self._walk()
        self._ask = next(self._walking)

    @property
    def offset(self) -> int:
        """The offset to ask for next."""
        return max(self._ground.start, self._ask.offset)

    @property
    def stride(self) -> int:
        """The distance to the page that is likely to be asked for after it, 0 where that cannot be told.

        Pages may be asked for early at multiples of the stride; those that were are void once it is 0.
        """
        return self._ask.stride

    def upcoming(self, most: int) -> Sequence[int]:
        """The offset to ask for next and those that are likely to follow it, so many of them or fewer.

        A page that was asked for early is void once its offset is not among them; all are where there is no telling.
        """
        stride = self.stride
        if not stride:
            return ()
        ground = self._ground
        # Nothing is likely behind the total, unless it was passed already and so is wrong.
        ends = [ground.totals.reach - (0 if ground.step else self._overlap), self._maximum or 0]
        stop = min((end for end in ends if end >= self.offset), default=self.offset + most * stride)
        return range(self.offset, max(stop, self.offset + 1), stride)[:most]

    @property
    def total(self) -> int | None:
        """The collection's size as the API stated it last."""
        return self._ground.totals.latest

    @property
    def moved(self) -> int:
        """By how many places records were seen to move, all in all."""
        return self._ground.moved

    @property
    def still(self) -> bool:
        """Whether every record was seen where it should be, since the walk was begun first."""
        return self._ground.still and (self._resume is None or self.undisturbed)

    @property
    def remembered(self) -> int:
        """How many keys are remembered."""
        return len(self._ground.trail)

    @property
    def place(self) -> Resume | None:
        """Where the walk is, for another one to go on from; None before its first record."""
        return snapshot(self._ground, self._name) if self._ground.pages else None

    def stop(self) -> None:
        """End the walk here: what follows is not wanted."""
        self.finished = True

    def take(
        self,
        keys: Sequence[Hashable],
        total: int | None = None,
        *,
        early: bool = False,
        refused: bool = False,
    ) -> Sequence[int]:
        """Take in the answer at `offset`; return the places in it of the records that are new.

        keys: what identifies each record, in the order of the answer. total: the collection's size as this answer
        states it. early: whether it was asked for before the answer before it was taken. refused: whether the answer is
        an error status. Raises WalkError where nothing proves that no record is missing.
        """
        answer = Answer(self.offset, list(keys), total, early, refused)
        ground = self._ground
        ground.new = ()
        ground.totals.hear(answer)
        try:
            self._ask = self._walking.send(answer)
        except StopIteration:
            self.finished = True
        new: Sequence[int] = ground.new
        if self._maximum is not None and ground.pages and ground.position + 1 >= self._maximum:
            self.finished = self.bounded = True
            new = [place for place in new if answer.offset + place < self._maximum]
        ground.read += len(new)
        ground.idle = 0 if new else ground.idle + 1
        if ground.idle > MOST_IDLE:
            refuse_restlessness()
        return new

    def _walk(self) -> Walking:
        if self._resume is not None:
            page = yield from find_again(self._ground, self._resume, self._name)
            if page is not None:
                found, before = snapshot(self._ground, self._name).frontier, self._resume.frontier
                self.undisturbed = (found.offset, found.marks) == (before.offset, before.marks)
                yield from self._go_on(page, self._resume)
                return
            self._ground.note("The place where reading was to go on is not found again: reading from the beginning")
        first = yield from self._take_first()
        if first is not None:
            yield from self._follow(first) if self._overlap else self._leap(first)

    def _go_on(self, page: Answer, resume: Resume) -> Walking:
        ground = self._ground
        if not resume.step:
            yield from follow(ground, page)
            return
        if new := ground.unknown(page):
            ground.extend(page, new)
        if page.offset <= ground.start and not self._overlap and resume.step < ground.limit:
            yield from self._leap(page)  # what the API makes of offsets may not be known yet
        else:
            yield from leap(ground, page, None, step=resume.step if self._overlap else 0)

    def _follow(self, first: Answer) -> Walking:
        ground = self._ground
        second = yield Ask(ground.seam)
        latest = (yield from find_alignment(ground, first, second)) if _repeats(first, second) else second
        if isinstance(latest, Answer):
            yield from follow(ground, latest)
        else:
            ground.note(
                f"The API takes offsets in multiples of {latest} only: reading on without page_overlap, so that "
                "records that move while they are read are hardly seen"
            )
            yield from leap(ground, first, None, step=latest)

    def _leap(self, first: Answer) -> Walking:
        ground = self._ground
        ground.step = ground.largest  # for a walk that is interrupted here
        second = yield Ask(ground.position + 1)
        if not _repeats(first, second):
            yield from leap(ground, first, second)
            return
        far = second
        if len(first.keys) < ground.limit:  # a window of the API's may be aligned to limit
            far = yield Ask(ground.start + ground.limit)
            stated = None if self._filtered else far.total
            if far.keys == first.keys and stated not in (None, len(first.keys)):
                refuse_ignored_offset()
        # An API that repeats its last page past the end is none that ignores offsets.
        again = yield Ask(ground.position)
        latest = (yield from find_alignment(ground, first, far)) if again.keys == first.keys else again
        yield from leap(ground, first, None, step=0 if isinstance(latest, Answer) else latest)

    def _take_first(self) -> Denial:
        """Return the first page, taken in; None where there is none."""
        ground = self._ground
        answer = yield from self._find_first()
        if answer is None:
            return None
        # What was empty before may have been so for once, or have held fewer records than were asked for.
        offset = answer.offset
        while offset > ground.start:
            offset = max(ground.start, offset - len(answer.keys))
            before = yield Ask(offset)
            if not before.keys:
                offset = answer.offset
                break
            answer = before
        if self._ask.offset != answer.offset:
            answer = yield Ask(answer.offset)
        if not answer.keys:
            refuse_restlessness()
        ground.hiding += offset > ground.start
        ground.extend(answer, range(len(answer.keys)))
        return answer

    def _find_first(self) -> Denial:
        """Return the first page that holds anything; None where none does."""
        ground = self._ground
        size = ground.limit
        offset = ground.start
        answer = yield Ask(offset)
        if not answer.keys and answer.total != 0:
            answer = yield Ask(offset)
        while not answer.keys and offset < ground.start + ground.strides * size:
            if not ground.totals.latest:
                return None
            offset += size
            answer = yield Ask(offset)
        if not answer.keys and self._filtered:
            return None
        if not answer.keys:
            offset = ground.start
            answer = yield Ask(offset)
        if not answer.keys:
            msg = (
                f"is empty like those before it, though the API states a total of {ground.totals.latest}: "
                "check params, initial_offset and total_path, or run again"
            )
            raise WalkError(msg)
        return answer


def _repeats(first: Answer, second: Answer) -> bool:
    return len(first.keys) > 1 and second.keys == first.keys
