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

import msgspec

from tap_storage.bookmarks import format_instant, parse_instant
from tap_storage.walk import Resume

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

KEY = "walk"
"""Of the state of a stream."""
NAME_BYTES = 6
FINGERPRINT_BYTES = 8
SHORT_BYTES = 2


def name(key: Hashable) -> str:
    """Return what is remembered of a record's key: short, of one length, and nothing of its content."""
    return blake2b(repr(key).encode(), digest_size=NAME_BYTES).hexdigest()


def fingerprint(values: Mapping[str, Any], *, secret: str) -> str:
    """Return what changes when any of the values does. secret: without it, they cannot be found by trial."""
    key = blake2b(secret.encode(), digest_size=32).digest()
    return blake2b(_text(values), digest_size=FINGERPRINT_BYTES, key=key).hexdigest()


def short_fingerprint(values: Mapping[str, Any]) -> str:
    """Return what hardly stays when any of the values changes: too short to find them by trial."""
    return blake2b(_text(values), digest_size=SHORT_BYTES).hexdigest()


def _text(values: Mapping[str, Any]) -> bytes:
    return json.dumps(values, sort_keys=True, default=str).encode()


@dataclasses.dataclass
class Progress:
    """A walk, as far as it has come.

    collection, window, order: fingerprints. began: when the first attempt did. newest: the highest replication key so
    far, as the state writes it; certain: the highest before anything moved. records: emitted, all attempts together.
    total: as the API stated it last. version: of the rows of a full refresh. contradicted: whether the declared order
    does not hold. place: None before the first page. finished: whether it is remembered only for where the next one may
    begin.
    """

    collection: str
    window: str
    order: str
    began: datetime
    newest: Any = None
    certain: Any = None
    records: int = 0
    total: int | None = None
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
        return {key: value for key, value in content.items() if value is not None and value is not False}


def read(content: object) -> Progress | None:
    """Return what a state has under `walk`; None if it has nothing, or nothing that can be read."""
    try:
        entry = msgspec.convert(content, _Entry)
    except msgspec.ValidationError:
        return None
    place = entry.place and Resume(entry.place.offset, _marks(entry.place), entry.place.page, entry.place.step)
    known = {name: getattr(entry, name) for name in entry.__struct_fields__}
    return Progress(**known | {"place": place, "began": parse_instant(entry.began) or datetime.now(timezone.utc)})


def begin(remembered: object, fresh: Progress, log: Callable[[str], object]) -> tuple[Progress, Resume | None]:
    """Return the progress to go on with, and where the last run ended if that is of use.

    That is the interrupted walk itself, `place` and all; or the fresh one, where the last was finished or is another.
    """
    last = read(remembered)
    if last is None:
        return fresh, None
    fresh.contradicted = last.contradicted and last.order == fresh.order
    if last.collection != fresh.collection:
        log("The address, the API key, params or the keys are not those of the run before: its place is forgotten")
        return fresh, None
    if last.finished:
        return fresh, last.place
    if last.window != fresh.window:
        log("The dates or the bookmark are not those of the interrupted run: reading begins anew")
        return fresh, None
    return last, None


class _Place(msgspec.Struct):
    offset: int
    marks: dict[str, int]
    page: int
    step: int


def _marks(place: _Place) -> dict[Hashable, int]:
    return dict(place.marks.items())


class _Entry(msgspec.Struct):
    collection: str
    window: str
    order: str
    began: str
    newest: str | int | None = None
    certain: str | int | None = None
    records: int = 0
    total: int | None = None
    version: int | None = None
    contradicted: bool = False
    finished: bool = False
    place: _Place | None = None
