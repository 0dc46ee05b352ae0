"""The walk over a collection by offsets: which page to ask for next, what in it is new, and when the end is proven.

An answer may hold less than was asked for. So offsets advance by what came back, a short page is a hint and never the
end, and the end is believed only when the page that begins with the last record read holds nothing after it, or when
the server's own total says the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from singer_sdk.exceptions import FatalAPIError
from singer_sdk.pagination import OffsetPaginator
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_storage.records import Page


class Walk:
    """Decides about paging, from answers alone.

    start: offset of the first record. limit: records asked for at a time. paged: False where the API has no offset and
    answers with the whole collection at once. note: is told what a person may want to know, once per event.
    """

    def __init__(self, *, start: int, limit: int, paged: bool = True, note: Callable[[str], object]) -> None:
        self.offset = start
        """The offset to ask for next."""
        self.finished = False
        self._first = start if start <= 1 else 0  # an API counts from 0 or from 1; what lies beyond that is skipped
        self._limit = limit
        self._paged = paged
        self._note = note
        self._page: Sequence[object] = ()
        self._pages = 0
        self._largest = 0
        self._promised: int | None = None
        self._proving = False
        self._asked_twice = False

    def take(self, keys: Sequence[object], total: int | None) -> int:
        """Take in the answer at `offset`; return how many of its leading records are known already.

        keys: what identifies each record, in the order of the answer. total: the collection's size as this answer
        states it. Raises FatalAPIError where nothing proves that no record is missing.
        """
        if not self._paged:
            self._take_everything(keys, total)
            return 0
        if self._proving:
            return self._take_proof(keys, total)
        if not keys or keys == self._page:
            self._doubt(keys, total)
            return len(keys)
        self._advance(keys, total)
        self.finished = len(keys) < self._largest and self._agrees(total)
        return 0

    def _agrees(self, total: int | None) -> bool:
        """Whether the total says that everything was read, and said so when there was more to come.

        A total that is counted per page, or up to the page's end, agrees with every position.
        """
        return total is not None and total == self._promised == self.offset - self._first

    def _lacks(self, total: int | None) -> bool:
        return total is not None and total > self.offset - self._first

    def _advance(self, new: Sequence[object], total: int | None) -> None:
        if self._pages == 1 and len(self._page) == len(new) < self._limit:
            self._note(
                f"The API serves {len(new)} records a page where limit asks for {self._limit}: reading on by {len(new)}"
            )
        self.offset += len(new)
        self._page = new
        self._pages += 1
        self._largest = max(self._largest, len(new))
        self._asked_twice = False
        if self._lacks(total):
            self._promised = total

    def _take_everything(self, keys: Sequence[object], total: int | None) -> None:
        if total is not None and total > len(keys):
            msg = f"held {len(keys)} of {total} records: set offset_param to the name of the API's offset parameter"
            raise FatalAPIError(msg)
        self.finished = True

    def _doubt(self, keys: Sequence[object], total: int | None) -> None:
        """Nothing new at `offset`: this is the end if the total says so, else ask for the last record's page again."""
        if self._agrees(total) or self._asked_twice or not (self._pages or total):
            self.finished = True
        elif not self._pages:
            msg = f"was empty though the API states a total of {total}: check params and initial_offset, or run again"
            raise FatalAPIError(msg)
        elif keys and self._limit == self._pages == 1:
            self._refuse_ignored_offset()
        else:
            self._proving = True
            self.offset -= 1

    def _take_proof(self, keys: Sequence[object], total: int | None) -> int:
        """Take in the page asked for at the last record read."""
        self._proving = False
        self.offset += 1
        if keys and keys[0] == self._page[-1]:
            if len(keys) > 1:
                self._advance(keys[1:], total)
            elif self._largest > 1 or self._pages == 1:
                self.finished = True
            else:
                self._ask_again(total)
            return 1
        if keys == self._page and self._pages == 1:
            self._refuse_ignored_offset()
        msg = (
            "does not begin with the last record read: records moved while they were read, and some may be missing. "
            "Run again, or check primary_keys, or add a sort by a field that never changes to params"
        )
        raise FatalAPIError(msg)

    def _ask_again(self, total: int | None) -> None:
        """Where a page holds one record, the last one's page says nothing of what follows: ask for that twice."""
        if self._lacks(total):
            msg = (
                f"is the last of {total} records that the API gives: check limit, which may be too small, or run again"
            )
            raise FatalAPIError(msg)
        self._asked_twice = True

    def _refuse_ignored_offset(self) -> NoReturn:
        msg = (
            "repeats the first page: the API ignores the offset. "
            "Set offset_param to its name for it ('' if it does not page)"
        )
        raise FatalAPIError(msg)


class WalkPaginator(OffsetPaginator):
    """Lets the SDK's paginator protocol drive a walk; an answer is the decoded page, so that it is decoded once."""

    def __init__(self, walk: Walk, *, page_size: int, primary_keys: Sequence[str]) -> None:
        super().__init__(walk.offset, page_size)
        self.known = 0
        """Leading records of the latest page that were read before."""
        self._walk = walk
        self._primary_keys = primary_keys

    @property
    @override
    def current_value(self) -> int:
        return self._walk.offset

    @property
    @override
    def finished(self) -> bool:
        return self._walk.finished

    @override
    def advance(self, response: Page) -> None:  # type: ignore[override]
        self._page_count += 1
        self.known = self._walk.take([self._identify(record) for record in response.records], response.total)

    def _identify(self, record: dict[str, Any]) -> object:
        """Tell a record by its primary key, or by its content where it has none."""
        key = tuple(record.get(name) for name in self._primary_keys)
        return record if None in key or not key else key
