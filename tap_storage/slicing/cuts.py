"""The moments at which a collection is cut, so that each slice has about as many records.

Pure: who calls says how records are counted. A count may cost a request, so few are made, and all are remembered: what
one cut has shown narrows the search for the next.
"""

from __future__ import annotations

import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

UNIT = timedelta(seconds=1)
"""Between two moments that filters tell apart."""
TOLERANCE = 0.02
"""By how much of a slice a cut may be beside its place."""
MOST_SLICES = 10_000


class Count(NamedTuple):
    """How many records have a replication key before a moment: between these two numbers."""

    moment: datetime
    least: float
    most: float


class Cut(NamedTuple):
    """Where one slice ends and the next begins. rank: about how many records lie before it, None if not counted."""

    moment: datetime
    rank: float | None = None


def balanced(
    count: Callable[[datetime, float, float], Count], *, low: Count, high: Count, ranks: Iterable[float], slack: float
) -> Iterator[Cut]:
    """Yield where these ranks lie, in ascending order; those that lie behind `high` are left out.

    count: is given a moment, a rank and the slack around it, and counts the records before the moment, at least well
    enough to tell on which side of the rank that is. low, high: what is known.
    """
    known = [low, high]
    for rank in ranks:
        if rank >= high.most:
            return
        before = max(each for each in known if each.most <= rank)
        after = min(each for each in known if each.least >= rank)
        for turn in itertools.count():
            close = rank - before.least <= slack or after.most - rank <= slack
            if close or after.moment - before.moment <= UNIT:
                break
            asked = count(_between(before, after, rank if turn % 2 == 0 else None), rank, slack)
            known.append(asked)
            if asked.most <= rank:
                before = max(before, asked)
            else:
                after = asked
        nearest = before if rank - before.least < after.most - rank else after
        if low.moment < nearest.moment < high.moment:
            yield Cut(nearest.moment, nearest.least if nearest.least == nearest.most else rank)


def _between(before: Count, after: Count, rank: float | None) -> datetime:
    """Return a moment between two, on a whole second: where the rank would be in an even spread, or else the middle."""
    exact = before.least == before.most and after.least == after.most
    share = (rank - before.most) / (after.least - before.most) if exact and rank is not None else 0.5
    moment = (before.moment + min(max(share, 0.02), 0.98) * (after.moment - before.moment)).replace(microsecond=0)
    return max(moment, before.moment + UNIT)


def regular(first: datetime, every: timedelta, end: datetime) -> Iterator[Cut]:
    """Yield the moments so far apart from the day of `first` on, up to `end`."""
    moment = first.replace(hour=0, minute=0, second=0, microsecond=0)
    while (moment := moment + every) <= end:
        yield Cut(moment)
