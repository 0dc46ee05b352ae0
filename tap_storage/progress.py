"""What the state remembers of a walk besides the bookmark, so that another process can go on with it.

It lies beside the SDK's own keys, under `walk`: where the walk is, what it has found so far, and fingerprints of what
defines it. Values that may be secret go into those only.
"""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timezone
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tap_storage.bookmarks import format_instant, parse_instant
from tap_storage.walk import Resume

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

KEY = "walk"
"""Of the state of a stream."""
NAME_BYTES = 6
FINGERPRINT_BYTES = 8


def name(key: Hashable) -> str:
    """Return what is remembered of a record's key: short, of one length, and nothing of its content."""
    return blake2b(repr(key).encode(), digest_size=NAME_BYTES).hexdigest()


def fingerprint(secret: str, values: Mapping[str, Any]) -> str:
    """Return what changes when any of the values does. secret: without it, they cannot be found by trial."""
    key = blake2b(secret.encode(), digest_size=32).digest()
    text = json.dumps(values, sort_keys=True, default=str)
    return blake2b(text.encode(), digest_size=FINGERPRINT_BYTES, key=key).hexdigest()


@dataclasses.dataclass
class Progress:
    """A walk, as far as it has come.

    collection, window: fingerprints. began: when the first attempt did. newest: the highest replication key so far, as
    the state writes it. records: emitted, all attempts together. version: of the rows of a full refresh.
    contradicted: whether the declared order does not hold. place: None before the first page. finished: whether it is
    remembered only for where the next one may begin.
    """

    collection: str
    window: str
    began: datetime
    newest: Any = None
    records: int = 0
    version: int | None = None
    contradicted: bool = False
    finished: bool = False
    place: Resume | None = None

    @property
    def content(self) -> dict[str, Any]:
        """What the state has of it: JSON."""
        content = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        content["began"] = format_instant(self.began)
        content["place"] = self.place and dataclasses.asdict(self.place)
        return {key: value for key, value in content.items() if value not in (None, False)}


def read(content: object) -> Progress | None:
    """Return what a state has under `walk`; None if it has nothing, or nothing that can be read."""
    if not isinstance(content, dict):
        return None
    try:
        known = {field.name: content[field.name] for field in dataclasses.fields(Progress) if field.name in content}
        place = known.get("place")
        known["place"] = place and Resume(int(place["offset"]), _marks(place), int(place["page"]), int(place["step"]))
        known["began"] = parse_instant(known["began"]) or datetime.now(timezone.utc)
        return Progress(**known)
    except (KeyError, TypeError, ValueError):
        return None


def begin(
    remembered: object,
    *,
    collection: str,
    window: str,
    log: Callable[[str], object],
) -> tuple[Progress, Resume | None]:
    """Return the progress to start with, and where the last run ended if that is of use.

    That is the interrupted walk itself, `place` and all; or a new one, where the last was finished or is of no use.
    """
    fresh = Progress(collection, window, datetime.now(timezone.utc))
    last = read(remembered)
    if last is None:
        return fresh, None
    if last.collection != collection:
        log("The API's address, params, keys or order are not those of the run before: where that one was is forgotten")
        return fresh, None
    fresh.contradicted = last.contradicted
    if last.finished:
        return fresh, last.place
    if last.window != window:
        log("The dates or the bookmark are not those of the interrupted run: reading begins anew")
        return fresh, None
    return last, None


def _marks(place: Mapping[str, Any]) -> dict[Hashable, int]:
    return {str(mark): int(distance) for mark, distance in place["marks"].items()}
