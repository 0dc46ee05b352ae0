"""From one JSON type to another, where nothing is lost."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_sdk.contrib.msgspec import encoder

from tap_storage.bookmarks import parse_instant

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

UNLIKE: Any = object()
"""What a conversion returns that cannot be made."""
WHOLE = re.compile(r"0|-?[1-9][0-9]{0,999}")
NUMBER = re.compile(r"-?(0|[1-9][0-9]{0,999})(\.[0-9]{1,999})?([eE][+-]?[0-9]{1,3})?")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
TIME = re.compile(
    r"([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]+)?)?\s?(Z|[+-][0-9]{2}(:?[0-9]{2})?)?", re.IGNORECASE
)
DATE_TIME = re.compile(rf"{DATE.pattern}[T ]{TIME.pattern}", re.IGNORECASE)
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
MOST_DIGITS = 1000
"""Of a whole number that is made of 1e999: one like 1e999999999 would fill the memory."""


def json_type(value: Any) -> str:
    """Return the JSON type of a decoded value; a number is an integer if it is written without a fraction."""
    return _TYPES[type(value)]


_TYPES = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    Decimal: "number",
    type(None): "null",
}


def _integer(value: Any) -> Any:
    if isinstance(value, Decimal) and value.adjusted() < MOST_DIGITS and value == value.to_integral_value():
        return int(value)
    return int(value) if isinstance(value, str) and WHOLE.fullmatch(value) else UNLIKE


def _number(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) and NUMBER.fullmatch(value) else UNLIKE


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value, UNLIKE)
    return bool(value) if isinstance(value, (int, Decimal)) and value in (0, 1) else UNLIKE


def _string(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return UNLIKE
    return encoder.encode(value).decode("utf-8")


CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "string": _string,
}
"""By the type that is wanted, in the order in which they are tried; a text is the last resort."""

FORMATS: Mapping[str, Callable[[str], bool]] = {
    "date-time": lambda text: (
        bool(DATE_TIME.fullmatch(text) or DATE.fullmatch(text)) and parse_instant(text) is not None
    ),
    "date": lambda text: bool(DATE.fullmatch(text)) and parse_instant(text) is not None,
    "time": lambda text: bool(TIME.fullmatch(text)),
    "uuid": lambda text: bool(UUID.fullmatch(text)),
}
"""Formats of texts that a destination has types of its own for: whether a text is in them."""
