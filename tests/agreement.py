"""What the config schema, `--about`, meltano.yml, the README's table and the Hub definition say, made comparable."""

from __future__ import annotations

import dataclasses
import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any

import yaml

from demo.control import ROOT
from hub import generate
from tap_storage.config_schema import config_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    Facts = dict[str, Any]
    View = dict[str, Facts]

ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<default>.*?) ?\| (?P<description>.*) \|$", re.MULTILINE)
SHARED = {
    "hub, meltano": ("commands", "executable", "label", "name", "namespace"),
    "hub, about": ("capabilities", "name", "supported_python_versions"),
    "meltano, about": ("capabilities", "name"),
}
"""What is said of the tap itself, and where."""


@dataclasses.dataclass
class Said:
    """What each of them says, as it says it."""

    schema: dict[str, Any]
    about: dict[str, Any]
    meltano: dict[str, Any]
    readme: list[dict[str, str]]
    hub: dict[str, Any]

    @classmethod
    def now(cls) -> Said:
        """Read or ask each."""
        text = (ROOT / "README.md").read_text(encoding="utf-8")
        table = text.split("\n## Settings\n")[1].split("\n## ")[0]
        path = generate.HUB / generate.place(generate.read_project())
        return cls(
            schema=config_schema(),
            about=generate.ask_tap(),
            meltano=generate.read_meltano(),
            readme=[match.groupdict() for match in ROW.finditer(table)],
            hub=yaml.safe_load(path.read_text(encoding="utf-8")),
        )

    def disagreements(self) -> list[str]:
        """Return where they differ, a line each; empty if nowhere.

        The SDK's settings are for `--about` and the Hub alone.
        """
        required = self.hub["settings_group_validation"][0]
        views: dict[str, View] = {
            "schema": dict(_of_schema(self.schema)),
            "about": dict(_of_schema(self.about["settings"])),
            "meltano": {each["name"]: _declared(each, "string") for each in self.meltano["settings"]},
            "readme": {row["name"]: {**row} for row in self.readme},
            "hub": {
                each["name"]: _declared(each, "password") | {"default": _shown(each, "value", required)}
                for each in self.hub["settings"]
            },
        }
        return [*self._on_the_tap(), *_on_names(views), *_on_settings(list(views.values()))]

    def _on_the_tap(self) -> Iterator[str]:
        for places, keys in SHARED.items():
            one, other = (getattr(self, place) for place in places.split(", "))
            for key in keys:
                if _text(one[key]) != _text(other[key]):
                    yield f"{places}: {key}"


def _on_names(views: Mapping[str, View]) -> Iterator[str]:
    own, every = set(views["schema"]), set(views["about"])
    for place, view in views.items():
        expected = every if place in {"about", "hub"} else own
        yield from (f"{place}: {name}" for name in sorted(expected ^ set(view)))


def _on_settings(views: list[View]) -> Iterator[str]:
    for name in sorted(set(chain.from_iterable(views))):
        told = [view[name] for view in views if name in view]
        for fact in sorted(set(chain.from_iterable(told))):
            values = {_text(facts[fact]) for facts in told if fact in facts}
            if len(values) > 1:
                yield f"{name}: {fact}: {sorted(values)}"


def _text(value: object) -> str:
    """Write a value for comparison; names have no order."""
    names = isinstance(value, list) and all(isinstance(each, str) for each in value)
    return json.dumps(sorted(value) if names and isinstance(value, list) else value, sort_keys=True)


def _of_schema(schema: Mapping[str, Any]) -> Iterator[tuple[str, Facts]]:
    for name, details in _parts(schema["properties"]):
        facts = {"name": name, "label": details["title"], "description": details["description"]}
        default = _shown(details | {"name": name}, "default", schema["required"])
        yield name, facts | {"default": default, "kind": _kind(details), "values": details.get("enum", [])}


def _parts(properties: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, details in properties.items():
        if name == "faker_config":
            yield from ((f"{name}.{part}", each) for part, each in details["properties"].items())
        else:
            yield name, details


def _declared(setting: Mapping[str, Any], secret: str) -> Facts:
    """Return what a definition says of a setting. secret: the kind of those that are."""
    kind = setting["kind"]
    if setting.get("sensitive"):
        kind = "secret" if kind == secret else f"sensitive {kind}"
    options = setting.get("options", [])
    facts = {name: setting[name] for name in ("name", "label", "description")}
    return facts | {"kind": kind, "options": options, "values": [option["value"] for option in options]}


def _shown(setting: Mapping[str, Any], key: str, required: list[str]) -> str:
    """Return a default as the README shows it."""
    if setting["name"] in required:
        return "required"
    default = setting.get(key, "")
    text = default if isinstance(default, str) else json.dumps(default)
    return text and f"`{text}`"


def _kind(details: Mapping[str, Any]) -> str:
    """Return the kind that fits a type: as Meltano passes on a fraction only as text, a number is one."""
    if details.get("secret"):
        return "secret"
    if "enum" in details:
        return "options"
    if details.get("format") == "date-time":
        return "date_iso8601"
    named = [each.get("type", []) for each in (details, *details.get("oneOf", []))]
    types = set(chain.from_iterable([each] if isinstance(each, str) else each for each in named)) - {"null"}
    if "array" in types:
        return "array"
    return "".join(types) if types in ({"boolean"}, {"integer"}, {"object"}) else "string"
