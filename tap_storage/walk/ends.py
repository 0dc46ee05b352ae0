"""When a walk with seams may end: what the last pages must show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask, WalkError, refuse_ignored_offset
from tap_storage.walk.strides import look_further

if TYPE_CHECKING:
    from collections.abc import Hashable

    from tap_storage.walk.answers import Denial, Finding
    from tap_storage.walk.ground import Ground
    from tap_storage.walk.seams import Search

TIMES = 2
"""How often the last page and the one behind it must look the same again where pages hold a single record."""


def prove_end(ground: Ground, search: Search, last: Answer) -> Denial:  # noqa: PLR0911 (one for each denial)
    """A page holds nothing behind the frontier: return None if this is the end, else the answer that denies it."""
    alone = len(last.keys) == 1
    # Where the frontier never stands still, a total that does is none.
    if ground.largest > 1 and ground.agrees(last) and (alone or not ground.totals.steady):
        if ground.falls_short:
            ground.explain((yield Ask(ground.page.offset)))
        ground.compare_with_total()
        return None
    frontier, position = ground.trail.frontier, ground.position
    beyond = yield Ask(position + 1)
    unseen = ground.unread(beyond)
    if ground.knows(beyond) and ground.leads_on(beyond):
        return beyond
    repeated = beyond.keys == last.keys and ground.largest == 1
    if repeated and (denial := (yield from _test_single_record(ground, beyond))):
        return denial
    again = yield Ask(position)
    if not unseen and again.keys[:1] == [frontier] and ground.unknown(again):
        ground.advance(again)  # added since: when there was nothing beyond it, the frontier was the last
        return None
    again = yield from search.locate(again)
    if unseen and (again.offset, again.keys) == (last.offset, last.keys):
        # Pages of one record, or hidden ones in between: contiguous, as the frontier was there all the time.
        follower = yield Ask(position + 1)
        if follower.keys == beyond.keys:
            ground.extend(follower, ground.unknown(follower))
        return follower
    if unseen or not _ends(ground, again, frontier, beyond, alone=alone):
        return again
    ground.advance(again)
    ground.check_order()
    if ground.largest == 1:
        return (yield from _look_once_more(ground, last, beyond))
    return (yield from look_further(ground, last, ground.position + ground.largest, ground.largest))


def _ends(ground: Ground, again: Answer, frontier: Hashable, beyond: Answer, *, alone: bool) -> bool:
    """Tell whether nothing new follows the frontier, which was the last record before and had nothing beyond it."""
    if not again.keys or ground.unknown(again) or (ground.sighted and not alone):
        return False
    if again.keys[-1] == frontier and (alone or not beyond.keys):
        return True
    # A page that is not full, of an API that fills its pages, shows the end though the frontier itself has moved.
    room = not ground.irregular and not beyond.keys and len(again.keys) < ground.largest
    return room and (frontier in again.keys or ground.shift(again) <= 0)


def outrun(ground: Ground) -> Denial:
    """The end moves on as fast as it is read: return None if all was read that was there before, else an answer.

    What was added since the last answer is about as much as was added before it; when there is nothing beyond that, all
    that can be missing stands on the page that begins with the frontier.
    """
    frontier, position, growth = ground.trail.frontier, ground.position, len(ground.new)
    beyond = yield Ask(position + 1 + growth)
    if beyond.keys:
        return (yield Ask(ground.seam))
    again = yield Ask(position)
    if again.keys[:1] != [frontier]:
        return again
    new = ground.unknown(again)
    if new:
        ground.extend(again, new)
    # It has to reach to where there was nothing: a page may be short without being the last.
    return None if len(new) >= growth and not ground.cut else (yield Ask(ground.seam))


def believe_nothing(answer: Answer) -> Finding:
    """Where records were read, there is nothing: return an answer if a total says so too, and says it again."""
    again = yield Ask(answer.offset)
    if not again.keys and (answer.total, again.total) != (0, 0):
        msg = "is empty, though records were read there: run again"
        raise WalkError(msg)
    return again


def _look_once_more(ground: Ground, last: Answer, beyond: Answer) -> Denial:
    """Where pages hold a single record, no answer shows that nothing follows it, and records that move slip through."""
    looks = ((ground.position + 1, beyond.keys), (ground.position, [ground.trail.frontier])) * TIMES
    for offset, keys in looks if ground.pages > 1 else looks[:1]:
        again = yield Ask(offset)
        if again.keys != keys:
            return again
    if not ground.still:
        msg = "is the last of records that moved while they were read, one to a page: raise limit, or run again"
        raise WalkError(msg)
    return (yield from look_further(ground, last, ground.position + 1, 1))


def _test_single_record(ground: Ground, repeated: Answer) -> Denial:
    """The only record so far came again at the next offset: an API that repeats its last page, or ignores offsets?

    Return the answer that shows it to be neither, None if nothing does.
    """
    far = repeated if ground.limit == 1 else (yield Ask(ground.position + ground.limit))
    if far.keys != repeated.keys:
        return far if ground.position > ground.start else None  # the first record may stand for a whole page
    doubtful = ground.lacks(far) or (ground.limit == 1 and not ground.agrees(far))
    if doubtful and ground.totals.steady:
        refuse_ignored_offset()
    return None
