"""The schema of a stream: the one that a person wrote, or the built-in one with what a sample shows."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk.schema.source import SchemaDirectory
from singer_sdk.singerlib.schema import resolve_schema_references
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage import schemas
from tap_storage.bookmarks import parse_instant
from tap_storage.inference import infer
from tap_storage.settings import STREAM

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Schema = Mapping[str, Any]

TEXT: dict[str, Any] = {"type": ["string", "null"]}
INSTANT: dict[str, Any] = {**TEXT, "format": "date-time"}


def built_in() -> dict[str, Any]:
    """Return the schema of the specification."""
    return copy.deepcopy(SchemaDirectory(schemas).get_schema(STREAM))


def load_schema(setting: Schema | str) -> dict[str, Any]:
    """Return the schema that a person gave: itself, as JSON text, or as the path of a file.

    Raises ValueError, which says what is wrong with it as a predicate, and quotes nothing of it.
    """
    schema: Any = _parse(setting) if isinstance(setting, str) else copy.deepcopy(setting)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not properties or not isinstance(properties, dict) or "object" not in schema.get("type", "object"):
        msg = 'must be the JSON schema of an object with properties, such as {"properties": {"id": {"type": "string"}}}'
        raise ValueError(msg)
    if not all(isinstance(field, dict) for field in properties.values()):
        msg = "must be the JSON schema of an object, each of whose properties is an object with a type"
        raise ValueError(msg)
    try:
        resolved = resolve_schema_references(schema)
        DEFAULT_JSONSCHEMA_VALIDATOR.check_schema(resolved)
    except Exception as error:  # noqa: BLE001 (of jsonschema and referencing; what they say would quote the schema)
        path = ".".join(str(step) for step in getattr(error, "absolute_path", ()))
        msg = f"is no valid JSON schema{f' at {path}' if path else ''}: correct it (a $ref must lead to a part of it)"
        raise ValueError(msg) from None
    resolved.setdefault("type", "object")
    return resolved


def _parse(text: str) -> Any:
    if not text.lstrip().startswith("{"):
        try:
            text = Path(text).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeError, ValueError):
            msg = "must be a JSON schema, or the path of a file that holds one; there is no such file that can be read"
            raise ValueError(msg) from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        msg = "must be a JSON schema, and is no valid JSON"
        raise ValueError(msg) from None


def merge(
    known: Schema,
    records: Sequence[Mapping[str, Any]],
    *,
    keys: Sequence[str],
    replication_key: str | None,
    reads: Callable[[Any], bool],
) -> dict[str, Any]:
    """Return a schema with what records show of their fields' types; of one that is null throughout, what was known.

    keys: primary keys, which are never null. They and the replication key are in the schema where no record shows it.
    reads: tells whether a value of the replication key can be read.
    """
    properties = dict(known["properties"])
    if not records:
        expected = dict.fromkeys(keys, properties["id"]) | ({replication_key: INSTANT} if replication_key else {})
        properties = expected | properties
    for name, shown in infer(records, keys).items():
        before = properties.get(name, {})
        if name == replication_key:
            field = _replication_field(before, shown, [record.get(name) for record in records], reads)
        else:
            field = shown if shown["type"] != ["null"] else before or TEXT
        properties[name] = {keyword: before[keyword] for keyword in ("description",) if keyword in before} | field
    return {**known, "properties": properties, "required": [key for key in keys if key in properties]}


def _replication_field(
    before: dict[str, Any], shown: dict[str, Any], values: Sequence[Any], reads: Callable[[Any], bool]
) -> dict[str, Any]:
    """Return the schema of the replication key: it is a date-time if any value is, or no value tells otherwise."""
    texts = [value for value in values if isinstance(value, str)]
    known = before.get("format") == "date-time"
    if shown["type"] == ["null"]:
        return before or INSTANT
    if any(map(parse_instant, texts)) or (texts and known and not any(map(reads, texts))):
        return before if known else INSTANT
    return shown
