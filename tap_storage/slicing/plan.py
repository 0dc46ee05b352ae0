"""What the slices of a collection are, and what has to be set for a run to copy one."""

from __future__ import annotations

import dataclasses
import itertools
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from singer_sdk.exceptions import ConfigurationError

from tap_storage import settings
from tap_storage.bookmarks import SCALES, Numbers, Window, format_instant
from tap_storage.slicing.survey import Survey, UnfitError
from tap_storage.slicing.ways import ByFilters, ByOrder, Wanted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tap_storage.slicing.cuts import Cut
    from tap_storage.slicing.ways import Way
    from tap_storage.streams import StorageDataStream


@dataclasses.dataclass(frozen=True)
class Slice:
    """What one run copies. config: settings besides those given. records: about how many, None if not counted.

    state_id_suffix: names its state; "" for the open-ended one, whose state the daily run goes on from.
    """

    config: dict[str, str]
    state_id_suffix: str
    records: int | None


@dataclasses.dataclass(frozen=True)
class Plan:
    """The slices, from the oldest on, how many requests they took, and what a person should know."""

    slices: Sequence[Slice]
    requests: int
    notes: Sequence[str]


def plan(stream: StorageDataStream, *, slices: int = 0, every: timedelta = timedelta(0)) -> Plan:
    """Cut a collection into so many slices, or, if 0, into windows so long.

    stream: connected. Raises ConfigurationError for an API that cannot be read in slices.
    """
    _check(stream)
    survey = Survey(stream, settings.window(stream.config))
    # What arrives late comes with the last slice, as it would with any run after this.
    latest = survey.now - timedelta(seconds=stream.replication.lookback_window)
    wanted = Wanted(slices, every, min(latest, survey.dates.end or latest))
    unfit: list[str] = []
    for way in _ways(stream, survey):
        try:
            cuts = list(_fitting(way.cuts(wanted), survey.dates, wanted.latest))
        except UnfitError as error:
            unfit.append(str(error))
            continue
        windows = itertools.pairwise([survey.dates.start, *(cut.moment for cut in cuts), survey.dates.end])
        records = itertools.pairwise([0, *(cut.rank for cut in cuts), way.size])
        return Plan(
            [
                Slice(
                    _dates(Window(*window)) | (way.config(number) if cuts else {}), _suffix(*window), _between(*ranks)
                )
                for number, (window, ranks) in enumerate(zip(windows, records, strict=True))
            ],
            survey.requests,
            [*unfit, *way.notes],
        )
    msg = f"The collection cannot be read in slices: {'; '.join(unfit)}"
    raise ConfigurationError(msg)


def _check(stream: StorageDataStream) -> None:
    """Raise ConfigurationError where the settings say already that the collection cannot be read in slices."""
    replication, key = stream.replication, stream.replication_key
    if not key:
        msg = "Setting replication_key: is none, and slices are windows of it: set it to a date that records have"
        raise ConfigurationError(msg)
    if isinstance(stream.keys.scale(form := replication.datetime_format), Numbers) and form not in SCALES:
        msg = (
            f"Setting replication_key: {key} is an integer, which start_date and end_date cannot be compared with: use "
            "a date, or set datetime_format to epoch or epoch_ms if it counts seconds or milliseconds since 1970"
        )
        raise ConfigurationError(msg)
    if not any(_offers(stream)):
        msg = (
            "The collection cannot be read in slices: each run would read all of it. Set start_param and end_param if "
            f"the API filters by {key}, or sort_order if it sorts by it, or does so when params ask for it; "
            "tap-storage-probe finds out"
        )
        raise ConfigurationError(msg)


def _offers(stream: StorageDataStream) -> tuple[bool, bool]:
    """Return whether the settings say that the API sorts, and that it filters."""
    replication = stream.replication
    return (
        replication.sort_order != "unsorted" and stream.pages,
        bool(replication.start_param and replication.end_param),
    )


def _ways(stream: StorageDataStream, survey: Survey) -> Iterator[Way]:
    """Yield the ways in which the collection may be cut, the surer one first."""
    sorts, filters = _offers(stream)
    if sorts:
        yield ByOrder(survey, stream.replication)
    if filters:
        yield ByFilters(survey, stream.replication, identified=bool(stream.primary_keys))


def _fitting(cuts: Iterable[Cut], dates: Window[datetime], latest: datetime) -> Iterator[Cut]:
    """Yield cuts inside the window of the settings, each later than the one before; none is later than `latest`."""
    before = dates.start
    for cut in cuts:
        within = cut if cut.moment < latest else cut._replace(moment=latest, rank=None)
        if (before is None or before < within.moment) and within.moment != dates.end:
            yield within
            before = within.moment


def _dates(window: Window[datetime]) -> dict[str, str]:
    bounds = {"start_date": window.start, "end_date": window.end}
    return {name: format_instant(moment) for name, moment in bounds.items() if moment}


def _suffix(start: datetime | None, end: datetime | None) -> str:
    """Name a window so that files can be called by it; the open-ended one has no name."""
    if end is None:
        return ""
    return "-".join(
        f"{side}-{moment:%Y%m%dT%H%M%S}{f'{moment:%f}' if moment.microsecond else ''}Z"
        for side, moment in (("from", start), ("to", end))
        if moment
    )


def _between(before: float | None, after: float | None) -> int | None:
    return None if before is None or after is None else max(0, round(after - before))
