"""The settings, read once: from what a person wrote to typed values.

They come as JSON, from the environment, and through Meltano, and must mean the same. So each value is first brought to
the type that its setting declares (the environment knows only text, Meltano nests dotted keys), then checked. Messages
name the setting and the remedy, never the value: it may be a secret.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import math
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dotenv import find_dotenv
from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from typing_extensions import Self

from tap_storage.bookmarks import Window, parse_instant
from tap_storage.records import compile_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    Config = Mapping[str, Any]
    Schema = Mapping[str, Any]

OFF_BY_NULL = ("replication_key", "total_path")
"""Settings where null does not mean the default but, like "", none."""

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
    primary_keys: list[str]
    replication_key: str


def window(config: Config) -> Window:
    """Return the instants that start_date and end_date bound."""
    return Window(parse_instant(config.get("start_date")), parse_instant(config.get("end_date")))


def secrets(config: Config) -> list[str]:
    """Return the values that must never be printed: the API key, header values and parameter values."""
    texts = [config.get("api_key"), *_leaves(config.get("headers")), *_leaves(config.get("params"))]
    return [str(text) for text in texts if text is not None]


def from_environment(schema: Schema, prefix: str) -> dict[str, str]:
    """Read the settings that the environment holds, or a .env file in the working directory, as text.

    The SDK's own typing of them dies of a wrong number without naming it, and leaves fractions as text.
    """
    texts = {name: {"type": "string"} for name in schema["properties"]}
    return parse_environment_config({"properties": texts}, prefix, find_dotenv(usecwd=True))


def resolve(config: Config, schema: Schema) -> dict[str, Any]:
    """Return the config with every value in its declared type, and with defaults where none is given."""
    declared = schema["properties"]
    resolved = {name: setting["default"] for name, setting in declared.items() if "default" in setting}
    for name, value in config.items():
        typed = _coerce(value, declared.get(name, {}))
        if typed is not None:
            resolved[name] = typed
        elif name in OFF_BY_NULL:
            resolved[name] = ""
    for name in ("headers", "params"):
        if isinstance(resolved.get(name), dict):
            resolved[name] = dict(_flatten(resolved[name]))
    return resolved


def check(config: Config, schema: Schema, *, required: bool = True) -> None:
    """Raise ConfigurationError with one line for each setting that is wrong.

    config: as `resolve` returns it. required: whether settings without a default must be there.
    """
    faults = {
        str(error.path[0]): f"must be {_expectation(schema['properties'][error.path[0]])}"
        for error in DEFAULT_JSONSCHEMA_VALIDATOR(schema).iter_errors(config)
        if error.path
    }
    for name, fault in [
        *_missing(config, schema if required else {}),
        *_inconsistent(config, faults),
    ]:
        faults.setdefault(name, fault)
    if faults:
        raise ConfigurationError("\n".join(f"Setting {name}: {fault}." for name, fault in faults.items()))


def unknown(config: Config, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that does not exist, with a warning."""
    for name in list(config):
        if name not in schema["properties"]:
            near = difflib.get_close_matches(name, schema["properties"], n=1)
            hint = f"; did you mean {near[0]}?" if near else " (see tap-storage --about)"
            yield name, f"Setting {name} does not exist and has no effect{hint}"


def _coerce(value: Any, setting: Schema) -> Any:  # noqa: PLR0911 (one line a type)
    """Bring a value to the declared type, or leave it as it is for `check` to refuse."""
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
    if isinstance(value, bool):
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
    return _json(text, otherwise=[element.strip() for element in text.split(",")])


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
    """Write a single value as a query has it; what is none is left for `check` to refuse."""
    if isinstance(value, bool):
        return str(value).lower()
    return value if value is None or isinstance(value, (dict, list)) else str(value)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for _, inner in _flatten(value):
            yield from inner if isinstance(inner, list) else [inner]
    elif value is not None:
        yield value


def _expectation(setting: Schema) -> str:
    """Say what a setting takes, from its JSON schema."""
    types = setting.get("type", [])
    if "enum" in setting:
        return "one of " + ", ".join(value for value in setting["enum"] if value)
    if "array" in types:
        return f"a list in which each element is {_expectation(setting['items'])}"
    for name, noun in {
        "integer": "a whole number",
        "number": "a number",
        "boolean": "true or false",
    }.items():
        if name in types:
            return noun + _bounds(setting)
    if "object" in types:
        return "an object of names and values, as --about describes it"
    return "a text that is not empty" if setting.get("minLength") else "a text"


def _bounds(setting: Schema) -> str:
    words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    bounds = [f"{words[key]} {setting[key]}" for key in words if key in setting]
    return " of " + " and ".join(bounds) if bounds else ""


def _missing(config: Config, schema: Schema) -> Iterator[tuple[str, str]]:
    for name in schema.get("required", []):
        if not config.get(name) and not (name == "api_key" and config.get("auth_location") == "none"):
            variable = f"TAP_STORAGE_{name.upper()}"
            yield name, f"is missing; set it in the config, or as {variable} with --config=ENV"


def _inconsistent(config: Config, known: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield what a JSON schema cannot express. known: settings already found wrong, which are passed over."""
    sound = {name: value for name, value in config.items() if name not in known}
    yield from _wrong_address(sound)
    yield from _wrong_path(sound)
    yield from _wrong_dates(sound)
    yield from _wrong_parameters(sound)
    yield from _wrong_headers(sound)


def _wrong_address(config: Config) -> Iterator[tuple[str, str]]:
    if not (base_url := config.get("base_url")):
        return
    try:
        url = urlsplit(base_url)
        well_formed = url.scheme in {"http", "https"} and bool(url.hostname) and (url.port is None or url.port > 0)
    except ValueError:
        well_formed = False
    if not well_formed or re.search(r"\s", base_url):
        yield "base_url", "must be an address such as https://api.example.com"
    elif url.username or url.password:
        yield "base_url", "must not hold a user or password; send them with headers"
    elif url.query or url.fragment:
        yield "base_url", "must end before any ? or #; move query parameters to params"


def _wrong_path(config: Config) -> Iterator[tuple[str, str]]:
    if re.search(r"[?#\s]", config.get("path", "")):
        yield "path", "must be a path without ?, # or blanks; move query parameters to params"
    for name in ("data_selector", "total_path"):
        if path := config.get(name):
            try:
                compile_path(path)
            except Exception:  # noqa: BLE001 (jsonpath-ng raises bare Exceptions)
                yield name, "must be a JSONPath such as data, result.items or $"


def _wrong_dates(config: Config) -> Iterator[tuple[str, str]]:
    dates = [name for name in ("start_date", "end_date") if config.get(name)]
    bounds = window(config)
    for name in dates:
        if parse_instant(config[name]) is None:
            yield name, "must be an ISO 8601 date or date-time, such as 2024-01-31T00:00:00Z"
        elif config.get("replication_key") == "":
            yield name, "needs a replication_key to compare with; set one, or leave the date out"
    if bounds.start and bounds.end and bounds.start >= bounds.end:
        yield (
            "end_date",
            "must be later than start_date; records are read from start_date up to, not including, end_date",
        )


def _wrong_parameters(config: Config) -> Iterator[tuple[str, str]]:
    own = [config.get(name) for name in ("limit_param", "offset_param")]
    if config.get("auth_location") == "query":
        own.append(config.get("auth_param"))
    sent = [name for name in own if name]
    if len(set(sent)) < len(sent):
        yield (
            "offset_param",
            "limit_param, offset_param and auth_param must name different query parameters",
        )
    for name in set(sent) & set(config.get("params", {})):
        yield (
            "params",
            f"must not hold {name}, which the tap sends itself (see limit_param, offset_param, auth_param)",
        )


def _wrong_headers(config: Config) -> Iterator[tuple[str, str]]:
    headers = {name: ("headers", name, value) for name, value in config.get("headers", {}).items()}
    headers["User-Agent"] = ("user_agent", "User-Agent", config.get("user_agent", ""))
    if config.get("auth_location") == "header":
        headers["auth"] = ("api_key", config.get("auth_param", ""), config.get("api_key", ""))
    for setting, name, value in headers.values():
        if isinstance(value, list) or not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name):
            yield (
                setting,
                "must give each header one name of letters, digits and hyphens, and one value",
            )
        elif not re.fullmatch(r"(?! )[\t\x20-\x7e\xa0-\xff]*(?<! )", value):
            yield (
                setting,
                "has a value that no header can carry: line breaks, outer blanks or characters beyond Latin-1",
            )
