"""Looking behind empty pages: an API that filters after slicing serves short and empty pages anywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.walk.answers import Ask

if TYPE_CHECKING:
    from tap_storage.walk.answers import Answer, Test
    from tap_storage.walk.ground import Ground

MOST_STRIDES = 4
"""Pages looked at behind an empty one; all that the total promises, where the API was seen to hide records."""


def look_further(ground: Ground, last: Answer, offset: int, size: int) -> Test:
    """Return what the pages of this size from an offset on hold, None if nothing.

    last: the answer that is the end by all other signs.
    """
    if not (ground.lacks(last) or ground.irregular):
        return None
    strides = 0
    while strides < MOST_STRIDES or (ground.irregular and offset < ground.reach):
        beyond = yield Ask(offset)
        if new := ground.unknown(beyond):
            if ground.knows(beyond):
                return beyond
            before = yield Ask(offset - size)
            if before.keys:
                return before
            beyond = yield Ask(offset)
            if new := ground.unknown(beyond):
                ground.extend(beyond, new)
            return beyond
        strides += 1
        offset += size
    if ground.lacks(last):
        ground.note(f"The API states a total of {last.total}, but the last record is at offset {ground.position}")
    return None
