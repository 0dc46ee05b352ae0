"""The walk's rule, where pages share records.

Records may come and go while they are read, and then all behind them stand at other offsets. So the walk keeps the
**frontier**, the last record that it has read, and the keys of the last few pages, and locates every answer by them:

- records after known ones are new, and contiguous with what was read;
- known records and nothing new: go to the last of them, and ask there;
- no known record: records moved, or the frontier is gone: step back, doubling, until known ground is found;
- the end: a page of the frontier alone, nothing at the next offset, and the frontier still last when asked once more. A
  total that agrees saves the last two.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask, refuse_ceiling
from tap_storage.walk.ends import believe_nothing, outrun, prove_end

if TYPE_CHECKING:
    from tap_storage.walk.answers import Finding, Walking
    from tap_storage.walk.ground import Ground

MOST_SILENCES = 3
"""Times that nothing is served at an offset where a record was read, and is found again further ahead."""


def follow(ground: Ground, answer: Answer) -> Walking:
    """Read from an answer to the second question on to the proven end."""
    search = Search(ground)
    following: Answer | None = answer
    while following:
        if following.refused and ground.totals.agreed(ground.position):
            return  # a window of the API's ends with the collection
        if following.early and not ground.joins(following):
            following = yield Ask(following.offset)  # what is late to tell of a change must not deny an earlier one
            continue
        located = yield from search.locate(following)
        if not located.keys:
            return
        expected = ground.joins(located)
        shift = 0 if expected else ground.shift(located)
        full, before = len(located.keys) == ground.largest, ground.position
        if ground.advance(located):
            if ground.trickles() and not full:
                following = yield from outrun(ground)
            else:
                following = yield Ask(ground.seam, ground.stride if expected and full else 0)
        elif len(located.keys) == 1 or (ground.is_restless() and not full):
            following = yield from prove_end(ground, search, located)
        else:
            following = yield Ask(search.onward(located, shift, before))


TWICE = 2
"""Times that an answer from further on ends like the one before, after which it is the last page repeated."""


class Search:
    """Finds known ground again after records moved."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self._drift = 0
        self._idle = Answer(ground.start, ())
        """The last answer that held nothing new."""
        self._stood = self._back = self._returned = self._alike = 0
        self._searched = False
        self._silences = 0
        self._silent_after = 0

    def locate(self, answer: Answer) -> Finding:
        """Return the page that holds a known record, or else the first page, which is empty only if all is gone."""
        ground = self.ground
        back = 1
        silent = refused = None
        self._searched = not ground.locates(answer)
        while not ground.locates(answer):
            ground.sight(answer)
            if answer.refused:
                refused = answer.offset
            if not answer.keys:
                silent = answer.offset
            if answer.offset <= ground.start and refused is not None:
                refuse_ceiling(refused)
            if answer.offset <= ground.start:
                return answer if answer.keys else (yield from believe_nothing(answer))
            answer = yield Ask(ground.position - back)
            back *= 2
        if silent is not None and len(answer.keys) == ground.largest and not ground.shift(answer):
            self._hear_silence(silent, most=MOST_SILENCES if refused is None else 0)
        return answer

    def onward(self, answer: Answer, shift: int, before: int) -> int:
        """Return where to look for the frontier, which an answer without anything new shows at another place.

        shift: how far it has moved. before: where it stood.
        """
        ground = self.ground
        idle, self._idle = self._idle, answer
        shared = min(len(answer.keys), len(idle.keys))
        alike = shared > 0 and answer.keys[-shared:] == idle.keys[-shared:]  # a page may be short for once
        # At the end, pages grow shorter from offset to offset.
        repeated = answer.offset > idle.offset and len(answer.keys) >= len(idle.keys)
        self._alike = self._alike + repeated if alike and not self._moving else 0
        again = answer.keys == idle.keys and self._returned != ground.pages
        if answer.offset > ground.start and (again or self._alike >= TWICE):
            # The last page, which the API repeats behind the end? If not, records go on moving, and it is seen.
            ground.position = max(ground.start, self._stood - self._back)
            self._back = 2 * self._back + len(answer.keys)
            return ground.position
        if self._back:
            self._returned, self._back, self._drift = ground.pages, 0, 0
            return ground.position
        self._stood = before
        # Where records move at every request, it would be missed for ever where it was seen last.
        steady = ground.idle > 0 and not self._searched
        self._drift = min(shift, self._drift or shift, key=abs) if steady and self._moving else 0
        return ground.position + self._drift

    @property
    def _moving(self) -> bool:
        """Whether records may be moving: none do where a total stays the same, or rows are left out."""
        ground = self.ground
        return not ground.hiding and not (ground.totals.latest is not None and ground.totals.steady)

    def _hear_silence(self, offset: int, *, most: int) -> None:
        """Count how often an API falls silent at an offset where there are records. Raises WalkError after the most."""
        self._silences = self._silences + 1 if self._silent_after == self.ground.pages else 1
        self._silent_after = self.ground.pages
        if self._silences > most:
            refuse_ceiling(offset)
