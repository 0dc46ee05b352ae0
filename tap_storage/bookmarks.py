"""Replication keys as instants or whole numbers, not as text: how they are read, compared and written.

An API may mix precisions and zones, so `…00Z` and `…00.500+01:00` are compared as points in time. What is written has
one fixed width, so that it compares the same way as text wherever the state goes next.
"""

from __future__ import annotations

import dataclasses
import math
import re
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any, Generic, TypeVar

import msgspec
from singer_sdk.helpers._compat import datetime_fromisoformat

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCALES: Mapping[str, int] = {"epoch": 1, "epoch_ms": 1000}
"""The forms of datetime_format that are numbers, and how many of each make a second."""
FINEST = {"fScTXr+": 1, "MR": 60, "HIp": 3600, "djDFxuwaAvGgVUWeh": 86_400, "mbB": 31 * 86_400}
"""Directives of strftime, and the seconds that the finest of them in a pattern can tell apart."""
YEAR = 366 * 86_400
MOST_DIGITS = 40
"""Of a number; no key is larger, and one like 1e999999999 would fill the memory."""
TOO_FINE = re.compile(r"\.[0-9]{7}")
"""Digits of a second that are cut off here, and rounded by msgspec."""
LATEST = datetime.max.replace(tzinfo=timezone.utc)
EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


C = TypeVar("C", datetime, int)


def parse_instant(value: object) -> datetime | None:
    """Return the UTC instant that an ISO 8601 text names, or None where it names none.

    A text without a zone is UTC. Digits beyond microseconds are cut off.
    """
    if not isinstance(value, str):
        return None
    try:
        moment = datetime_fromisoformat(value.strip().upper())
        return (moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None


def format_instant(moment: datetime) -> str:
    """Write a UTC instant with microseconds, always 27 characters: `2024-01-31T00:00:00.000000Z`."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ").rjust(27, "0")


def _read_instants(values: Sequence[Any]) -> Sequence[datetime | None] | None:
    """Return what `parse_instant` makes of many values, at once; None where it takes more to read them."""
    try:
        texts = '","'.join(values)
        if "\\" in texts or TOO_FINE.search(texts):
            return None
        moments = _moments().decode(f'["{texts}"]')
        read = [moment if moment.tzinfo is timezone.utc else moment.astimezone(timezone.utc) for moment in moments]
    except (TypeError, OverflowError, msgspec.MsgspecError, UnicodeError):
        return None
    return read if len(read) == len(values) else None


@lru_cache
def _moments() -> msgspec.json.Decoder[list[datetime]]:
    return msgspec.json.Decoder(list[Annotated[datetime, msgspec.Meta(tz=True)]])


@dataclasses.dataclass(frozen=True)
class Window(Generic[C]):
    """The values of interest, `[start, end)`; None leaves a side open."""

    start: C | None = None
    end: C | None = None

    def holds(self, value: C | None) -> bool:
        """Tell whether a record with this replication key belongs in the run; without a readable key it does."""
        return value is None or not (self.precedes(value) or self.follows(value))

    def precedes(self, value: C) -> bool:
        """Tell whether a value lies before the window."""
        return self.start is not None and value < self.start

    def follows(self, value: C) -> bool:
        """Tell whether a value lies behind the window."""
        return self.end is not None and value >= self.end

    @property
    def bounded(self) -> bool:
        """Whether any value lies outside."""
        return self.start is not None or self.end is not None

    @property
    def empty(self) -> bool:
        """Whether it holds nothing."""
        return self.start is not None and self.end is not None and self.start >= self.end


class Instants:
    """Replication keys that are points in time.

    form: how the API's filters write them: "iso", "epoch", "epoch_ms", or a pattern of strftime. Records may have them
    so too.
    """

    noun = "date-time"

    def __init__(self, form: str) -> None:
        self._form = form
        self._scale = SCALES.get(form)
        self._unit = timedelta(seconds=_finest(form) if "%" in form else 1)

    def read(self, value: object) -> datetime | None:
        """Return what a record's or a state's value stands for, None for what cannot be read."""
        if self._scale and (number := _number(value)) is not None:
            return _from_epoch(number / self._scale)
        moment = parse_instant(value)
        if moment is None and "%" in self._form and isinstance(value, str):
            try:
                moment = parse_instant(datetime.strptime(value, self._form).isoformat())  # noqa: DTZ007 (UTC is meant)
            except (ValueError, re.error):
                return None
        return moment

    def read_all(self, values: Sequence[object]) -> Sequence[datetime | None]:
        """Return what each of many values stands for."""
        return _read_instants(values) or [self.read(value) for value in values]

    def date(self, moment: datetime | None) -> datetime | None:
        """Return what start_date or end_date stands for."""
        return moment

    def write(self, value: datetime) -> str:
        """Write a bookmark."""
        return format_instant(value)

    def before(self, value: datetime, seconds: float) -> datetime:
        """Return the value so many seconds earlier."""
        try:
            return value - timedelta(seconds=seconds)
        except OverflowError:
            return datetime.min.replace(tzinfo=timezone.utc)

    def ceiling(self, moment: datetime) -> datetime | None:
        """Return the highest value that a bookmark may have at this moment."""
        return moment

    def unasked(self, start: datetime) -> datetime:
        """Return the lowest value that an API may send which heeds the filter from `start` on, to the day at least."""
        return self.before(start, max(86_400, 2 * self._unit.total_seconds()))

    def start_parameter(self, start: datetime) -> str:
        """Write the lower bound for a filter, one unit early: it may be exclusive, or know no fractions."""
        return self._written(self.before(start, self._unit.total_seconds()))

    def end_parameter(self, end: datetime) -> str:
        """Write the upper bound for a filter, rounded up and one unit late."""
        late = min(end, LATEST - 2 * self._unit) + self._unit
        exact = self._written(end) != self._written(end - timedelta(microseconds=1))
        return self._written(late if exact else late + self._unit)

    def _written(self, moment: datetime) -> str:
        if self._scale:
            return str(math.floor((moment - EPOCH).total_seconds()) * self._scale)
        moment = moment.astimezone(timezone.utc)
        return (
            moment.strftime(self._form) if "%" in self._form else moment.strftime("%Y-%m-%dT%H:%M:%SZ").rjust(20, "0")
        )


class Numbers:
    """Replication keys that are whole numbers: ids, or seconds or milliseconds since 1970 if `form` says so."""

    noun = "whole number"

    def __init__(self, form: str) -> None:
        self._scale = SCALES.get(form)

    def read(self, value: object) -> int | None:
        """Return what a record's or a state's value stands for, None for what cannot be read."""
        number = _number(value)
        return int(number) if number is not None and number == int(number) else None

    def read_all(self, values: Sequence[object]) -> Sequence[int | None]:
        """Return what each of many values stands for."""
        return [self.read(value) for value in values]

    def date(self, moment: datetime | None) -> int | None:
        """Return what start_date or end_date stands for, None where nothing can."""
        if moment is None or self._scale is None:
            return None
        return math.ceil((moment - EPOCH) / timedelta(seconds=1) * self._scale)

    def write(self, value: int) -> int:
        """Write a bookmark."""
        return value

    def before(self, value: int, seconds: float) -> int:  # noqa: ARG002 (lookback_window is not for whole numbers)
        """Return the value as it is."""
        return value

    def ceiling(self, moment: datetime) -> int | None:
        """Return the highest value that a bookmark may have at this moment, None where it counts no time."""
        return self.date(moment)

    def unasked(self, start: int) -> int:
        """Return the lowest value that an API may send which heeds the filter from `start` on."""
        return start - (self._scale or 1)

    def start_parameter(self, start: int) -> str:
        """Write the lower bound for a filter, one unit early: it may be exclusive."""
        return str(start - (self._scale or 1))

    def end_parameter(self, end: int) -> str:
        """Write the upper bound for a filter, one unit late."""
        return str(end + (self._scale or 1))


Scale = Instants | Numbers
"""What a replication key counts, and how it is written."""


def writes_dates(form: str) -> bool:
    """Tell whether a datetime_format can be used: it has to tell one day from another."""
    if form in ("iso", *SCALES):
        return True
    try:
        texts = {datetime(2001, 2, day, tzinfo=timezone.utc).strftime(form) for day in (3, 4)}
    except ValueError:
        return False
    return "%" in form and "%s" not in form and len(texts) > 1  # %s goes by this machine's zone: epoch does not


def _finest(pattern: str) -> int:
    used = {after[0] for after in pattern.replace("%-", "%").replace("%%", "").split("%")[1:] if after}
    return next((seconds for directives, seconds in FINEST.items() if used & set(directives)), YEAR)


def _number(value: object) -> Decimal | None:
    """Return the number that a value is, or names as a text of digits."""
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
        return None
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?[0-9]{1,40}\s*", value):
        return None
    number = Decimal(value)
    return number if number.is_finite() and number.adjusted() < MOST_DIGITS else None


def _from_epoch(seconds: Decimal) -> datetime | None:
    try:
        return EPOCH + timedelta(microseconds=int(seconds * 1_000_000))
    except OverflowError:
        return None
