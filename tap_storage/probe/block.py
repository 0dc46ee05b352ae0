"""The settings to paste: what differs from the tap's defaults, but for secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_storage.probe.plan import Report

    Schema = Mapping[str, Any]

FOUND = ("base_url",)
"""Settings that are always written."""


def config(report: Report, schema: Schema) -> dict[str, Any]:
    """Return the settings without secrets that differ from the tap's defaults, in the order of --about."""
    declared = schema["properties"]
    settings = {name: report.settings[name] for name in declared if name in report.settings.keys() - report.own}
    return {
        name: value
        for name, value in settings.items()
        if name in FOUND
        or (not declared[name].get("secret") and value != _default(declared[name]) and value is not None)
    }


def schema_of(report: Report) -> dict[str, Any]:
    """Return the types of fields that discovery would not find out."""
    return {name: field for finding in report.findings for name, field in finding.schema.items()}


def withheld(report: Report, schema: Schema) -> list[str]:
    """Return the settings that the config has and that are not shown."""
    declared = schema["properties"]
    shown = report.settings.keys() - report.own - {"api_key"}
    names = [name for name, value in report.settings.items() if value and name in declared and name in shown]
    return [name for name in names if declared[name].get("secret")]


def lines(report: Report, schema: Schema) -> Iterator[str]:
    """Yield the block for meltano.yml, and what belongs beside it."""
    settings = config(report, schema)
    yield "config:"
    for name, value in settings.items():
        yield f"  {name}: {_scalar(value)}"
    for finding in report.findings:
        for name, value in finding.options.items():
            yield f"  # {name}: {_scalar(value)} # if it is certain: see {finding.name} above"
    for name in withheld(report, schema):
        yield f"  # {name}: as in your config; the values are secrets, and not shown"
    if types := schema_of(report):
        yield "schema: # beside config, not in it: what the first page alone does not show"
        yield f"  {report.stream}:"
        yield from (f"    {_scalar(name)}: {_scalar(field)}" for name, field in types.items())
    if report.settings["auth_location"] != "none":
        yield f"# and in the environment: TAP_STORAGE_API_KEY={_prefix(report)}… (the API key)"


def _prefix(report: Report) -> str:
    values = [finding.value for finding in report.findings if finding.name == "key" and isinstance(finding.value, dict)]
    return str(values[0]["prefix"]) if values else ""


def _default(setting: Mapping[str, Any]) -> Any:
    """Return what a setting is when it is left out; a text without a default is empty."""
    return setting.get("default", "" if "string" in setting.get("type", []) else None)


def _scalar(value: Any) -> str:
    """Write a value as YAML, of which JSON is a part; plain words need no quotes."""
    return json.dumps(value, ensure_ascii=False)
