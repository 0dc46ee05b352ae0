"""The two ways to cut a collection: where its order puts the records, or by what its filters count."""

from __future__ import annotations

import dataclasses
import itertools
from typing import TYPE_CHECKING, Protocol

from tap_storage.bookmarks import Window
from tap_storage.slicing.cuts import MOST_SLICES, TOLERANCE, Count, Cut, balanced, regular
from tap_storage.slicing.survey import FAR, UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime, timedelta

    from tap_storage.settings import Replication
    from tap_storage.slicing.survey import Survey

CAPPED = 1.5
"""So many times the whole its parts are together, if counts have a ceiling."""
MANY = 200
"""Records, below which no ceiling is looked for."""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is to be made. slices: how many, 0 if windows are to be so long. latest: moment that may be cut at."""

    slices: int
    every: timedelta
    latest: datetime


def _windows(first: datetime, wanted: Wanted, last: datetime) -> list[Cut]:
    """Return the cuts between windows of the width that is wanted; raises UnfitError for too many."""
    cuts = list(itertools.islice(regular(first, wanted.every, min(last, wanted.latest)), MOST_SLICES))
    if len(cuts) == MOST_SLICES:
        msg = f"there would be more than {MOST_SLICES:,} slices: make them longer"
        raise UnfitError(msg)
    return cuts


class Way(Protocol):
    """A way to cut. size: about how many records there are, None if not counted; notes: what a person should know."""

    size: int | None
    notes: list[str]

    def cuts(self, wanted: Wanted) -> Iterator[Cut]:
        """Yield the moments, in ascending order; raises UnfitError where the API does not do what this needs."""

    def config(self, number: int) -> dict[str, str]:
        """Return what a slice needs besides its dates, by its number from 0."""


class ByOrder:
    """For an API that sorts by the replication key: the record at a rank says where to cut.

    Runs find their windows by the order too. Filters would save them that, but drop the records without a key.
    """

    def __init__(self, survey: Survey, replication: Replication) -> None:
        self.size: int | None = None
        self.notes: list[str] = []
        self._survey = survey
        self._descending = replication.sort_order == "descending"
        self._filters = [name for name in ("start_param", "end_param") if getattr(replication, name)]

    def cuts(self, wanted: Wanted) -> Iterator[Cut]:
        """Yield the moments of the records at even distances, or at even times from the oldest on."""
        ranks = self._survey.ranks()
        if not ranks:
            self.size = 0
            return
        oldest, latest = self._survey.oldest(ranks), self._survey.latest(ranks)
        if wanted.slices:
            self.size = len(ranks)
            before = None
            for number in range(1, wanted.slices):
                rank = len(ranks) * number // wanted.slices
                cut = self._survey.cut_at(ranks.stop - rank if self._descending else ranks.start + rank)
                if cut is None or cut.rank is None:
                    continue
                if before and cut.moment < before:
                    msg = f"the API does not sort as sort_order says (the record at {cut.rank:.0f} is in another order)"
                    raise UnfitError(msg)
                before = cut.moment
                yield Cut(cut.moment, ranks.stop - cut.rank if self._descending else cut.rank - ranks.start)
        elif oldest and latest:
            for cut in _windows(oldest, wanted, latest):
                yield self._survey.cut_near(cut.moment, ranks.stop)

    def config(self, number: int) -> dict[str, str]:  # noqa: ARG002 (all alike)
        """Return that no filter is to be used."""
        return dict.fromkeys(self._filters, "")


class ByFilters:
    """For an API that filters by the replication key: it counts what lies before a moment.

    identified: whether records have primary keys, so that those which come twice are known.
    """

    def __init__(self, survey: Survey, replication: Replication, *, identified: bool) -> None:
        self._sorted = replication.sort_order != "unsorted"  # which was found not to be so, or not to help
        self.size: int | None = None
        self.notes: list[str] = []
        self._survey = survey
        self._identified = identified
        self._keyless = 0

    def cuts(self, wanted: Wanted) -> Iterator[Cut]:
        """Yield the moments before which there are even numbers of records, or at even times from the oldest on."""
        survey = self._survey
        survey.check_filters()
        keyed = survey.size(Window(None, survey.now + FAR))
        if survey.unasked and not self._identified:
            msg = "filters do not leave out records without a key: set primary_keys, as each slice would bring them"
            raise UnfitError(msg)
        if survey.unasked:
            self.notes.append(
                f"The API sends {survey.unasked} records without a key whatever is asked for: each slice reads them"
            )
        elif survey.dates.start is None and survey.dates.end is None:
            # A total may have been believed for want of more, or have a ceiling: a look behind it, too.
            self._keyless = max(survey.size(None) - keyed, survey.has_more(None, keyed))
        whole = keyed - survey.unasked
        if not whole:
            self.size = 0
            return
        first = survey.earliest(wanted.latest)
        last = survey.newest(first, wanted.latest)
        if not wanted.slices:
            yield from _windows(survey.dates.start or first, wanted, last)
            return
        self.size = whole
        before = survey.size(Window(None, last)) - survey.unasked
        low, high = Count(first, 0, 0), Count(last, before, before)
        size = whole / wanted.slices
        ranks = [size * number for number in range(1, wanted.slices)]
        found = list(balanced(survey.count, low=low, high=high, ranks=ranks, slack=size * TOLERANCE))
        if found and whole >= MANY:
            self._check_ceiling(found[-1].moment, whole)
        yield from found
        if any(rank >= high.most for rank in ranks):
            yield Cut(last, before)

    def config(self, number: int) -> dict[str, str]:
        """Return that the first slice is to be read without filter, where records have no key that one would find."""
        unsorted = {"sort_order": "unsorted"} if self._sorted else {}
        return unsorted | ({"end_param": ""} if self._keyless > 0 and not number else {})

    def _check_ceiling(self, moment: datetime, whole: int) -> None:
        parts = self._survey.size(Window(None, moment)) + self._survey.size(Window(moment, None))
        if parts > CAPPED * whole:
            msg = f"the API counts no further than {whole}, or its filters tell too little apart: use --every"
            raise UnfitError(msg)
