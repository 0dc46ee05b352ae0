"""What is wrong with the settings: each by name, with the remedy, and never with its value, which may be a secret."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk.exceptions import ConfigurationError
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage import settings
from tap_storage.bookmarks import parse_instant, writes_dates
from tap_storage.config_schema import CONNECTION
from tap_storage.records import compile_path
from tap_storage.schema import load_schema

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from tap_storage.settings import Config, Schema

NOUNS = {"integer": "a whole number", "number": "a number", "boolean": "true or false"}
"""What settings of a type are called."""
CONNECTION_SETTINGS = frozenset(setting.name for setting in CONNECTION)
"""Settings that no resource has of its own."""
PARAMETERS = ("limit_param", "offset_param", "start_param", "end_param")
"""Settings that name query parameters."""


def check(config: Config, declared: Schema, *, required: bool = True) -> None:
    """Raise ConfigurationError with one line for each setting that is wrong.

    config: as `settings.resolve` returns it. required: whether settings without a default must be there.
    """
    faults = _mistyped(config, declared)
    entry_schema = declared["properties"]["resources"]["items"]
    entries = config["resources"] if "resources" not in faults else []
    for number, entry in enumerate(entries):
        faults |= {f"resources[{number}].{name}": fault for name, fault in _wrong_entry(entry, entry_schema)}
    faults |= {name: fault for name, fault in _doubled(entries) if name not in faults}
    for name, fault in [
        *_missing(config, declared if required else {}),
        *_inconsistent(config, entries, faults),
    ]:
        faults.setdefault(name, fault)
    if faults:
        raise ConfigurationError("\n".join(f"Setting {name}: {fault}." for name, fault in faults.items()))


def unknown(config: Config, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield the name of each setting that does not exist, with a warning."""
    for name in list(config):
        if name not in schema["properties"]:
            near = _near(name, schema)
            hint = f"; did you mean {near}?" if near else " (see tap-storage --about)"
            yield name, f"Setting {name} does not exist and has no effect{hint}"


def _near(name: str, schema: Schema) -> str:
    """Return the setting whose name is most like this one, "" if none is."""
    import difflib  # noqa: PLC0415 (for those who mistype)

    near = difflib.get_close_matches(name, schema["properties"], n=1)
    return near[0] if near else ""


def _mistyped(config: Config, schema: Schema) -> dict[str, str]:
    """Return what is wrong with the types and bounds of settings, by name."""
    # An error without a path is about a setting that is missing, or unknown, which is told of elsewhere; one that is
    # deeper, of an entry of resources.
    return {
        str(error.path[0]): f"must be {_expectation(schema['properties'][error.path[0]])}"
        for error in DEFAULT_JSONSCHEMA_VALIDATOR(schema).iter_errors(config)
        if error.path and (error.path[0] != "resources" or len(error.path) == 1)
    }


def _wrong_entry(entry: Any, schema: Schema) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with an entry of resources by itself."""
    if not isinstance(entry, dict):
        yield "name", 'is missing; each entry must be an object such as {"name": "files", "path": "/v1/files"}'
        return
    faults = _mistyped(entry, schema)
    if "name" not in entry:
        yield "name", "is missing; it names the stream"
    elif "name" in faults:
        yield "name", "must be of letters, digits, _ and -, and not begin with a digit or -; it names the stream"
    for name in entry:
        if name in CONNECTION_SETTINGS:
            yield name, "is for all resources together; set it at the top level"
        elif name not in schema["properties"]:
            near = _near(name, schema)
            yield (
                name,
                f"does not exist; {f'you may mean {near}' if near else 'an entry takes settings of a collection'}",
            )
        elif name in faults and name != "name":
            yield name, faults[name]


def _doubled(entries: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield the names that an entry before has: some destinations do not tell case apart."""
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries):
        name = str(entry.get("name", number)).lower() if isinstance(entry, dict) else str(number)
        if (first := seen.setdefault(name, number)) != number:
            yield (
                f"resources[{number}].name",
                f"is that of resources[{first}] too; give each another, whatever the case",
            )


def _expectation(setting: Schema) -> str:
    """Say what a setting takes, from its JSON schema."""
    types = setting.get("type", [])
    if "enum" in setting:
        return "one of " + ", ".join(value for value in setting["enum"] if value)
    if "array" in types:
        entries = "object" in setting["items"].get("type", "")
        element = f"a list in which each element is {_expectation(setting['items'])}"
        return "a list of at least one object with a name" if entries else element
    if noun := next((NOUNS[name] for name in NOUNS if name in types), None):
        return noun + _bounds(setting)
    if "object" in types and setting.get("properties") and "examples" in setting:
        return f"an object such as {json.dumps(setting['examples'][0])}; batch_size may be beside them"
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


def _inconsistent(config: Config, entries: Sequence[Any], known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Yield what a JSON schema cannot express. known: settings already found wrong, which are passed over."""
    sound = {name: value for name, value in config.items() if name not in known}
    yield from _wrong_address(sound)
    yield from _wrong_headers(sound)
    for number, entry in enumerate(entries):
        where = f"resources[{number}]."
        own = (
            {name: value for name, value in entry.items() if where + name not in known}
            if isinstance(entry, dict)
            else {}
        )
        for name, fault in _wrong_resource(settings.of_resource(sound, own), alone=len(entries) == 1):
            yield where + name if name in own else name, fault


def _wrong_resource(sound: Config, *, alone: bool) -> Iterator[tuple[str, str]]:
    """Yield what does not go together in the settings of one resource. alone: whether it is the only one."""
    yield from _wrong_path(sound)
    yield from _wrong_paging(sound)
    yield from _wrong_selectors(sound)
    yield from _wrong_schema(sound)
    yield from _wrong_dates(sound, alone=alone)
    yield from _wrong_filters(sound)
    yield from _wrong_parameters(sound)


def _wrong_schema(config: Config) -> Iterator[tuple[str, str]]:
    if given := config.get("schema"):
        try:
            load_schema(given)
        except ValueError as error:
            yield "schema", str(error)


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


def _wrong_paging(config: Config) -> Iterator[tuple[str, str]]:
    limit, overlap = config.get("limit"), config.get("page_overlap")
    # The default stands for one record a page, too: each is then asked for again before the one after it is believed.
    if limit is not None and overlap is not None and overlap >= max(limit, 2):
        yield "page_overlap", f"must be less than limit, which is {limit}; 1 is enough to see records move"
    if (maximum := config.get("maximum_offset")) is not None and maximum <= config.get("initial_offset", 0):
        yield "maximum_offset", "must be more than initial_offset; records are read from there up to, not including, it"


def _wrong_selectors(config: Config) -> Iterator[tuple[str, str]]:
    for name in ("data_selector", "total_path"):
        if path := config.get(name):
            try:
                compile_path(path)
            except Exception:  # noqa: BLE001 (jsonpath-ng raises bare Exceptions)
                yield name, "must be a JSONPath such as data, result.items or $"


def _wrong_dates(config: Config, *, alone: bool) -> Iterator[tuple[str, str]]:
    dates = [name for name in ("start_date", "end_date") if config.get(name)]
    bounds = settings.window(config)
    for name in dates:
        if parse_instant(config[name]) is None:
            yield name, "must be an ISO 8601 date or date-time, such as 2024-01-31T00:00:00Z"
        elif config.get("replication_key") == "" and alone:
            yield name, "needs a replication_key to compare with; set one, or leave the date out"
    if bounds.start and bounds.end and bounds.start >= bounds.end:
        yield (
            "end_date",
            "must be later than start_date; records are read from start_date up to, not including, end_date",
        )


def _wrong_filters(config: Config) -> Iterator[tuple[str, str]]:
    if not writes_dates(config.get("datetime_format", "iso")):
        yield "datetime_format", "must be iso, epoch, epoch_ms, or a pattern of strftime such as %Y-%m-%dT%H:%M:%SZ"
    if config.get("replication_key") == "":
        for name in ("start_param", "end_param"):
            if config.get(name):
                yield name, "needs a replication_key to filter by; set one, or leave the parameter out"
        if config.get("sort_order", "unsorted") != "unsorted":
            yield "sort_order", "needs a replication_key to sort by; set one, or leave the order out"


def _wrong_parameters(config: Config) -> Iterator[tuple[str, str]]:
    own = [config.get(name) for name in PARAMETERS]
    if config.get("auth_location") == "query":
        own.append(config.get("auth_param"))
    sent = [name for name in own if name]
    if len(set(sent)) < len(sent):
        yield (
            "offset_param",
            f"{', '.join(PARAMETERS)} and auth_param must name different query parameters",
        )
    for name in set(sent) & set(config.get("params", {})):
        yield (
            "params",
            f"must not hold {name}, which the tap sends itself (see {', '.join(PARAMETERS)}, auth_param)",
        )


def _wrong_headers(config: Config) -> Iterator[tuple[str, str]]:
    headers = [("headers", name, value) for name, value in config.get("headers", {}).items()]
    if config.get("auth_location") == "header":
        headers.append(("api_key", config.get("auth_param", ""), config.get("api_key", "")))
    headers.append(("user_agent", "User-Agent", config.get("user_agent", "")))
    names = [name.lower() for _, name, _ in headers]
    if twice := next((name for name in names if names.count(name) > 1), None):
        yield "headers", f"must not hold {twice} twice, nor what user_agent or auth_param send (name it once)"
    for setting, name, value in headers:
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
