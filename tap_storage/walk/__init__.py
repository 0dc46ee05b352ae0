"""The walk over a living collection by offsets, as pure logic: answers in, the next offset out. No HTTP, no SDK.

`Walk` is what others use. It takes the first page, finds out what the API makes of offsets, and goes on by `seams` or,
where pages cannot share records, by `leaps`. Both keep what they have read in a `Ground`, with the keys of the last few
pages in its `Trail`.
"""

from __future__ import annotations

from tap_storage.walk.answers import WalkError
from tap_storage.walk.resume import Resume
from tap_storage.walk.walk import Walk

__all__ = ["Resume", "Walk", "WalkError"]
