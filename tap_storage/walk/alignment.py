"""What an API makes of offsets, when the page after the first is the first again.

It may ignore them, it may round them down to a multiple of a page, or records were inserted in front meanwhile.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from tap_storage.walk.answers import Answer, Ask, refuse_ignored_offset

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_storage.walk.ground import Ground

Alignment = Generator[Ask, Answer, "Answer | int"]


def find_alignment(ground: Ground, first: Answer, second: Answer) -> Alignment:
    """Return the latest answer if it shows that offsets work, else the number whose multiples do.

    first, second: answers with the same records, at least two. Raises WalkError if offsets are ignored.
    """
    size = len(first.keys)
    near, far = ground.start + size, ground.start + max(size, ground.limit)
    found: dict[int, Sequence[Hashable]] = {}
    for offset in dict.fromkeys((far, near)):
        answer = second if second.offset == offset else (yield Ask(offset))
        if answer.keys != first.keys and ground.knows(answer):
            return answer
        if answer.keys == first.keys and offset == far:
            if answer.total == first.total:
                refuse_ignored_offset()
            return answer  # records were inserted in front, as many as were read
        if answer.keys in found.values():
            return answer  # two pages of an API that rounds offsets down differ: records moved
        found[offset] = answer.keys
    # Inserted records could have made it look so. Then it looks otherwise when asked again, and again.
    for offset, keys in (*[(ground.position, first.keys)] * 2, *found.items()):
        answer = yield Ask(offset)
        if answer.keys != keys:
            return answer
    return ground.limit if found[near] == first.keys else size
