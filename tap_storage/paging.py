"""From pages to the walk and back: what identifies a record, and the SDK's paginator protocol."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from singer_sdk.exceptions import FatalAPIError
from singer_sdk.pagination import OffsetPaginator
from typing_extensions import override

from tap_storage.walk import WalkError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from tap_storage.records import Page
    from tap_storage.verdict import Verdict
    from tap_storage.walk import Resume, Walk


LIKE_KEYS_SHOWN = 3
"""Fields that a message names as likely keys."""


class Reading(NamedTuple):
    """A page as it was read, and the places of the records on it that are new.

    follows: whether it begins right after the page read before, without a record that both hold.
    """

    offset: int
    page: Page
    new: Sequence[int]
    follows: bool


class Everything:
    """The walk over an API that has no offsets and answers with the whole collection at once."""

    bounded = False
    moved = 0
    place = None
    still = True
    undisturbed = False

    def __init__(self, *, offset: int) -> None:
        self.offset = offset
        self.finished = False
        self.total: int | None = None

    def upcoming(self, most: int) -> Sequence[int]:  # noqa: ARG002
        """Nothing follows."""
        return ()

    def take(
        self,
        keys: Sequence[Hashable],
        total: int | None,
        *,
        early: bool,  # noqa: ARG002
        refused: bool,  # noqa: ARG002
    ) -> Sequence[int]:
        """Take in the answer, all of whose records are new. Raises WalkError where it is not all there is."""
        self.total = total
        if total is not None and total > len(keys):
            msg = (
                f"held {len(keys)} of {total} records: set offset_param to the name of the API's offset parameter, "
                "such as offset, skip or start"
            )
            raise WalkError(msg)
        self.finished = True
        return range(len(keys))


class WalkPaginator(OffsetPaginator):
    """Lets the SDK's paginator protocol drive a walk; an answer is the decoded page, so that it is decoded once."""

    def __init__(self, pages: Walk | Everything, *, page_size: int, primary_keys: Sequence[str]) -> None:
        super().__init__(pages.offset, page_size)
        self.new: Sequence[int] = ()
        """The places of new records in the latest page."""
        self._pages = pages
        self._primary_keys = primary_keys

    @property
    @override
    def current_value(self) -> int:
        return self._pages.offset

    @property
    @override
    def finished(self) -> bool:
        return self._pages.finished

    @property
    def bounded(self) -> bool:
        """Whether maximum_offset ended the walk."""
        return self._pages.bounded

    @property
    def still(self) -> bool:
        """Whether no record was seen to move, since the collection was begun to be read."""
        return self._pages.still

    @property
    def undisturbed(self) -> bool:
        """Whether the walk goes on where another was interrupted, with its last record where that was."""
        return self._pages.undisturbed

    @property
    def place(self) -> Resume | None:
        """Where the walk is, for another process to go on from."""
        return self._pages.place

    def upcoming(self, most: int) -> Sequence[int]:
        """The offsets that are likely to be asked for from here on, so many of them; pages at others are void."""
        return () if self.finished else self._pages.upcoming(most)

    @override
    def advance(self, response: Page) -> None:  # type: ignore[override]
        self.take(response)

    def take(self, page: Page, *, early: bool = False) -> None:
        """Take in a page. early: whether it was asked for before the page before it was taken."""
        self._page_count += 1
        keys = identify(page, self._primary_keys, offset=self.current_value)
        self.new = ()
        self.new = self._pages.take(keys, page.total, early=early, refused=page.refused)

    def report(self, verdict: Verdict) -> None:
        """Say how far the walk has come."""
        verdict.pages, verdict.moved, verdict.total = self.count, self._pages.moved, self._pages.total


def identify(page: Page, primary_keys: Sequence[str], *, offset: int) -> list[Hashable]:
    """Return what tells each record from others: its primary key, or a digest of its content where there is none.

    offset: of the first record. Raises FatalAPIError for a record without its primary key.
    """
    if not primary_keys:
        return [_digest(record) for record in page.records]
    columns = [_hashable(page.column(name)) if page.loose else page.column(name) for name in primary_keys]
    for name, column in zip(primary_keys, columns, strict=True):
        if page.loose and None in column:
            place = column.index(None)
            msg = (
                f"has a record without its primary key {name}, number {place + 1} on the page, at offset "
                f"{offset + place}: set primary_keys to fields that every record has{_like_keys(page.records)}"
            )
            raise FatalAPIError(msg)
    keys: list[Hashable] = list(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]
    if len(set(keys)) < len(keys):
        _compare_namesakes(page.records, keys)
    return keys


def _compare_namesakes(records: Sequence[dict[str, Any]], keys: Sequence[Hashable]) -> None:
    """Raise FatalAPIError where records differ that have the same primary key: one would be taken for the other."""
    seen: dict[Hashable, int] = {}
    for place, key in enumerate(keys):
        first = seen.setdefault(key, place)
        if records[first] != records[place]:
            msg = (
                f"has different records with the same primary key, numbers {first + 1} and {place + 1} on the page: "
                f"set primary_keys to fields that tell records apart{_like_keys(records)}"
            )
            raise FatalAPIError(msg)


def _like_keys(records: Sequence[dict[str, Any]]) -> str:
    """Name the fields that tell all these records apart."""
    fields = dict.fromkeys(name for record in records for name in record)
    found = []
    for name in fields:
        values = [record.get(name) for record in records]
        if {*map(type, values)} <= {str, int} and len(set(values)) == len(values):
            found.append(name)
    return f", such as {' or '.join(found[:LIKE_KEYS_SHOWN])}" if found else ""


def _hashable(values: list[Any]) -> list[Hashable]:
    if {dict, list}.isdisjoint(map(type, values)):
        return values
    return [_digest(value) if isinstance(value, (dict, list)) else value for value in values]


def _digest(value: Any) -> bytes:
    return blake2b(msgspec.json.encode(value, order="sorted"), digest_size=16).digest()
