"""The schema as types of msgspec: what decodes a whole page at once, and refuses values that do not fit.

Texts, whole numbers and truth values become Python's; everything else stays the JSON that it came as, so that a number
keeps each of its digits, and is only looked at. What the schema does not name is passed over unseen, which is what the
SDK does to it.
"""

from __future__ import annotations

import operator
from datetime import date, datetime, time
from functools import reduce
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
from msgspec import UNSET, Raw, UnsetType

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    Schema = Mapping[str, Any]

SCALARS: Mapping[str, Any] = {"string": str, "integer": int, "boolean": bool, "null": None}
SEEN: Mapping[str, Any] = {**SCALARS, "number": int | float}
"""Types that a value is held against, though it is not kept as one."""
FORMATS: Mapping[str, Any] = {"date-time": datetime, "date": date, "time": time, "uuid": UUID}
"""Texts that are held against a type, too."""
SAYS_TYPES = frozenset(
    {
        "type",
        "properties",
        "items",
        "additionalProperties",
        "required",
        "format",
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$schema",
        "$id",
        "$comment",
        "$defs",
        "definitions",
    }
)
"""Keywords of JSON schemas that say types, or nothing of the values."""


class UnfitError(Exception):
    """The schema cannot be held against values here."""


class Shape:
    """The type of an object with these properties, and of whatever lies in it.

    properties: JSON schemas by name. present: names of those that are always there; required: of those that are not
    null either. read: names of those that are wanted as Python values. lenient: names of those whose texts need not be
    in the format that the schema names.
    Raises UnfitError for a schema that says more than types.
    """

    def __init__(
        self,
        properties: Schema,
        *,
        present: Collection[str] = (),
        required: Collection[str] = (),
        read: Collection[str] = (),
        lenient: Collection[str] = (),
    ) -> None:
        self._required = required
        self._lenient = lenient
        self._fields = {name: f"f{number}" for number, name in enumerate(properties)}
        self._inner: dict[str, Shape] = {}
        self._unread: dict[str, msgspec.json.Decoder[Any]] = {}
        self._written: dict[str, msgspec.json.Decoder[Any]] = {}
        fields: list[Any] = []
        for name, schema in properties.items():
            field, kind = self._field(name, schema)
            if kind is Raw and name in (*required, *read):
                raise UnfitError
            if name in required or name in present:
                fields.append((field, kind))
            else:
                fields.append((field, kind if kind is Raw else kind | UnsetType, UNSET))
        self.type = _struct(fields, {field: name for name, field in self._fields.items()})

    def column(self, records: Sequence[Any], name: str) -> list[Any]:
        """Return a property of each record, None where it is not there."""
        values = list(map(operator.attrgetter(self._fields[name]), records))
        if name in self._required:
            return values
        return [None if value is UNSET else value for value in values] if UNSET in values else values

    def check(self, records: Sequence[Any]) -> None:
        """Raise UnfitError, msgspec.MsgspecError or UnicodeDecodeError where a value that was not read does not fit."""
        for field, decoder in self._unread.items():
            values = [value for record in records if (value := getattr(record, field)) is not UNSET]
            joined = b"[" + b",".join(values) + b"]"
            decoder.decode(joined)
            if not joined.isascii():
                str(joined, "utf-8")  # of what is passed over, msgspec looks at the structure only
        for field, decoder in self._written.items():
            texts = [value for record in records if isinstance(value := getattr(record, field), str)]
            quoted = '["' + '","'.join(texts) + '"]' if texts else "[]"
            if "\\" in quoted or len(decoder.decode(quoted)) != len(texts):
                raise UnfitError
        for field, shape in self._inner.items():
            shape.check([inner for record in records if isinstance(inner := getattr(record, field), shape.type)])

    def _field(self, name: str, schema: Schema) -> tuple[str, Any]:
        """Return the field for a property, and its type."""
        field, kinds = self._fields[name], _kinds(schema)
        if name in self._required:
            kinds = kinds - {"null"}
        if "string" in kinds and name not in self._lenient and (written := FORMATS.get(schema.get("format", ""))):
            self._written[field] = msgspec.json.Decoder(list[written])  # type: ignore[valid-type]
        if "object" in kinds and schema.get("properties") and not schema.get("additionalProperties"):
            shape = self._inner[field] = Shape(schema["properties"], present=schema.get("required", ()))
            kinds = kinds - {"object"}
            if kinds <= SCALARS.keys():
                return field, _union([shape.type, *(SCALARS[kind] for kind in kinds)])
            raise UnfitError
        if kinds and kinds <= SCALARS.keys():
            return field, _union([SCALARS[kind] for kind in kinds])
        self._written.pop(field, None)  # it is seen whole
        self._unread[field] = msgspec.json.Decoder(list[_seen(schema)])  # type: ignore[misc]
        return field, Raw


def _seen(schema: Schema) -> Any:
    """Return the type that values are held against. They are kept whole, so nothing unknown may be in them."""
    kinds = _kinds(schema)
    types = [SEEN[kind] for kind in kinds if kind in SEEN]
    if str in types and (written := FORMATS.get(schema.get("format", ""))):
        types[types.index(str)] = written
    if "object" in kinds:
        properties, required = schema.get("properties", {}), schema.get("required", ())
        if not set(required) <= properties.keys():
            raise UnfitError
        fields: list[Any] = [
            (f"f{number}", _seen(inner)) if name in required else (f"f{number}", _seen(inner) | UnsetType, UNSET)
            for number, (name, inner) in enumerate(properties.items())
        ]
        names = {f"f{number}": name for number, name in enumerate(properties)}
        strict = bool(properties) and not schema.get("additionalProperties")
        types.append(_struct(fields, names, strict=strict))
    if "array" in kinds:
        inner = schema.get("items")
        types.append(list[_seen(inner) if inner else Any])  # type: ignore[misc]
    return _union(types) if types else Any


def _struct(fields: Sequence[Any], names: Mapping[str, str], *, strict: bool = False) -> Any:
    """Return the type of an object. names: by field. Raises UnfitError for names that msgspec does not take."""
    try:
        return msgspec.defstruct("Object", fields, rename=names, forbid_unknown_fields=strict, kw_only=True, gc=False)
    except ValueError:  # quotes, backslashes and control characters
        raise UnfitError from None


def types_of(schema: Schema) -> set[str]:
    """Return the names of the types that a schema names; empty where it names none."""
    kinds = schema.get("type", ())
    return {kinds} if isinstance(kinds, str) else set(kinds)


def _kinds(schema: Schema) -> set[str]:
    """Return the names of the types that a schema allows, where that is all it says."""
    named = types_of(schema)
    if not schema.keys() <= SAYS_TYPES or isinstance(schema.get("additionalProperties"), dict):
        raise UnfitError
    return named


def _union(types: Sequence[Any]) -> Any:
    return reduce(operator.or_, types) if types != [None] else None
