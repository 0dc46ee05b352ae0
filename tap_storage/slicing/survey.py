"""Asks an API what there is to cut: how many records lie before a moment, or which ones are at a place of the order.

Everything goes through the stream that will read the collection, so that it is asked in the same way, at the same pace.
What comes back is held against what was asked, as an API may not do what the settings say of it. Counts may be off, or
old when they are used: the slices are windows of the replication key, which the tap itself keeps to.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from tap_storage.bookmarks import EPOCH, SCALES, Window
from tap_storage.seek import Probe, Sample
from tap_storage.slicing.cuts import Count, Cut

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from tap_storage.streams import StorageDataStream

GROWTH = 8
MOST_RECORDS = 10**12
FAR = timedelta(days=100 * 366)
"""From now on there is nothing."""
PAGES_TRIED = 30
"""One after the other, where there is no place to cut at."""

DAWN = datetime(1, 1, 2, tzinfo=timezone.utc)


class UnfitError(Exception):
    """The API does not do what the settings say of it; says what."""


class Survey:
    """What an API says of a collection. stream: connected. dates: the window that the settings leave."""

    def __init__(self, stream: StorageDataStream, dates: Window[datetime]) -> None:
        self.dates = dates
        self.now = datetime.now(timezone.utc).replace(microsecond=0)
        self._stream = stream
        self._scale: Any = stream.keys.scale(stream.replication.datetime_format)
        self._limit = stream.page_size
        self._descending = stream.replication.sort_order == "descending"
        self._trusted: bool | None = None
        """Whether totals count what was asked for; None where there was none yet."""
        self._repeats: bool | None = None
        """Whether there is something at any offset; None where it was not asked yet."""
        self._seen: dict[int, datetime] = {}
        """What the pages that were looked at begin and end with, by the place in the order."""
        self.unasked = 0
        """Records that come whatever filters say: those without a key, with some APIs."""
        stream.run = stream.planner.plan({}).run

    @property
    def requests(self) -> int:
        """How often the API was asked."""
        return self._stream.verdict.traffic.requests

    def size(self, window: Window[datetime] | None) -> int:
        """Return how many records there are in a window, None: at all, whatever filters the settings have."""
        first = self._ask(window, 0, 1)
        if not self._stream.pages:
            return len(first.names)
        if self._trusted is None and first.total:
            self._trusted = self._counts_truly(window, first.total)
        if first.total is not None and self._trusted:
            return first.total
        low, high = 0, first.total or self._limit
        while high < MOST_RECORDS and self.has_more(window, high - 1):
            low, high = high, high * GROWTH
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.has_more(window, middle - 1) else (low, middle)
        return low

    def check_filters(self) -> None:
        """Find out whether filters do what they should, and what comes whatever they say; raises UnfitError."""
        self._ask(Window(None, EPOCH + timedelta(days=1)), 0, self._limit)
        nothing = self._ask(Window(self.now + FAR, None), 0, self._limit)
        if nothing.total is not None and len(nothing.names) < self._limit and nothing.total != len(nothing.names):
            self._trusted = False
        self.unasked = self.size(Window(self.now + FAR, None)) if nothing.names else 0

    def count(self, moment: datetime, rank: float = 0, slack: float = 0) -> Count:
        """Count the records before a moment: exactly if totals can be trusted, or else beside a rank, and its slack."""
        window = Window(None, moment)
        if self._trusted or not self._stream.pages:
            records = self.size(window) - self.unasked
            return Count(moment, records, records)
        if not self.has_more(window, int(rank) + self.unasked):
            return Count(moment, 0, rank)
        beyond = int(rank + slack)
        much = self.has_more(window, beyond + self.unasked)
        return Count(moment, beyond if much else rank, math.inf if much else beyond)

    def earliest(self, latest: datetime) -> datetime:
        """Return a moment within a day of the first record, and before it; `latest` if none is before that."""
        low = high = latest
        span = timedelta(days=1)
        while self.has_more(Window(None, low), self.unasked):
            if span >= latest - DAWN:
                return DAWN
            low, high, span = latest - span, low, span * 2
        while high - low > timedelta(days=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            low, high = (low, middle) if self.has_more(Window(None, middle), self.unasked) else (middle, high)
        return low

    def newest(self, earliest: datetime, latest: datetime) -> datetime:
        """Return a moment within a day of the last record of those between two moments, and behind it."""
        low, high = earliest, latest
        while high - low > timedelta(days=1):
            middle = (low + (high - low) / 2).replace(microsecond=0)
            low, high = (middle, high) if self.has_more(Window(middle, latest), self.unasked) else (low, middle)
        return high

    def ranks(self) -> range:
        """Return where in the order the records are that the settings ask for, to about a page; raises UnfitError."""
        size = self.size(None)
        bounds = (self.dates.end, self.dates.start) if self._descending else (self.dates.start, self.dates.end)
        first, last = (None if bound is None else self._rank(bound, size) for bound in bounds)
        return range(first or 0, max(first or 0, size if last is None else last))

    def oldest(self, ranks: range) -> datetime | None:
        """Return what the first record by time has, of these places of the order; None where none can be read."""
        return min(self._end(ranks, last=self._descending), default=None)

    def latest(self, ranks: range) -> datetime | None:
        """Return what the last record by time has, of these places of the order; None where none can be read."""
        return max(self._end(ranks, last=not self._descending), default=None)

    def _end(self, ranks: range, *, last: bool) -> list[datetime]:
        """Return the moments of the first page of these places, or those of the last two."""
        places = (max(ranks.start, ranks.stop - self._limit), ranks.stop - 1) if last else (ranks.start,)
        return [moment for place in places for moment in self.moments(place) if moment]

    def cut_at(self, rank: int) -> Cut | None:
        """Return the moment at about this place of the order; None where there is none near it. Raises UnfitError.

        It lies between two records that both have a key, so that none without one stands between them.
        """
        for before, place, after in self._neighbours(rank if self._limit > 1 else max(0, rank - 1)):
            if place >= rank and before and after and before != after:
                return Cut(max(before, after), place)
        return None

    def cut_near(self, moment: datetime, size: int) -> Cut:
        """Return the first moment from this one on at which one record ends and a later one begins, both with a key.

        It is this moment itself, unless records without a key stand there. size: of the collection. Raises UnfitError.
        """
        for before, _, after in self._neighbours(max(0, self._rank(moment, size) - 1)):
            passed = after and (after < moment if self._descending else after >= moment)
            if passed and before and after and before != after:
                earlier, later = sorted((before, after))
                return Cut(moment if earlier < moment <= later else later)
        return Cut(moment)

    def _neighbours(self, rank: int) -> Iterator[tuple[datetime | None, int, datetime | None]]:
        """Yield what records that follow each other have, with the place of the latter, from a page on."""
        start = rank - rank % self._limit
        before: datetime | None = None
        names: Sequence[Hashable] = ()
        for _ in range(PAGES_TRIED):
            sample = self._ask(None, start, self._limit)
            if not sample.names or sample.names[0] in names:
                return  # the end, or the same page again, since offsets are rounded down
            names = sample.names
            for place, after in enumerate(self._in_order(start, sample), start):
                yield before, place, after
                before = after
            start += len(names)

    def moments(self, rank: int) -> Sequence[datetime | None]:
        """Return what the records of a page have, from a place of the order on; raises UnfitError if in no order."""
        return self._in_order(rank, self._ask(None, rank, self._limit))

    def _in_order(self, rank: int, sample: Sample) -> Sequence[datetime | None]:
        """Return what the records of a page have; raises UnfitError if they, or all that were seen, are in no order."""
        moments = [None if value is None else self._moment(value) for value in sample.values]
        known = {rank + place: moment for place, moment in enumerate(moments) if moment}
        self._seen |= {place: known[place] for place in (*list(known)[:1], *list(known)[-1:])}
        for page in (list(known.values()), [moment for _, moment in sorted(self._seen.items())]):
            if page != sorted(page, reverse=self._descending):
                msg = f"the API does not sort as sort_order says (the page at {rank} is in another order)"
                raise UnfitError(msg)
        return moments

    def _moment(self, value: Any) -> datetime:
        if isinstance(value, datetime):
            return value
        return EPOCH + timedelta(seconds=value / SCALES[self._stream.replication.datetime_format])

    def _rank(self, bound: datetime, size: int) -> int:
        """Return how many records come before a bound, to about a page."""
        low, high = 0, size // self._limit + 1
        for place, seen in self._seen.items():
            if seen >= bound if self._descending else seen < bound:
                low = max(low, place // self._limit)
            else:
                high = min(high, place // self._limit)
        while low < high:
            middle = (low + high) // 2
            rank = middle * self._limit
            known = [moment for moment in self.moments(rank) if moment]
            if known:
                ahead = known[-1] >= bound if self._descending else known[-1] < bound
            else:
                ahead = rank < min(self._seen, default=size)  # they may all stand in front
            low, high = (middle + 1, high) if ahead else (low, middle)
        return min(low * self._limit, size)

    def _counts_truly(self, window: Window[datetime] | None, total: int) -> bool:
        """Tell whether a total is that of a window: the page of the last record has no more, and is the last."""
        page, within = divmod(total - 1, self._limit)
        last = self._ask(window, page * self._limit, self._limit).names
        behind = self._ask(window, (page + 1) * self._limit, self._limit).names
        return 0 < len(last) <= within + 1 and (not behind or behind == last)

    def has_more(self, window: Window[datetime] | None, rank: int) -> bool:
        """Tell whether a window has more records than this. Asks for whole pages, as some APIs have no others."""
        if not self._stream.pages:
            return len(self._ask(window, 0, self._limit).names) > rank
        page, within = divmod(rank, self._limit)
        names = self._ask(window, page * self._limit, self._limit).names
        if page and names and self._repeats is not False:
            # Some APIs send their last page for all that is behind it.
            self._repeats = bool(far := self._ask(window, MOST_RECORDS * self._limit, self._limit).names)
            if far == names:
                return False
        if not names or len(names) > within:
            return bool(names)
        there = self._ask(window, rank, 1).names  # pages may be shorter than asked for
        return bool(there) and there[0] not in names

    def _ask(self, window: Window[datetime] | None, rank: int, size: int) -> Sample:
        """Return what the API has of a window from a place on, None: without filters; raises UnfitError."""
        start, end = (window.start, window.end) if window else (None, None)
        if window:
            start = max((each for each in (start, self.dates.start) if each), default=None)
            end = min((each for each in (end, self.dates.end) if each), default=None)
        scaled: Window[Any] = Window(self._scale.date(start), self._scale.date(end))
        self._stream.filters = self._stream.planner.filters(scaled)
        sample = self._stream.sample(Probe(self._stream.initial_offset + rank, size))
        known = [value for value in sample.values if value is not None]
        for name, bound, unheeded in (
            ("start_param", scaled.start, min(known, default=None)),
            ("end_param", scaled.end, max(known, default=None)),
        ):
            if bound is None or unheeded is None:
                continue
            margin = bound - self._scale.unasked(bound)
            if (unheeded < bound - margin) if name == "start_param" else (unheeded > bound + margin):
                msg = f"the API does not heed {name}: it sends records that this should leave out"
                raise UnfitError(msg)
        return sample
