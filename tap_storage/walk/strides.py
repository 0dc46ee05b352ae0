"""Looking behind empty pages: an API that filters after slicing serves short and empty pages anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Ask

if TYPE_CHECKING:
    from tap_storage.walk.answers import Answer, Denial
    from tap_storage.walk.ground import Ground

MOST_STRIDES = 16
"""Pages looked at behind an empty one …"""
MOST_STRIDES_WHEN_FILTERED = 2
"""… or so few where the total may count what a filter leaves out, or pages were uneven and no total agrees …"""
MOST_STRIDES_IN_THE_DARK = 48
"""… and where the API was seen to leave records out of two pages, and its total promises more."""
TWICE = 2


def look_further(ground: Ground, last: Answer, offset: int, size: int) -> Denial:
    """Return what the pages of this size from an offset on hold, None if nothing.

    last: the answer that is the end by all other signs.
    """
    for _ in range(_strides(ground, last, offset, size)):
        beyond = yield Ask(offset)
        if new := ground.unread(beyond):
            if ground.knows(beyond):
                return beyond
            before = yield Ask(offset - size)
            if ground.unread(before):
                return before
            beyond = yield Ask(offset)
            if new := ground.unread(beyond):
                ground.extend(beyond, new)
            return beyond
        offset += size
    if ground.lacks(last):
        ground.note(f"The API states a total of {last.total}, but the last record is at offset {ground.position}")
    return None


def _strides(ground: Ground, last: Answer, offset: int, size: int) -> int:
    """Return how many pages to look at."""
    if ground.hiding >= TWICE:
        promised = min(MOST_STRIDES_IN_THE_DARK, (ground.totals.reach - offset) // size + 1)
        return max(ground.strides, promised)
    if ground.lacks(last):
        return ground.strides
    return MOST_STRIDES_WHEN_FILTERED if ground.irregular and not ground.agrees(last) else 0
