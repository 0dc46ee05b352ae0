"""Writes what Meltano Hub wants to know of the tap, from what is said elsewhere already. `make hub` runs it.

Names, labels, descriptions, defaults and secrecy of the settings, and the capabilities, are those that `--about` gives;
kinds and commands are those of meltano.yml, with their reasons there; addresses are those of pyproject.toml.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HUB = Path(__file__).resolve().parent
ROOT = HUB.parent
LOGO = "/assets/logos/extractors/storage.svg"
"""Its place on the Hub's site, of which `static` is the root."""
KEYWORDS = ["api", "meltano_sdk", "pagination", "rest"]
KEYLESS = ["auth_location", "base_url"]
"""The settings that do where the API wants no key."""


def main() -> None:
    """Write the files anew; those of a variant that has another name by now go."""
    made = files(read_project())
    shutil.rmtree(HUB / "_data", ignore_errors=True)
    for name, text in made.items():
        path = HUB / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(ROOT))  # noqa: T201 (to a person)


def files(project: Mapping[str, Any]) -> dict[str, str]:
    """Return the text of each file, by its path below this directory. project: what is in pyproject.toml."""
    definition = defined(ask_tap(), read_meltano(), project)
    name, variant = definition["name"], definition["variant"]
    owner, repository = project["tool"]["tap-storage"]["publication"]["owner"], definition["repo"]
    contents = {
        place(project): definition,
        "_data/default_variants.yml": {"extractors": {name: variant}},
        "_data/maintainers.yml": {
            variant: {"label": owner, "name": variant, "url": repository.rpartition("/")[0]},
        },
    }
    return {path: yaml.safe_dump(content, allow_unicode=True) for path, content in contents.items()}


def place(project: Mapping[str, Any]) -> str:
    """Return the definition's path below this directory. project: what is in pyproject.toml."""
    variant = project["tool"]["tap-storage"]["publication"]["variant"]
    return f"_data/meltano/extractors/{project['project']['name']}/{variant}.yml"


def read_project() -> dict[str, Any]:
    """Return pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def read_meltano() -> dict[str, Any]:
    """Return the tap in meltano.yml."""
    declared: list[dict[str, Any]]
    declared = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))["plugins"]["extractors"]
    return declared[0]


def ask_tap() -> dict[str, Any]:
    """Return what the installed tap says of itself."""
    command = [str(Path(sys.executable).with_name("tap-storage")), "--about", "--format=json"]
    said: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # noqa: S603
    return said


def defined(about: Mapping[str, Any], extractor: Mapping[str, Any], project: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definition, from `--about`, from the tap in meltano.yml, and from pyproject.toml."""
    publication = project["tool"]["tap-storage"]["publication"]
    return {
        "capabilities": sorted(about["capabilities"]),
        "commands": extractor["commands"],
        "description": project["project"]["description"],
        "domain_url": publication["repository"],
        "executable": extractor["executable"],
        "keywords": KEYWORDS,
        "label": extractor["label"],
        "log_parser": "singer-sdk",
        "logo_url": LOGO,
        "maintenance_status": "active",
        "name": about["name"],
        "namespace": extractor["namespace"],
        "pip_url": project["project"]["name"],
        "quality": "unknown",  # for the Hub's people to rate
        "repo": publication["repository"],
        "settings": described(about["settings"], extractor["settings"]),
        "settings_group_validation": [sorted(about["settings"]["required"]), KEYLESS],
        "supported_python_versions": about["supported_python_versions"],
        "variant": publication["variant"],
    }


def described(schema: Mapping[str, Any], declared: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the settings, by name.

    schema: of the config. declared: the settings in meltano.yml, which leaves the SDK's to the SDK.
    """
    by_name = {setting["name"]: setting for setting in declared}
    return [
        setting(name, details, by_name.get(name) or {"kind": kind(details)})
        for name, details in sorted(listed(schema["properties"], by_name))
    ]


def listed(properties: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield name and schema of each setting; where the SDK's has parts, the parts, as in all definitions on the Hub.

    The names within stream_maps are those of streams, but for one.
    """
    for name, schema in properties.items():
        if name in own or name == "stream_maps" or not schema.get("properties"):
            yield name, schema
        else:
            yield from ((f"{name}.{part}", details) for part, details in schema["properties"].items())


def setting(name: str, schema: Mapping[str, Any], declared: Mapping[str, Any]) -> dict[str, Any]:
    """Return a setting as the Hub describes it.

    A secret is a password, whatever its type: Meltano passes it on as it is, and the tap reads JSON. An `object` or an
    `array` that is no JSON, Meltano 4.4.1 prints (observed).
    """
    texts = {"name": name, "label": schema["title"], "description": schema["description"]}
    default = {"value": schema["default"]} if "default" in schema else {}
    secrecy = {"kind": "password", "sensitive": True} if schema.get("secret") else {}
    return {**declared, **texts, **default, **secrecy}


def kind(schema: Mapping[str, Any]) -> str:
    """Return what Meltano calls a type of the SDK's settings: the first that is named, a list before others."""
    types = [name for part in (schema, *schema.get("oneOf", ())) for name in _several(part.get("type", []))]
    kinds = [name for name in types if name != "null"]
    if "array" in kinds:
        return "array"
    return kinds[0] if kinds[0] in {"boolean", "integer", "object"} else "string"


def _several(types: str | list[str]) -> list[str]:
    return [types] if isinstance(types, str) else types


if __name__ == "__main__":
    main()
