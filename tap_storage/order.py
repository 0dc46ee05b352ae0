"""The order that an API is declared to have by the replication key: what follows from it, and what contradicts it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_storage.bookmarks import Window


class Order:
    """Holds pages against the declared order, and tells when the rest of them is of no interest.

    declared: "ascending", "descending" or "unsorted". Values are replication keys as read, None for those that cannot
    be; these say nothing of the order. Once contradicted, it is not relied on any more.
    """

    def __init__(self, declared: str, window: Window[Any], *, contradicted: bool = False) -> None:
        self._window = window
        self._declared = declared
        self._latest: Any = None
        self.contradicted = contradicted

    @property
    def ascending(self) -> bool:
        """Whether records are known to ascend."""
        return self._declared == "ascending" and not self.contradicted

    @property
    def descending(self) -> bool:
        """Whether records are known to descend."""
        return self._declared == "descending" and not self.contradicted

    def check(self, page: Sequence[Any], *, follows: bool) -> bool:
        """Take in the values of a whole page; return False if they contradict the order for the first time.

        follows: whether the page begins after the one before it, without a record that both hold.
        """
        if not (self.ascending or self.descending):
            return True
        values = [value for value in page if value is not None]
        latest, self._latest = self._latest, values[-1] if values else self._latest
        if follows and latest is not None:
            values.insert(0, latest)
        if self.descending:
            values.reverse()
        self.contradicted = values != sorted(values)
        return not self.contradicted

    def is_ahead(self, value: Any) -> bool:
        """Tell whether a value, and with it all that come before it, lies outside the window."""
        return (self.ascending and self._window.precedes(value)) or (self.descending and self._window.follows(value))

    def is_behind(self, value: Any) -> bool:
        """Tell whether a value, and with it all that come after it, lies outside the window."""
        return (self.ascending and self._window.follows(value)) or (self.descending and self._window.precedes(value))

    def is_past(self, values: Sequence[Any], new: Sequence[int]) -> bool:
        """Tell whether all records behind those at these places, the new ones of a page, lie outside the window."""
        if not (new and (self.ascending or self.descending)):
            return False
        found = [values[place] for place in new]
        return None not in found and all(self.is_behind(value) for value in found)
