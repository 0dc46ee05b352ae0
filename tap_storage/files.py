"""The files that a person passes: config, catalog and state. Each is JSON of a known shape, or refused in one line."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from singer_sdk.singerlib import Catalog
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from typing_extensions import override

from tap_storage.redaction import legible

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_SHAPE: dict[str, Any] = {"type": "object"}
CATALOG_SHAPE: dict[str, Any] = {
    "type": "object",
    "required": ["streams"],
    "properties": {
        "streams": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tap_stream_id", "schema"],
                "properties": {
                    "tap_stream_id": {"type": "string"},
                    "stream": {"type": ["string", "null"]},
                    "key_properties": {"type": ["array", "null"], "items": {"type": "string"}},
                    "replication_key": {"type": ["string", "null"]},
                    "replication_method": {"type": ["string", "null"]},
                    "schema": {
                        "allOf": [{"$ref": "http://json-schema.org/draft-07/schema#"}],
                        "required": ["properties"],
                        "properties": {"properties": {"additionalProperties": {"type": "object"}}},
                    },
                    "metadata": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["breadcrumb", "metadata"],
                            "properties": {
                                "breadcrumb": {"type": "array", "items": {"type": "string"}},
                                "metadata": {
                                    "type": "object",
                                    "properties": {
                                        "table-key-properties": {"type": ["array", "null"]},
                                        "replication-method": {"type": ["string", "null"]},
                                        "replication-key": {"type": ["string", "null"]},
                                    },
                                },
                            },
                        },
                    },
                },
            },
        }
    },
}
BOOKMARK_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {
        "progress_markers": {"type": "object"},
        "partitions": {"type": "array", "items": {"type": "object", "required": ["context"]}},
    },
}
STATE_SHAPE: dict[str, Any] = {
    "type": "object",
    "properties": {"bookmarks": {"type": "object", "additionalProperties": BOOKMARK_SHAPE}},
    "anyOf": [{"required": ["bookmarks"]}, {"maxProperties": 0}],
}
LONGEST_STEP = 60
"""Characters of a name in a file that a message shows."""


class JSONFile(click.ParamType):  # type: ignore[type-arg]
    """The path of a JSON file of a certain shape; becomes what the file holds."""

    name = "file"

    def __init__(self, what: str, shape: Mapping[str, Any], remedy: str) -> None:
        self._what = what
        self._check = DEFAULT_JSONSCHEMA_VALIDATOR(shape)
        self._remedy = remedy

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = self._read(value)
        try:
            content = json.loads(text, parse_constant=self._refuse_constant)
        except RecursionError:
            self._refuse("is nested too deeply")
        except ValueError as error:
            where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            self._refuse(f"is not JSON{where}")
        self._refuse_halves(content)
        if fault := next(self._check.iter_errors(content), None):
            where = legible("/".join(str(step)[:LONGEST_STEP] for step in fault.path)) or "its top"
            self._refuse(f"is JSON, but not what a Singer {self._what} looks like, at {where}")
        return content

    def _read(self, path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            self._refuse(f"cannot be read ({(error.strerror or 'error').lower()})")
        except UnicodeDecodeError:
            self._refuse("is not UTF-8 text")

    def _refuse_halves(self, content: Any) -> None:
        try:
            json.dumps(content, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            self._refuse("has half a character (a surrogate), which no message can hold")
        except RecursionError:
            self._refuse("is nested too deeply")

    def _refuse_constant(self, name: str) -> NoReturn:
        self._refuse(f"is not JSON, which has no {name}")

    def _refuse(self, fault: str) -> NoReturn:
        msg = f"The {self._what} file {fault}: {self._remedy}"
        raise click.ClickException(msg)


class ConfigFile(JSONFile):
    """A config file, or ENV for the environment."""

    def __init__(self) -> None:
        super().__init__("config", CONFIG_SHAPE, "write the settings as one JSON object")

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == "ENV" else super().convert(value, param, ctx)


class StateFile(JSONFile):
    """A state file, as the file object that the SDK reads."""

    def __init__(self) -> None:
        super().__init__("state", STATE_SHAPE, "pass the last state that the target wrote")

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> io.StringIO:
        try:
            return io.StringIO(json.dumps(super().convert(value, param, ctx), allow_nan=False))
        except ValueError:
            self._refuse("has a number that is too large")


class CatalogFile(JSONFile):
    """A catalog file, as the file object that the SDK reads.

    Singer has the replication method and key in the stream's metadata; the SDK looks for them beside it.
    https://hub.meltano.com/singer/spec/#metadata
    """

    def __init__(self) -> None:
        super().__init__("catalog", CATALOG_SHAPE, "make one with tap-storage --discover")

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> io.StringIO:
        catalog = super().convert(value, param, ctx)
        for stream in catalog["streams"]:
            for entry in stream.get("metadata", []):
                for name in () if entry["breadcrumb"] else ("replication-method", "replication-key"):
                    if chosen := entry["metadata"].get(name):
                        stream[name.replace("-", "_")] = chosen
        try:
            Catalog.from_dict(catalog)
        except (AttributeError, TypeError, ValueError):
            self._refuse("has a schema that says more than a stream's can")
        try:
            return io.StringIO(json.dumps(catalog, allow_nan=False))
        except ValueError:
            self._refuse("has a number that is too large")
