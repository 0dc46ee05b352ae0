"""What a body holds, read by Python's own means, and whether what was emitted says the same."""

from __future__ import annotations

import decimal
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def _refuse(name: str) -> None:
    msg = f"{name} is no JSON"
    raise ValueError(msg)


def read(text: bytes) -> Any:
    """Read JSON in UTF-8. Raises ValueError for what is none, RecursionError for what Python cannot read."""
    return json.loads(text.decode("utf-8-sig"), parse_float=Number, parse_int=Number, parse_constant=_refuse)


def find(document: Any, path: str) -> Any:
    """Return what is at a path of names with dots, `$` for all; None if nothing is. The whole path may be a name."""
    if isinstance(document, dict) and path in document:
        return document[path]
    for name in [] if path == "$" else path.split("."):
        document = document.get(name) if isinstance(document, dict) else None
    return document


def records_of(body: bytes, path: str) -> list[dict[str, Any]] | None:
    """Return the records that a body holds, None if it does not hold a list of objects. Raises RecursionError."""
    try:
        found = find(read(body), path)
    except ValueError:
        return None
    return found if isinstance(found, list) and all(isinstance(record, dict) for record in found) else None


def lost(value: Any, emitted: Any, *, told: bool, nulls: bool, schema: Mapping[str, Any] | None = None) -> bool:
    """Tell whether an emitted value does not say what the API's did.

    told: whether the run told of fields that it left out. nulls: whether it told of values that it made null. schema:
    of the object, whose fields may not be left out even if some were told of.
    """
    if isinstance(value, dict) and isinstance(emitted, dict):
        known = set() if schema is None else schema.get("properties", {}).keys()
        return not emitted.keys() <= value.keys() or any(
            lost(inner, emitted[name], told=told, nulls=nulls) if name in emitted else not told or name in known
            for name, inner in value.items()
        )
    if isinstance(value, list) and isinstance(emitted, list):
        return len(value) != len(emitted) or any(
            lost(*pair, told=told, nulls=nulls) for pair in zip(value, emitted, strict=True)
        )
    if emitted is None and value is not None:
        return not nulls
    return not (_same(value, emitted) or _converted(value, emitted))


def _same(value: Any, emitted: Any) -> bool:
    if isinstance(value, Number) and isinstance(emitted, Number):
        try:
            return decimal.Decimal(value) == decimal.Decimal(emitted)
        except decimal.InvalidOperation:
            return value.lower() == emitted.lower()
    return type(value) is type(emitted) and bool(value == emitted)


def _converted(value: Any, emitted: Any) -> bool:
    """Tell whether one is the other in another type of JSON."""
    if isinstance(emitted, bool):
        return str(value).lower() == str(emitted).lower() or (
            isinstance(value, Number) and decimal.Decimal(value) == emitted
        )
    if isinstance(emitted, Number):
        return type(value) is str and _same(Number(value), emitted)
    if (type(emitted) is str and not isinstance(value, str | type(None))) or isinstance(value, Number):
        try:
            return not lost(value, read(str(emitted).encode()), told=False, nulls=False)
        except ValueError:
            return False
    return False
