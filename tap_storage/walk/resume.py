"""Going on with a walk that another process began: what to remember of it, and how to find the place again.

Records may have come and gone in between, and any number of them. So the place is told by keys: those of the last
records read, each, and of some before them, near enough to each other that any page of that ground holds one.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Hashable, Iterator, Mapping

    from tap_storage.walk.ground import Ground

    Search = Generator[Ask, Answer, "Answer | None"]
    Confirming = Generator[Ask, Answer, bool]

CLOSE_MARKS = 10
"""Records up to the frontier that are all remembered …"""
MARKS_A_PAGE = 2
"""… and how many of each page before them."""
MOST_JUMPS = 8
"""Pages to look at for the frontier itself, once a record near it is found."""
MOST_REGIONS = 16
"""Stretches of remembered ground to look through before and behind where it was."""


@dataclasses.dataclass(frozen=True)
class Resume:
    """Where a walk was.

    offset: of the frontier. marks: names of records read by how far they come before it; the frontier has 0. page: the
    most records on a page. step: the number whose multiples offsets must be; 0 if pages shared records.
    """

    offset: int
    marks: Mapping[Hashable, int]
    page: int = 0
    step: int = 0

    @property
    def frontier(self) -> Resume:
        """The place without what comes before it."""
        last = {mark: 0 for mark, distance in self.marks.items() if not distance}
        return Resume(self.offset, last, self.page, self.step)


def snapshot(ground: Ground, name: Callable[[Hashable], Hashable]) -> Resume:
    """Return where a walk is. name: makes of a key what is remembered of it."""
    keys = ground.trail.read
    spacing = max(1, ground.largest // MARKS_A_PAGE)
    distances = sorted({*range(min(CLOSE_MARKS, len(keys))), *range(0, len(keys), spacing)})
    return Resume(
        ground.position,
        {name(keys[-1 - distance]): distance for distance in reversed(distances)},
        ground.largest,
        ground.step,
    )


def find_again(ground: Ground, resume: Resume, name: Callable[[Hashable], Hashable]) -> Search:
    """Return a page on which known ground ends with the last record read that is left; None if it is not found.

    Of the records between that one and a frontier that is gone, those that are not remembered will seem to be new.
    """
    if resume.step:
        return (yield from _find_page(ground, resume, name))
    answer = yield from _look_around(ground, resume, name)
    if answer is None:
        return None
    found = _marks(answer, resume, name)
    if len(resume.marks) == 1:
        return (yield from _find_alone(ground, answer, found[-1][0], resume, name))
    ahead = answer
    for _ in range(MOST_JUMPS):
        place, distance = found[-1]
        if not (distance and ahead.keys):
            break
        # Where it should be by this record; or further on, if others came in between.
        offset = answer.offset + place + distance if ahead is answer else ahead.offset + len(ahead.keys)
        ahead = yield Ask(offset)
        closer = _marks(ahead, resume, name)
        if closer and closer[-1][1] < distance:
            answer, found = ahead, closer
    place, distance = found[-1]
    exact = answer.offset + place + distance == resume.offset
    if not (exact or (yield from _confirm(ground, answer, found[-1], resume, name))):
        return None
    if not exact or ahead is not answer:
        # What is new counts in the answer that was taken last.
        answer = yield Ask(answer.offset + place)
        found = _marks(answer, resume, name)
        if not found or found[-1][1] > distance:
            return None
    ground.resume(answer, found[-1][0])
    return answer


def _look_around(ground: Ground, resume: Resume, name: Callable[[Hashable], Hashable]) -> Search:
    """Return the nearest page that holds anything remembered; None if none does."""
    for offset in _regions(ground.start, resume):
        answer = yield Ask(offset)
        if answer.refused and offset == resume.offset > ground.start:
            yield Ask(ground.start)  # is it this place that is refused, or everything?
        if _marks(answer, resume, name):
            return answer
    return None


def _find_alone(
    ground: Ground, answer: Answer, place: int, resume: Resume, name: Callable[[Hashable], Hashable]
) -> Search:
    """Return the page that begins with the only record that is remembered; None where offsets are rounded down."""
    for _ in range(MOST_JUMPS):
        if not place:
            ground.resume(answer, 0)
            return answer
        before, answer = answer, (yield Ask(answer.offset + place))
        found = _marks(answer, resume, name)
        if not found or answer.keys == before.keys:
            return None
        place = found[-1][0]  # further on, where rows before it are hidden
    return None


def _confirm(
    ground: Ground,
    answer: Answer,
    mark: tuple[int, int],
    resume: Resume,
    name: Callable[[Hashable], Hashable],
) -> Confirming:
    """Tell whether a record shows where its page lies that does not stand where it was expected.

    It may have moved alone, unless another stands before it that did so then.
    """
    place, distance = mark
    offset = answer.offset + place
    before = answer
    for _ in range(MOST_JUMPS):
        if any(further > distance and before.offset + at < offset for at, further in _marks(before, resume, name)):
            return True
        if before.offset <= ground.start:
            return False
        before = yield Ask(max(ground.start, before.offset - max(1, len(before.keys))))
    return False


def _find_page(ground: Ground, resume: Resume, name: Callable[[Hashable], Hashable]) -> Search:
    """Look for the frontier on its own page: without a seam, nothing else tells what has moved."""
    offset = resume.offset - (resume.offset - ground.start) % resume.step
    answer = yield Ask(offset)
    if len(answer.keys) <= resume.offset - offset:  # it may be short for once
        answer = yield Ask(offset)
    found = _marks(answer, resume, name)
    if not found or (answer.offset + found[-1][0], found[-1][1]) != (resume.offset, 0):
        return None
    ground.resume(answer, found[-1][0])
    return answer


def _regions(start: int, resume: Resume) -> Iterator[int]:
    """Yield offsets to look at, nearest first, and no further apart than what is remembered reaches."""
    reach = max(resume.marks.values(), default=0) + 1
    yield max(start, resume.offset)
    away = max(1, resume.page)
    while away < MOST_REGIONS * reach:
        if resume.offset > start:
            yield max(start, resume.offset - away)
        yield resume.offset + away
        away += min(away, reach)


def _marks(answer: Answer, resume: Resume, name: Callable[[Hashable], Hashable]) -> list[tuple[int, int]]:
    """Return the places of remembered records in an answer, and how far each came before the frontier.

    Only those in their old order, which ends with the one nearest to the frontier.
    """
    named = ((place, resume.marks.get(name(key))) for place, key in enumerate(answer.keys))
    marks: list[tuple[int, int]] = []
    for place, distance in sorted(
        ((place, distance) for place, distance in named if distance is not None), key=lambda mark: mark[1]
    ):
        if not marks or place < marks[0][0]:
            marks.insert(0, (place, distance))
    return marks
