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
"""… or so few where the total may count what a filter leaves out …"""
MOST_STRIDES_IN_THE_DARK = 48
"""… and where the API was seen to leave records out of two pages, and its total promises more."""
TWICE = 2


def look_further(ground: Ground, last: Answer, offset: int, size: int) -> Denial:
    """Return what the pages of this size from an offset on hold, None if nothing.

    last: the answer that is the end by all other signs.
    """
    hides = ground.hiding >= TWICE
    if not (ground.lacks(last) or hides):
        return None
    promised = min(MOST_STRIDES_IN_THE_DARK, (ground.totals.reach - offset) // size + 1)
    for _ in range(max(ground.strides, promised if hides else 0)):
        beyond = yield Ask(offset)
        if new := ground.unknown(beyond):
            if ground.knows(beyond):
                return beyond
            before = yield Ask(offset - size)
            if ground.unknown(before):
                return before
            beyond = yield Ask(offset)
            if new := ground.unknown(beyond):
                ground.extend(beyond, new)
            return beyond
        offset += size
    if ground.lacks(last):
        ground.note(f"The API states a total of {last.total}, but the last record is at offset {ground.position}")
    return None
