"""The definition for Meltano Hub: made from what is said elsewhere, and by the Hub's rules."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import jsonschema
import pytest
import yaml

from hub import generate
from tests.hub_rules import RULES, STYLE
from tests.running import BIN, PATIENCE_S, environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATA = generate.HUB / "_data"
PATH = generate.HUB / generate.place(generate.read_project())
"""The definition."""
LISTS = ("default_variants", "maintainers")


def definition() -> dict[str, Any]:
    """Read the definition."""
    read: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
    return read


def settings(definition: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the settings by name."""
    return {setting["name"]: setting for setting in definition["settings"]}


def test_making_the_files_again_changes_nothing() -> None:
    """The Hub would show settings of another version."""
    kept = {path.relative_to(generate.HUB).as_posix(): path.read_text("utf-8") for path in DATA.rglob("*.*")}
    assert generate.files(generate.read_project()) == kept


def test_the_definition_obeys_the_hubs_schemas() -> None:
    """The pull request would fail its checks."""
    jsonschema.Draft7Validator(RULES).validate(definition())


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("settings", 0, "kind"), "number"),
        (("settings", 0, "hint"), "a key"),
        (("settings", 0, "label"), ""),
        (("settings", 1, "options", 0, "label"), None),
        (("capabilities", 0), "fast"),
        (("variant"), "Someone"),
        (("quality"), "best"),
        (("logo_url"), "storage.png"),
        (("supported_python_versions", 0), "3"),
    ],
    ids=str,
)
def test_a_definition_that_disobeys_is_refused(place: Any, value: object) -> None:
    """The check above would be none."""
    broken = definition()
    *way, last = [place] if isinstance(place, str) else place
    part: Any = broken
    for step in way:
        part = part[step]
    part[last] = value
    assert not jsonschema.Draft7Validator(RULES).is_valid(broken)


def lint(*paths: Path) -> int:
    """Return the exit status of yamllint."""
    command: list[str | Path] = [BIN / "yamllint", "--strict", "--config-data", json.dumps(STYLE), *paths]
    return subprocess.run(command, capture_output=True, timeout=PATIENCE_S, check=False).returncode


def test_the_files_look_as_the_hubs(tmp_path: Path) -> None:
    """The pull request would fail its checks."""
    assert lint(*DATA.rglob("*.yml")) == 0
    for name, text in {"order": "b: 1\na: 1\n", "flow": "a: {b: 1}\n", "indent": "a:\n  - b\n"}.items():
        (tmp_path / f"{name}.yml").write_text(text, encoding="utf-8")
        assert (name, lint(tmp_path / f"{name}.yml")) == (name, 1)


def test_lists_are_in_the_order_that_the_hub_gives_them() -> None:
    """Its utilities would rewrite the file, and each later change drown in that."""
    made = definition()
    lists = [made["capabilities"], list(settings(made)), made["keywords"], *made["settings_group_validation"]]
    assert lists == [sorted(each) for each in lists]


def test_the_files_name_each_other() -> None:
    """The Hub's checks compare the names of files, variants and maintainers."""
    made = definition()
    assert PATH.relative_to(DATA / "meltano").parts == ("extractors", made["name"], f"{made['variant']}.yml")
    variants, maintainers = (yaml.safe_load((DATA / f"{name}.yml").read_text("utf-8")) for name in LISTS)
    assert variants == {"extractors": {made["name"]: made["variant"]}}
    assert {name: sorted(maintainer) for name, maintainer in maintainers.items()} == {
        made["variant"]: ["label", "name", "url"]
    }
    assert maintainers[made["variant"]]["name"] == made["variant"]
    assert made["repo"].startswith(maintainers[made["variant"]]["url"] + "/")


def test_the_logo_is_a_small_picture_of_its_own() -> None:
    """The Hub would show a gap, or the picture ask other servers."""
    path = generate.HUB / "static" / definition()["logo_url"].removeprefix("/")
    logo = ET.fromstring(path.read_text(encoding="utf-8"))  # noqa: S314 (our own)
    assert (logo.tag, logo.get("viewBox")) == ("{http://www.w3.org/2000/svg}svg", "0 0 96 96")
    kinds = {element.tag.rpartition("}")[2] for element in logo.iter()}
    assert kinds <= {"svg", "title", "g", "path", "ellipse"}
    assert path.stat().st_size < 1000


def test_what_is_set_at_publication_stands_in_one_place() -> None:
    """A part would go on naming a repository that does not exist."""
    project = generate.read_project()
    project["tool"]["tap-storage"]["publication"] = {
        "owner": "An Owner",
        "variant": "a-variant",
        "repository": "https://github.com/an-owner/tap-storage",
    }
    made = generate.files(project)
    assert sorted(made) == [
        "_data/default_variants.yml",
        "_data/maintainers.yml",
        "_data/meltano/extractors/tap-storage/a-variant.yml",
    ]
    assert "to-be-set" not in "".join(made.values())
    written = [*generate.HUB.glob("*.*"), *(generate.HUB / "static").rglob("*.*")]
    assert [path for path in written if "to-be-set" in path.read_text(encoding="utf-8")] == []
    assert yaml.safe_load(made["_data/maintainers.yml"]) == {
        "a-variant": {"label": "An Owner", "name": "a-variant", "url": "https://github.com/an-owner"}
    }


def test_the_steps_of_the_pull_request_replace_nothing_of_the_hubs(tmp_path: Path) -> None:
    """A person would send the Hub a list of maintainers with one name on it."""
    theirs = tmp_path / "hub" / "_data"
    (theirs / "meltano" / "extractors" / "tap-other").mkdir(parents=True)
    (tmp_path / "hub" / "static" / "assets").mkdir(parents=True)
    kept = [theirs / f"{name}.yml" for name in LISTS] + [theirs / "meltano" / "extractors" / "tap-other" / "some.yml"]
    for path in kept:
        path.write_text("theirs", encoding="utf-8")
    commands = re.findall(r"^ +\$ (cp .*)$", (generate.HUB / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands:
        script = command.replace("../hub/", f"{tmp_path}/hub/")
        subprocess.run(script.split(), cwd=generate.ROOT, env=environment(), check=True, timeout=PATIENCE_S)
    assert [path.read_text(encoding="utf-8") for path in kept] == ["theirs"] * len(kept)
    brought = [PATH, *(path for path in (generate.HUB / "static").rglob("*") if path.is_file())]
    places = [tmp_path / "hub" / path.relative_to(generate.HUB) for path in brought]
    assert [place.read_bytes() for place in places] == [path.read_bytes() for path in brought]
    assert sorted(path for path in (tmp_path / "hub").rglob("*") if path.is_file()) == sorted([*kept, *places])
