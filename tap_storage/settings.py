"""The settings, read once: from what a person wrote to typed values.

They come as JSON, from the environment, and through Meltano, and must mean the same. So each value is first brought to
the type that its setting declares: the environment knows only text, and Meltano nests dotted keys.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from typing import TYPE_CHECKING, Any

from dotenv import find_dotenv
from singer_sdk.configuration._dict_config import parse_environment_config
from typing_extensions import Self

from tap_storage.bookmarks import Window, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    Config = Mapping[str, Any]
    Schema = Mapping[str, Any]

OFF_BY_NULL = ("replication_key", "total_path")
"""Settings where null does not mean the default but, like "", none."""

COLLECTION = (
    "base_url",
    "headers",
    "path",
    "params",
    "data_selector",
    "limit_param",
    "offset_param",
    "initial_offset",
    "page_overlap",
    "datetime_format",
    "sort_order",
    "start_param",
    "end_param",
)
"""Settings that say which records there are, and in what order."""
ORDER = ("base_url", "path", "params", "data_selector", "sort_order")
"""Settings that say in what order records come."""
BOUNDS = ("start_date", "end_date", "lookback_window", "maximum_offset")
"""Settings that say which of them a run reads."""
LOOKBACK = 300
"""Seconds; the default of lookback_window."""

STREAM = "storage_data"
"""Name of the stream, unless `resources` names others."""

TRUE, FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


@dataclasses.dataclass(frozen=True)
class _View:
    @classmethod
    def from_config(cls, config: Config) -> Self:
        """Pick this view's settings out of a config that was resolved and checked."""
        return cls(**{field.name: config[field.name] for field in dataclasses.fields(cls) if field.name in config})


@dataclasses.dataclass(frozen=True)
class Connection(_View):
    """How to reach the API. Times in seconds."""

    base_url: str
    auth_param: str
    auth_location: str
    headers: dict[str, str]
    user_agent: str
    timeout: float
    max_retries: int
    backoff_factor: float
    max_backoff: float
    retry_statuses: list[int]
    concurrency: int
    requests_per_second: float | None = None
    api_key: str = ""


@dataclasses.dataclass(frozen=True)
class Resource(_View):
    """One collection: where it is, how it is paged, and what identifies and orders its records."""

    path: str
    params: dict[str, Any]
    data_selector: str
    limit: int
    limit_param: str
    offset_param: str
    initial_offset: int
    total_path: str
    page_overlap: int
    primary_keys: list[str]
    replication_key: str
    maximum_offset: int | None = None


@dataclasses.dataclass(frozen=True)
class Replication(_View):
    """How new records are told from known ones, and how the API helps with it. lookback_window in seconds."""

    datetime_format: str
    sort_order: str
    lookback_window: float
    start_param: str = ""
    end_param: str = ""


def window(config: Config) -> Window[datetime]:
    """Return the instants that start_date and end_date bound."""
    return Window(parse_instant(config.get("start_date")), parse_instant(config.get("end_date")))


def secrets(config: Config) -> list[str]:
    """Return the values that must never be printed: the API key, and values of headers, parameters and storages."""
    batch = config.get("batch_config")
    storage = batch.get("storage") if isinstance(batch, dict) else None
    batch_params = storage.get("params") if isinstance(storage, dict) else None
    entries = config.get("resources")
    own = [entry.get("params") for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []
    texts = [
        config.get("api_key"),
        *(
            leaf
            for values in (config.get("headers"), config.get("params"), *own, batch_params)
            for leaf in _leaves(values)
        ),
    ]
    return [str(text) for text in texts if text is not None]


def from_environment(schema: Schema, prefix: str) -> dict[str, str]:
    """Read the settings that the environment holds, or a .env file in the working directory, as text.

    The SDK's own typing of them dies of a wrong number without naming it, and leaves fractions as text.
    """
    texts = {name: {"type": "string"} for name in schema["properties"]}
    return parse_environment_config({"properties": texts}, prefix, find_dotenv(usecwd=True))


def resolve(config: Config, schema: Schema) -> dict[str, Any]:
    """Return the config with every value in its declared type, and with defaults where none is given."""
    defaults = {name: setting["default"] for name, setting in schema["properties"].items() if "default" in setting}
    resolved = defaults | _typed(config, schema)
    if isinstance(resolved["resources"], list):
        entry = schema["properties"]["resources"]["items"]
        resolved["resources"] = [
            _typed(given, entry) if isinstance(given, dict) else given for given in resolved["resources"]
        ]
    return resolved


def of_resource(config: Config, entry: Config) -> dict[str, Any]:
    """Return the settings of one resource: its own, and those at the top level for the rest."""
    return {name: value for name, value in config.items() if name != "resources"} | dict(entry)


def _typed(config: Config, schema: Schema) -> dict[str, Any]:
    """Return the settings that are given, each in its declared type."""
    typed: dict[str, Any] = {}
    for name, value in config.items():
        setting = _coerce(value, schema["properties"].get(name, {}))
        if setting is not None:
            typed[name] = setting
        elif name in OFF_BY_NULL:
            typed[name] = ""
    for name in ("headers", "params"):
        if isinstance(typed.get(name), dict):
            typed[name] = dict(_flatten(typed[name]))
    return typed


def _coerce(value: Any, setting: Schema) -> Any:  # noqa: PLR0911 (one line a type)
    """Bring a value to the declared type, or leave it as it is for `validation.check` to refuse."""
    types = setting.get("type", [])
    text = value.strip() if isinstance(value, str) else None
    if "string" in types:
        return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if text == "":
        return None
    if "boolean" in types and text is not None:
        return text.lower() in TRUE if text.lower() in (*TRUE, *FALSE) else value
    if "integer" in types or "number" in types:
        return _number(value, whole="integer" in types)
    if "array" in types:
        elements = _structure(text) if text is not None else value
        return [_coerce(element, setting["items"]) for element in elements] if isinstance(elements, list) else value
    if "object" in types and text is not None:
        return _json(text, otherwise=value)
    return value


def _number(value: Any, *, whole: bool) -> Any:
    """Return an int or float for what is one, as a number or as text."""
    if isinstance(value, (bool, int)):
        return value
    if isinstance(value, str) and not re.fullmatch(r"\s*[+-]?[0-9.]+([eE][+-]?[0-9]+)?\s*", value):
        return value
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return value
    if not math.isfinite(number):
        return str(value)
    return int(number) if whole and number.is_integer() else number


def _structure(text: str) -> Any:
    """Read a list that is written as JSON or as `a,b,c`."""
    broken = text.startswith(("[", "{"))
    return _json(text, otherwise=text if broken else [element.strip() for element in text.split(",")])


def _json(text: str, *, otherwise: Any) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return otherwise


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield names and values with the dots back in their names: Meltano makes `{a: {b: 1}}` of `a.b: 1`."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flatten(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            yield f"{prefix}{name}", [_text(element) for element in value]
        elif value is not None:
            yield f"{prefix}{name}", _text(value)


def _text(value: Any) -> Any:
    """Write a single value as a query has it; what is none is left for `validation.check` to refuse."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, (dict, list)) else str(value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for _, inner in _flatten(value):
            yield from inner if isinstance(inner, list) else [inner]
    elif value is not None:
        yield value
