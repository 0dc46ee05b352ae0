"""What a sample of records shows of their fields: one nullable type each, as destinations have columns."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from genson import SchemaBuilder
from genson.schema.strategies import BASIC_SCHEMA_STRATEGIES, Number, String

from tap_storage.conversions import FORMATS
from tap_storage.shape import types_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Schema = Mapping[str, Any]

LARGEST = 1 << 63
"""Whole numbers from here on may be texts too, whose columns hold them: integers would not, and numbers be rounded."""
DEEPEST = 10
"""Objects within objects, whose fields are of interest to anyone."""
MOST_KEYS = 100
"""An object with more keys than this in a sample has data for keys, and not fields."""


def infer(records: Iterable[Mapping[str, Any]], keys: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the schema of each field of some records; of one that is null throughout, the type null alone."""
    builder = _Builder(schema_uri=None)
    for record in records:
        builder.add_object(record)
    fields = {name: _settle(field) for name, field in builder.to_schema().get("properties", {}).items()}
    for key in keys:
        if key in fields and fields[key]["type"] != ["null"]:
            fields[key]["type"] = [kind for kind in fields[key]["type"] if kind != "null"]
    return fields


def _settle(generated: Schema, depth: int = 0) -> dict[str, Any]:
    """Return a nullable type for all that was met.

    Values of several types stay as they are, but may be texts too: that is the column that destinations make of it.
    """
    branches = [branch for branch in _branches(generated) if branch["type"] != "null"]
    kinds = {branch["type"] for branch in branches} | {"string" for branch in branches if "large" in branch}
    if not kinds:
        return {"type": ["null"]}
    if kinds == {"object"}:
        return _open_object(branches[0], depth)
    if kinds == {"array"}:
        items = branches[0].get("items")
        return {"type": ["array", "null"], "items": _inner(items, depth)}
    if kinds == {"string"}:
        formats = {branch.get("format") for branch in branches}
        shown = "date-time" if formats == {"date", "date-time"} else formats.pop() if len(formats) == 1 else None
        return {"type": ["string", "null"]} | ({"format": shown} if shown else {})
    if len(kinds) > 1:
        return {"type": [*sorted(kinds | {"string"}), "null"]} | (
            {"additionalProperties": True} if "object" in kinds else {}
        )
    return {"type": [*kinds, "null"]}


def _open_object(shown: Schema, depth: int) -> dict[str, Any]:
    """Return the schema of an object that may have more fields than a sample shows."""
    fields = shown.get("properties", {})
    named = {name: _inner(field, depth) for name, field in fields.items()} if len(fields) <= MOST_KEYS else {}
    return {"type": ["object", "null"], "additionalProperties": True} | ({"properties": named} if named else {})


def _inner(shown: Schema | None, depth: int) -> dict[str, Any]:
    """Return the schema of what is inside another; of what is null throughout, or too deep, one that takes anything."""
    settled = _settle(shown, depth + 1) if shown and depth < DEEPEST else {"type": ["null"]}
    return {} if settled["type"] == ["null"] else settled


def _branches(generated: Schema) -> list[dict[str, Any]]:
    """Return what genson joined: schemas of one type each."""
    branches = generated.get("anyOf", [generated] if generated else [])
    return [{**branch, "type": kind} for branch in branches for kind in types_of(branch)]


class _Number(Number):  # type: ignore[misc]
    """Numbers as they are decoded here."""

    @classmethod
    def match_object(cls, obj: Any) -> bool:
        """Tell whether a value is one."""
        return isinstance(obj, Decimal) or (type(obj) is int and -LARGEST <= obj < LARGEST)

    def add_object(self, obj: Any) -> None:
        """Take a value in."""
        if isinstance(obj, Decimal):
            self._type = "number"


class _Large(_Number):
    """Whole numbers that a destination's integers do not hold."""

    @classmethod
    def match_schema(cls, schema: Schema) -> bool:
        """Tell whether this strategy made a schema."""
        return "large" in schema

    @classmethod
    def match_object(cls, obj: Any) -> bool:
        """Tell whether a value is one."""
        return type(obj) is int and not -LARGEST <= obj < LARGEST

    def to_schema(self) -> dict[str, Any]:
        """Return what all the values have in common."""
        return {"type": "integer", "large": True}


class _Date(String):  # type: ignore[misc]
    """Texts that name a day."""

    FORMAT = "date"

    @classmethod
    def match_schema(cls, schema: Schema) -> bool:
        """Tell whether this strategy made a schema."""
        return schema.get("format") == cls.FORMAT

    @classmethod
    def match_object(cls, obj: Any) -> bool:
        """Tell whether a value is one."""
        return isinstance(obj, str) and FORMATS[cls.FORMAT](obj)

    def to_schema(self) -> dict[str, Any]:
        """Return what all the values have in common."""
        return {"type": "string", "format": self.FORMAT}


class _DateTime(_Date):
    """Texts that name an instant."""

    FORMAT = "date-time"

    @classmethod
    def match_object(cls, obj: Any) -> bool:
        """Tell whether a value is one."""
        return super().match_object(obj) and not _Date.match_object(obj)


class _Text(String):  # type: ignore[misc]
    """Other texts."""

    @classmethod
    def match_object(cls, obj: Any) -> bool:
        """Tell whether a value is one."""
        return isinstance(obj, str) and not _Date.match_object(obj) and not _DateTime.match_object(obj)


class _Builder(SchemaBuilder):  # type: ignore[misc]
    """genson, with dates and exact numbers."""

    STRATEGIES = (
        _Date,
        _DateTime,
        _Text,
        _Large,
        _Number,
        *(strategy for strategy in BASIC_SCHEMA_STRATEGIES if strategy not in (Number, String)),
    )
