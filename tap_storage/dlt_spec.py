"""A dlt `rest_api` configuration as this tap's config: the command `tap-storage-import-dlt`.

Each value in the file is met by a line of CLIENT or RESOURCE, or told of by its path: none is passed over.
What dlt makes of one is in its dlt/sources/rest_api/config_setup.py (1.31.0).
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import click
import yaml
from singer_sdk.exceptions import ConfigurationError

from tap_storage import settings, validation
from tap_storage.config_schema import config_schema
from tap_storage.dlt_file import COMPUTED, leaves, merged, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from tap_storage.dlt_file import Leaves, Path

    Settings = dict[str, Any]
    Rule = Callable[[str, Any], Mapping[str, Any] | str]
    """Takes the last name in a path and the value; returns settings, or why there are none."""
    Refused = dict[str, tuple[str, str]]
    """By where it is in the file: the key, and why there is no setting."""

SCHEMA = config_schema()
SECRET = re.compile(
    r"auth$|authorization|bearer|cookie|(^|[-_]|api|access|secret)key$|token|secret|passw|pwd|(^|[-_])sig(nature)?$"
    r"|credential|jwt|session",
    re.IGNORECASE,
)
"""Names of headers and parameters whose values are not written down."""
HIDDEN = "is a secret, and not written down; set it in the tap's config yourself"
BOUNDS = {"start_value": "start_param", "last_value": "start_param", "end_value": "end_param"}


def to(setting: str) -> Rule:
    """Return a rule that renames."""
    return lambda _, value: {setting: value}


def text(setting: str, pattern: str, otherwise: str) -> Rule:
    """Return a rule for texts of this pattern, of which the group is the setting."""
    return lambda _, value: {setting: match[1]} if (match := re.fullmatch(pattern, str(value))) else otherwise


def one_of(**words: Mapping[str, Any]) -> Rule:
    """Return a rule for these words, each of which stands for settings."""
    return lambda _, value: words.get(str(value), f"only {', '.join(words)} can be translated")


def _header(name: str, value: Any) -> Mapping[str, Any] | str:
    if SECRET.search(name):
        return HIDDEN
    return {"user_agent": value} if name.lower() == "user-agent" else {"headers": {name: value}}


def _parameter(name: str, value: Any) -> Mapping[str, Any] | str:
    if bound := BOUNDS.get(str(value).removeprefix("{incremental.").removesuffix("}")):
        return {bound: name}
    if SECRET.search(name):
        return HIDDEN
    if "{" in str(value):
        return "placeholders and parents are not translated"
    # As texts, since dlt sends True where the tap would send true.
    return {"params": {name: [str(element) for element in value] if isinstance(value, list) else str(value)}}


def _name(_: str, value: Any) -> Mapping[str, Any]:
    # dlt makes a table's name of any text.
    return {"name": re.sub(r"[^A-Za-z0-9_-]+", "_", str(value)).strip("_")}


def _auth(_: str, value: Any) -> Mapping[str, Any] | str:
    if value == "api_key":
        return {"auth": value}
    bearer = "; for a token, set auth_location to header, auth_param to Authorization, and api_key to `Bearer <token>`"
    return f"only api_key can be translated{bearer if value == 'bearer' else ''}"


IN_HEADER, IN_QUERY = {"auth_location": "header"}, {"auth_location": "query"}
CLIENT: Mapping[str, Rule] = {
    "base_url": to("base_url"),
    "headers.*": _header,
    "auth": _auth,
    "auth.type": _auth,
    "auth.name": to("auth_param"),
    "auth.location": one_of(header=IN_HEADER, query=IN_QUERY, param=IN_QUERY),
}
CURSOR: Mapping[str, Rule] = {
    "cursor_path": text("replication_key", r"(?:\$\.)?([^$.\[\]*]+)", "is not a field of the record itself"),
    "initial_value": text("start_date", r"(\d{4}-.*)", "is not an ISO 8601 date"),
    "end_value": text("end_date", r"(\d{4}-.*)", "is not an ISO 8601 date"),
    "start_param": to("start_param"),
    "end_param": to("end_param"),
    "lag": lambda _, value: {"lookback_window": value} if isinstance(value, (int, float)) else "is not a number",
    "row_order": one_of(asc={"sort_order": "ascending"}, desc={"sort_order": "descending"}),
    "range_start": one_of(closed={}),
    "range_end": one_of(open={}),
    "on_cursor_value_missing": one_of(include={}),
}
UNPAGED = {"paging": "single_page", "limit_param": "", "offset_param": ""}
PAGING = one_of(offset={"paging": "offset"}, single_page=UNPAGED, auto={})
REPLACE = {"disposition": "replace", "replication_key": ""}
RESOURCE: Mapping[str, Rule] = {
    "name": _name,
    "primary_key": lambda _, value: {"primary_keys": value if isinstance(value, list) else [value]},
    "write_disposition": one_of(merge={"disposition": "merge"}, append={}, replace=REPLACE),
    "endpoint.path": text("path", r"((?!https?:)[^][{}]*)", "parents, placeholders and other hosts are not translated"),
    "endpoint.method": one_of(GET={}),
    "endpoint.data_selector": to("data_selector"),
    "endpoint.paginator": PAGING,
    "endpoint.paginator.type": PAGING,
    "endpoint.paginator.limit": to("limit"),
    "endpoint.paginator.limit_param": to("limit_param"),
    "endpoint.paginator.offset": to("initial_offset"),
    "endpoint.paginator.offset_param": to("offset_param"),
    "endpoint.paginator.maximum_offset": to("maximum_offset"),
    "endpoint.paginator.total_path": to("total_path"),
    "endpoint.params.*": _parameter,
    "endpoint.params.*.type": lambda name, value: one_of(incremental={"start_param": name})(name, value),
    **{f"endpoint.{place}.{option}": rule for place in ("incremental", "params.*") for option, rule in CURSOR.items()},
}
"""By path; auth, paging and disposition are no settings, but show that dlt's default does not apply."""
ABSENT = {
    "data_selector": "no data_selector is named, so records are expected in `data`; dlt looks for them",
    "paging": "no offset paginator is named, so limit and offset are sent; dlt looks for links",
    "primary_keys": "no primary_key is named, so primary_keys stays `id`",
    "disposition": "append adds rows in dlt; here the destination updates them by primary_keys",
    "replication_key": "no cursor is named, so replication_key stays `created_at`",
}
ESSENTIAL = re.compile(r"$|name|selected|endpoint\.(path|method|json|data|params)")
"""Keys of what says which records there are."""


@click.command()
@click.argument("file", type=click.File(encoding="utf-8-sig", errors="replace"))
@click.option("--format", "form", type=click.Choice(["json", "yaml"]), default="json", help="A file, or for Meltano")
@click.option("--leave-out", is_flag=True, help="Leave out what cannot be translated, instead of failing")
def main(file: Iterable[str], form: str, *, leave_out: bool) -> None:
    """Print the config that reads what the dlt rest_api configuration in FILE reads.

    FILE is JSON, YAML, Python or Markdown, and is not executed; - is standard input. What is assumed, and what cannot
    be translated, is told on standard error.
    """
    config, refused, assumed = translate(read("".join(file)))
    for where, (_, why) in refused.items():
        click.echo(f"{'Left out' if leave_out else 'Not translated'}: {where}: {why}", err=True)
    if refused and not leave_out:
        msg = "Nothing is imported: take these parts out of the file, or import the rest with --leave-out"
        raise click.ClickException(msg)
    if config is None:
        msg = "There is no resource to import: resources is empty, or all of it is left out"
        raise click.ClickException(msg)
    for sentence in assumed:
        click.echo(f"Assumed: {sentence}", err=True)
    try:
        # The key comes from elsewhere, and so does an address that was left out.
        validation.check(settings.resolve({**config, "api_key": "-"}, SCHEMA), SCHEMA, required=not leave_out)
    except ConfigurationError as error:
        msg = f"The tap would not take what this becomes: correct the file\n{error}"
        raise click.ClickException(msg) from None
    block = yaml.safe_dump({"config": config}, sort_keys=False).rstrip()
    click.echo(block if form == "yaml" else json.dumps(config, indent=2))


def translate(document: Mapping[str, Any]) -> tuple[Settings | None, Refused, list[str]]:
    """Return the settings that differ from the tap's defaults, what is refused, and what is assumed, in sentences.

    There are no settings, not even default ones, if no resource can be read.
    """
    rest, assumed = dict(document), []
    client: Leaves = dict(leaves(rest.pop("client"), "client"))
    pages: Leaves = {("endpoint", *path): client.pop(path) for path in list(client) if path[:1] == ("paginator",)}
    entries = rest.pop("resources")
    defaults = merged(_resource(rest.pop("resource_defaults", None) or {}, "resource_defaults"), pages)
    for secret in ("api_key", "token"):  # not written down, whatever becomes of them
        client.pop(("auth", secret), None)
    top, refused = _translated(client, CLIENT)
    if "auth" in top:
        top = {"auth_param": "Authorization", **IN_HEADER, **top}
        assumed.append("client.auth: the key is not written down; set TAP_STORAGE_API_KEY")
    else:
        top["auth_location"] = "none"
    refused |= _translated(dict(leaves(rest, "")), {})[1]
    resources: list[Settings] = []
    dated: list[Leaves] = []
    for number, entry in enumerate(entries):
        where = f"resources[{number}]"
        given = merged(_resource(entry, where), defaults)
        found, lost = _translated(given, RESOURCE)
        refused |= lost
        if any(ESSENTIAL.match(key) for key, _ in lost.values()):
            assumed.append(f"{where} is left out as a whole: without those parts it would read other records")
            continue
        resources.append(found)
        dated.append(given)
        assumed += [f"{where}: {sentence}" for name, sentence in ABSENT.items() if name not in found]
    refused |= _unshared(resources, dated)
    return (_arranged(top, resources) if resources else None), refused, assumed


def _unshared(resources: list[Settings], given: list[Leaves]) -> Refused:
    """Take away dates that not all resources share which have a cursor: the tap has one for all."""
    refused: Refused = {}
    for date, option in (("start_date", "initial_value"), ("end_date", "end_value")):
        if len({found.get(date) for found in resources if found.get("replication_key") != ""}) == 1:
            continue
        for found, leaves_ in zip(resources, given, strict=True):
            if found.pop(date, None):
                where = next(where for path, (where, _) in leaves_.items() if path[-1] == option)
                refused[where] = option, "is not that of all resources that have a cursor, for which the tap has one"
    return refused


def _resource(entry: Any, where: str) -> Leaves:
    """Return the leaves of a resource; its path is that of the endpoint, else the name."""
    found: Leaves = dict(leaves({"name": entry} if isinstance(entry, str) else entry, where))
    endpoint = found.pop(("endpoint",), (where, None))
    return {("endpoint", "path"): endpoint if endpoint[1] else found.get(("name",), endpoint)} | found


def _translated(given: Leaves, table: Mapping[str, Rule]) -> tuple[Settings, Refused]:
    """Return the settings that the leaves stand for, and the leaves that stand for none."""
    found: Settings = {}
    refused: Refused = {}
    for path, (where, value) in given.items():
        key, name = _matched(path)
        known = any(f"{each}.".startswith(f"{key}.") for each in table)
        if known and (value == {} or (value is None and key != "endpoint.paginator.total_path")):
            continue
        result: Mapping[str, Any] | str = "has no counterpart"
        if value is COMPUTED or (isinstance(value, list) and COMPUTED in value):
            result = "is computed: write its value into the file, or set it in the tap's config"
        elif key in table:
            result = table[key](name, value)
        if isinstance(result, str):
            refused[where] = key, result
            continue
        for setting, new in result.items():
            if isinstance(new, dict):
                found[setting] = {**found.get(setting, {}), **new}
            elif found.setdefault(setting, new) != new:
                refused[where] = key, "contradicts another part"
    if "lookback_window" in found and re.fullmatch(r"[\d-]+", found.get("start_date", "")):
        found["lookback_window"] *= 86_400  # as dlt/extract/incremental/lag.py does
    return found, refused


def _matched(path: Path) -> tuple[str, str]:
    """Return a path as the tables have it, and the name that stands for the star in it, or last."""
    for depth, head in ((1, ("headers",)), (2, ("endpoint", "params"))):
        if path[:depth] == head and len(path) > depth:
            return ".".join((*head, "*", *path[depth + 1 :])), path[depth]
    return ".".join(path), "".join(path[-1:])


def _arranged(top: Settings, resources: list[Settings]) -> Settings:
    """Return the config: of one resource all at the top, of several each in its entry, but for dates they share."""
    for date in ("start_date", "end_date"):
        dates = [found.pop(date) for found in resources if date in found]
        top |= {date: dates[0]} if dates else {}
    if alone := len(resources) == 1:
        top |= resources[0]
    entries = [{"name": found.get("name")} | ({} if alone else _differing(found)) for found in resources]
    return _differing(top) | ({} if entries == [{"name": settings.STREAM}] else {"resources": entries})


def _differing(given: Settings) -> Settings:
    """Return the settings, typed, that are not the tap's defaults."""
    resolved, defaults = settings.resolve(given, SCHEMA), settings.resolve({}, SCHEMA)
    names = [name for name in SCHEMA["properties"] if resolved.get(name) != defaults.get(name)]
    return {name: resolved[name] for name in names}
