"""The walk's rule without seams: each page begins where the one before ended.

For an API that takes offsets in multiples of a page only, or on request. Records that move while they are read are seen
only where the total falls, where known ones come again, or where a page that is asked for again has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask, refuse_ceiling, refuse_disorder, refuse_promise
from tap_storage.walk.strides import look_further

if TYPE_CHECKING:
    from tap_storage.walk.answers import Denial, Finding, Walking
    from tap_storage.walk.ground import Ground


def leap(ground: Ground, page: Answer, following: Answer | None, *, step: int = 0) -> Walking:
    """Read from the first page on to the end.

    following: the page after it, if it was asked for. step: distance of the pages' offsets, at least.
    """
    still = True
    while True:
        ground.trickles()
        size = ground.step = max(step, ground.largest)
        short = len(page.keys) < ground.largest
        last = short and ground.agrees(page)
        if last and not ground.irregular and not ground.totals.is_round:
            _compare_with_total(ground, when=ground.strays > 0)
            return
        if following is None:
            offset = page.offset + (step or len(page.keys)) if last else page.offset + size
            # Where records moved, what was asked for early may be from before, and lack what this page lacks, too.
            following = yield Ask(offset, size if still else 0)
        following = yield from _catch_up(ground, page, following, size)
        new = ground.follows(following, page)
        still = len(new) == len(following.keys)
        if not new and ground.falls_behind(following):
            page, following = following, None  # more records were inserted in front than a page holds
            continue
        if not new:
            denial = yield from _prove_end(ground, page, following, size)
            if denial is None:
                return
            page, following = denial, None
            continue
        fell = page.total is not None and following.total is not None and following.total < page.total
        if short or fell:
            # What should have been on that page may have come too late for it, or moved on to it.
            rest = yield Ask(page.offset + (len(page.keys) if short else 0))
            if found := ground.unknown(rest):
                ground.extend(rest, found)
                page, following = rest, None
                continue
            following = yield Ask(following.offset)
            new = ground.unknown(following)
        if new:
            ground.extend(following, new)
        page, following = following, None


def _catch_up(ground: Ground, page: Answer, following: Answer, size: int) -> Finding:
    """Return what follows a page, after those before it were read again where a record that was on them comes again.

    It has moved, and pulled those behind it on to pages that were read already.
    """
    back = ground.strayed(following)
    ground.weigh_order(ordered=not back)
    if not back:
        return following
    ground.strays += 1
    position = ground.position
    for offset in range(max(ground.start, page.offset - -(-back // size) * size), page.offset + 1, size):
        again = yield Ask(offset)
        if again.keys and not ground.recognizes(again):
            refuse_disorder()
        if found := ground.unknown(again):
            ground.extend(again, found)
            ground.position = position
    return (yield Ask(following.offset))


def _compare_with_total(ground: Ground, *, when: bool) -> None:
    if when and not ground.irregular and ground.largest == ground.limit:
        ground.compare_with_total()


def _prove_end(ground: Ground, page: Answer, following: Answer, size: int) -> Denial:
    """Nothing new follows a page: return None if this is the end, else an answer, taken in, that denies it."""
    if ground.agrees(following):
        _compare_with_total(ground, when=ground.strays > 0 or len(page.keys) == ground.largest)
        return None
    if following.keys:  # the last page, repeated behind the end; or as many records came in front as a page holds
        beyond = yield Ask(following.offset + size)
        if new := ground.unknown(beyond):
            ground.extend(beyond, new)
            return beyond
    short = len(page.keys) < ground.largest
    again = yield Ask(page.offset + len(page.keys) if short else following.offset)
    lacks = ground.lacks(page) or ground.lacks(following)
    if not ground.unknown(again) and (lacks or following.refused):
        again = yield Ask(ground.position)
        if not again.keys or (following.refused and ground.unknown(again)):
            refuse_ceiling(following.offset)
        # A full page comes at the last record read if offsets are rounded down, or pages hold one: it tells nothing.
        full = len(again.keys) == size and (size > 1 or ground.limit == 1)
        if lacks and full and not ground.unknown(again):
            refuse_promise(following.offset, ground.totals.latest)
    if new := ground.unknown(again):
        ground.extend(again, new)
        return None if ground.trickles() else again
    further = yield from look_further(ground, page, following.offset + size, size)
    if further and (new := ground.unknown(further)):
        ground.extend(further, new)
    return further
