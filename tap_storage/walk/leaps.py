"""The walk's rule without seams: each page begins where the one before ended.

For an API that takes offsets in multiples of a page only, or on request. Records that move while they are read are seen
only where the total falls, or where a page that is asked for again has changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask, refuse_ceiling
from tap_storage.walk.strides import look_further

if TYPE_CHECKING:
    from tap_storage.walk.answers import Denial, Walking
    from tap_storage.walk.ground import Ground


def leap(ground: Ground, page: Answer, following: Answer | None, *, step: int = 0) -> Walking:
    """Read from the first page on to the end.

    following: the page after it, if it was asked for. step: distance of the pages' offsets, at least.
    """
    while True:
        ground.trickles()
        size = ground.step = max(step, ground.largest)
        short = len(page.keys) < ground.largest
        if short and ground.agrees(page):
            return
        if following is None:
            following = yield Ask(page.offset + size, size)
        new = ground.follows(following, page)
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


def _prove_end(ground: Ground, page: Answer, following: Answer, size: int) -> Denial:
    """Nothing new follows a page: return None if this is the end, else an answer, taken in, that denies it."""
    if ground.agrees(following):
        if not ground.irregular and ground.largest == ground.limit:
            ground.compare_with_total()
        return None
    short = len(page.keys) < ground.largest
    again = yield Ask(page.offset + len(page.keys) if short else following.offset)
    lacks = ground.lacks(page) or ground.lacks(following)
    if not ground.unknown(again) and (lacks or following.refused):
        again = yield Ask(ground.position)
        unproven = lacks and len(again.keys) == ground.largest and not ground.unknown(again)
        if not again.keys or unproven or (following.refused and ground.unknown(again)):
            refuse_ceiling(following.offset)
    if new := ground.unknown(again):
        ground.extend(again, new)
        return None if ground.trickles() else again
    if following.keys:  # the last page, repeated behind the end; or as many records came in front as a page holds
        beyond = yield Ask(following.offset + size)
        if new := ground.unknown(beyond):
            ground.extend(beyond, new)
            return beyond
    further = yield from look_further(ground, page, following.offset + size, size)
    if further and (new := ground.unknown(further)):
        ground.extend(further, new)
    return further
