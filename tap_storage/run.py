"""One attempt at copying a collection: which records belong in it, and what it makes of the state."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from tap_storage.bookmarks import Scale, Window
    from tap_storage.order import Order
    from tap_storage.progress import Progress
    from tap_storage.records import Page

BOOKMARK = "replication_key_value"
"""Of the SDK's state of a stream; `replication_key` beside it names the field."""


class Run:
    """What a run looks for, and what it has found.

    key: name of the replication key, "" without one. scale: how its values are read. primary_keys: by which a record is
    named in messages. selective: whether a filter or an order may leave records out. dated: whether the window is that
    of the dates that are set, and of no bookmark. log: takes messages.
    """

    def __init__(  # noqa: PLR0913 (what there is to know of a run)
        self,
        *,
        key: str,
        scale: Scale,
        primary_keys: Sequence[str],
        window: Window[Any],
        order: Order,
        progress: Progress,
        selective: bool,
        dated: bool,
        log: Callable[..., None],
    ) -> None:
        self.selective = selective
        self.window = window
        self.order = order
        self.progress = progress
        self.read = 0
        """Records of the collection that were read."""
        self._key = key
        self._scale = scale
        self._primary_keys = primary_keys
        self._dated = dated
        self._standing: tuple[int, Sequence[Any]] = 0, ()
        """Offset of the last page, and where its records stand."""
        self._log = log
        self._newest: Any = scale.read(progress.newest)
        self._certain: Any = scale.read(progress.certain)
        """The highest value seen before anything moved."""
        self._moved = self._certain != self._newest
        self._told_unreadable = self._told_unasked = False

    def values(self, page: Page) -> Sequence[Any]:
        """Return the replication keys of a page's records as they are compared, None for those that cannot be read."""
        return self._scale.read_all(page.column(self._key)) if self._key else [None] * len(page)

    def placed(self, values: Sequence[Any], *, offset: int, still: bool) -> Sequence[Any]:
        """Return the values of a whole page; in an order, a record without one stands where the one before it does.

        So it comes with one window of several that meet. It has none, and so comes with this run, where the window
        begins between the records around it, or they are not known, or what begins the window is a bookmark, after
        which it may be new wherever it stands. still: whether nothing has moved, so that offsets tell.
        """
        if not (self.order.ascending or (self.order.descending and self._dated)):
            return values
        before, standing = self._standing
        placed = list(values)
        if None in values:
            place = offset - 1 - before
            latest = standing[place] if still and 0 <= place < len(standing) else None
            placed = [latest := value if value is not None else latest for value in values]
        self._standing = offset, tuple(placed)
        following = None
        for place in range(len(values) - 1, -1, -1) if None in values else ():
            if values[place] is not None:
                following = values[place]
            elif placed[place] is not None and self.order.is_ahead(placed[place]):
                known = self._dated and following is not None and self.order.is_ahead(following)
                placed[place] = placed[place] if known else None
        return placed

    def sift(self, page: Page, values: Sequence[Any], places: Sequence[int], placed: Sequence[Any]) -> Sequence[int]:
        """Return the places, of these, of records that belong in the window.

        One whose key cannot be read does, unless the window is over where it stands. placed: of `placed`.
        """
        self.read += len(places)
        known = values if len(places) == len(values) else [values[place] for place in places]
        keyless = None in known
        if keyless:
            if self._key:
                self._tell_of_unreadable(page, next(place for place in places if values[place] is None))
            known = [value for value in known if value is not None]
        inside = not known or (self.window.holds(min(known)) and self.window.holds(max(known)))
        if self.window.bounded and (keyless or not inside):
            places = [place for place in places if self._belongs(values[place], placed[place])]
            known = [value for value in known if self.window.holds(value)]
        self.progress.records += len(places)
        if known:
            newest = max(known)
            self._newest = newest if self._newest is None else max(self._newest, newest)
        return places

    def _belongs(self, value: Any, standing: Any) -> bool:
        return self.window.holds(standing if value is None else value)

    def _tell_of_unreadable(self, page: Page, place: int) -> None:
        if self._told_unreadable:
            return
        self._told_unreadable = True
        self._log(
            "Records without a readable %s are emitted by every run%s, %s for one. Check replication_key, and set "
            "datetime_format if they have it in another form than ISO 8601",
            self._key,
            " that meets them, but no filter or order finds new ones" if self.selective else "",
            {name: page.column(name)[place] for name in self._primary_keys},
            level=logging.WARNING,
        )

    def hear_unasked(self, values: Sequence[Any], lowest: Any) -> None:
        """Tell of an API that sends what the filter on the replication key should have left out.

        lowest: value that one may send which heeds it.
        """
        if not self._told_unasked and min((value for value in values if value is not None), default=lowest) < lowest:
            self._told_unasked = True
            self._log(
                "The API sends records from before what start_param asked for: is it the API's name for that? They "
                "are left out here, but each run reads them",
                level=logging.WARNING,
            )

    def lower_ceiling(self, moment: datetime) -> None:
        """Let the bookmark not pass this moment, at which reading began: later records may lie on pages read before."""
        self.progress.began = min(self.progress.began, moment)

    def hear_moves(self, *, still: bool) -> None:
        """Take in whether anything has moved: if not, what was added has a higher number than all that was read."""
        self._moved = self._moved or not still
        if not self._moved:
            self._certain = self._newest

    def note_newest(self) -> None:
        """Let the progress know the highest replication key so far."""
        self.progress.newest, self.progress.certain = (
            None if value is None else self._scale.write(value) for value in (self._newest, self._certain)
        )

    def move_bookmark(self, state: dict[str, Any]) -> None:
        """Let the state begin where this run ends: at its newest record, or where a later one may have slipped in."""
        ceiling = self._scale.ceiling(self.progress.began)
        if ceiling is None and not self.order.ascending:
            ceiling = self._certain  # where no clock tells, what came meanwhile may have a lower number than the newest
            if ceiling is None:
                return
        if self._newest is None:
            return
        newest = self._newest if ceiling is None else min(self._newest, ceiling)
        before = self._scale.read(state.get(BOOKMARK))
        if before is None or before < newest:
            state["replication_key"] = self._key
            state[BOOKMARK] = self._scale.write(newest)
