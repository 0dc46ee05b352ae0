"""Finding the first record of interest in a collection that is sorted by the replication key, without reading it.

Pure: probes out, answers in. A bisection by pages of one record, down to a page that holds the last record before the
window, in the order of reading. That one is where reading begins: it is met again there, so that nothing can have
slipped in between.
"""

from __future__ import annotations

import bisect
import dataclasses
import operator
from collections.abc import Callable, Generator, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tap_storage.walk import Resume

if TYPE_CHECKING:
    from tap_storage.bookmarks import Window

GROWTH = 32
"""Factor by which the search for an offset behind the window's start grows, where no total tells."""


class ContradictionError(Exception):
    """The answers cannot be those of an API with this order; says why."""


class Probe(NamedTuple):
    """A question for so many records from an offset on."""

    offset: int
    size: int


@dataclasses.dataclass(frozen=True)
class Sample:
    """What came of a probe: names of the records, their replication keys as read, and the total that was stated."""

    names: Sequence[Hashable]
    values: Sequence[Any]
    total: int | None = None


Seeking = Generator[Probe, Sample, "Resume | None"]


def seek(  # noqa: PLR0913 (what there is to know of the collection)
    *, start: int, limit: int, step: int, window: Window[Any], hint: Resume | None, descending: bool = False
) -> Seeking:
    """Return where the last record before the window is; None if there is none, or none can be told.

    start: offset of the first record. limit: records on a page. step: the number whose multiples offsets must be, 0 if
    any will do; then whole pages are asked for. hint: where the frontier of the run before was. descending: whether
    what comes first is the latest, and so behind the window's end. Raises ContradictionError.
    """
    ahead = window.follows if descending else window.precedes
    if hint is not None:
        step = hint.step or step
        limit = limit if step else min(limit, hint.page or limit)  # as much as the API puts on a page
        offset = hint.offset - (hint.offset - start) % step if step else max(start, hint.offset + 1 - limit)
        sample = yield Probe(offset, limit)
        place = hint.offset - offset
        if place < len(sample.names) and hint.marks.get(sample.names[place]) == 0:
            found = _last_before(ahead, sample)
            if found is not None:
                return _here(offset, found, sample, step)
    search = _Bisection(start, limit, step, ahead, operator.gt if descending else operator.lt)
    low = yield from search.look(start)
    if not low.before:
        return None
    low, high = yield from _bracket(search, low)
    while high - low.offset > limit:
        middle = yield from search.look((low.offset + high) // 2)
        if middle.before:
            low = middle
        else:
            high = min(high, middle.offset)
    offset = search.aligned(low.offset)
    sample = yield Probe(offset, limit)
    found = _last_before(ahead, sample)
    return None if found is None else _here(offset, found, sample, step)


class _Record(NamedTuple):
    """What is at an offset. before: whether a record of before the window."""

    offset: int
    before: bool
    there: bool
    total: int | None


class _Bisection:
    """Looks at single records, or the first ones of pages, and checks that they are in order and different.

    ahead: tells whether a value lies before the window. misplaced: tells whether a value cannot come after another.
    """

    def __init__(
        self, start: int, limit: int, step: int, ahead: Callable[[Any], bool], misplaced: Callable[[Any, Any], bool]
    ) -> None:
        self.start = start
        self.limit = limit
        self.step = step
        self._ahead = ahead
        self._misplaced = misplaced
        self._offsets: list[int] = []
        self._values: list[Any] = []
        self._names: dict[Hashable, int] = {}

    def aligned(self, offset: int) -> int:
        """Return the offset at which the page begins that holds what is at an offset."""
        return offset - (offset - self.start) % self.step if self.step else offset

    def look(self, offset: int) -> Generator[Probe, Sample, _Record]:
        """Return the record at an offset, or the first behind it whose replication key can be read."""
        offset = self.aligned(offset)
        sample = yield Probe(offset, self.limit if self.step else 1)
        if sample.names and sample.values[0] is None:
            sample = yield Probe(offset, self.limit)
        if not sample.names:
            return _Record(offset, before=False, there=False, total=sample.total)
        place = next((place for place, value in enumerate(sample.values) if value is not None), None)
        if place is None:
            return (yield from self._look_behind(offset, sample.total))
        value = sample.values[place]
        self._check(offset + place, sample.names[place], value)
        before = self._ahead(value)
        # What is not before the window ends the search at the offset asked for, what is, at its own.
        return _Record(offset + place if before else offset, before=before, there=True, total=sample.total)

    def _look_behind(self, offset: int, total: int | None) -> Generator[Probe, Sample, _Record]:
        """Return the first record behind a page without a readable replication key, if it is before the window."""
        here = _Record(offset, before=False, there=True, total=total)
        if not any(known < offset for known in self._offsets):
            return here._replace(before=True)  # it is only the beginning
        low, width = offset, self.limit
        seen: Sequence[Hashable] = ()
        while True:
            sample = yield Probe(high := low + width, self.limit)
            if not sample.names or sample.names == seen:
                return here  # it is only the end, which some APIs send for all that is behind it
            seen = sample.names
            if any(value is not None for value in sample.values):
                break
            low, width = high, width * 2
        while high - low > self.limit:
            middle = self.aligned((low + high) // 2)
            page = yield Probe(middle, self.limit)
            if any(value is not None for value in page.values):
                high, sample = middle, page
            else:
                low = middle
        place = next(place for place, value in enumerate(sample.values) if value is not None)
        self._check(high + place, sample.names[place], sample.values[place])
        return here._replace(offset=high + place, before=True) if self._ahead(sample.values[place]) else here

    def _check(self, offset: int, name: Hashable, value: Any) -> None:
        if self._names.setdefault(name, offset) != offset:
            msg = f"the same record is at offsets {self._names[name]} and {offset}"
            raise ContradictionError(msg)
        place = bisect.bisect_left(self._offsets, offset)
        if (place and self._misplaced(value, self._values[place - 1])) or (
            place < len(self._values) and self._misplaced(self._values[place], value) and self._offsets[place] != offset
        ):
            msg = f"the record at offset {offset} is out of order"
            raise ContradictionError(msg)
        self._offsets.insert(place, offset)
        self._values.insert(place, value)


def _bracket(search: _Bisection, low: _Record) -> Generator[Probe, Sample, tuple[_Record, int]]:
    """Return a record before the window, and an offset behind it where there is none."""
    if low.total and low.total > 1:
        last = yield from search.look(search.start + low.total - 1)
        if not last.before:
            return low, last.offset
        for share in (1, 2, 3):  # one that stands at the end by mistake would hide all others
            yield from search.look(low.offset + (last.offset - low.offset) * share // 4)
        low = last
        beyond = yield from search.look(low.offset + (search.step or 1))
        if not beyond.before:
            return low, beyond.offset
        low = beyond
    step = search.limit
    while True:
        further = yield from search.look(low.offset + step)
        if not further.before:
            return low, further.offset
        low = further
        step *= GROWTH


def _last_before(ahead: Callable[[Any], bool], sample: Sample) -> int | None:
    """Return the place of the last of the records before the window that a page begins with."""
    last = None
    for place, value in enumerate(sample.values):
        if value is not None and not ahead(value):
            break
        if value is not None:
            last = place
    return last


def _here(offset: int, place: int, sample: Sample, step: int) -> Resume:
    return Resume(offset + place, {sample.names[place]: 0}, step=step)
