"""What README and meltano.yml say is what the tap does."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from demo.control import ROOT
from tap_storage.config_schema import config_schema
from tap_storage.tap import TapStorage
from tests.running import BIN, PATIENCE_S, environment

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap

README = (ROOT / "README.md").read_text(encoding="utf-8")


def rows() -> list[tuple[str, str, str]]:
    """Return name, default and meaning of each setting, as the README should have them."""
    schema: dict[str, Any] = TapStorage.config_jsonschema
    listed = []
    for name in config_schema()["properties"]:
        setting = schema["properties"][name]
        default = setting.get("default", "")
        text = default if isinstance(default, str) else json.dumps(default)
        shown = "required" if name in schema["required"] else text and f"`{text}`"
        listed.append((name, shown, setting["description"]))
    return listed


def test_the_settings_table_is_the_schema() -> None:
    """A person would set what does not exist, or rely on another default."""
    table = [tuple(cell.strip() for cell in line.split("|")[1:4]) for line in README.splitlines() if "| `" in line[:4]]
    described = [(name.strip("`"), default, meaning) for name, default, meaning in table]
    assert [row for row in described if row[0] in TapStorage.config_jsonschema["properties"]] == rows()


def test_the_readmes_meltano_lines_are_a_definition_that_works(tap: Tap, api: FakeAPI) -> None:
    """The first thing that a newcomer copies would not work."""
    block = re.findall(r"```yaml\n(plugins:.*?)```", README, re.DOTALL)[0]
    assert len(block.splitlines()) == 8
    installed = re.sub(r"pip_url: .*", f"executable: {BIN / 'tap-storage'}", block)
    tap.write("meltano.yml", installed.replace("https://api.example.com", api.url))
    completed = subprocess.run(
        [BIN / "meltano", "invoke", "tap-storage"],
        cwd=tap.directory,
        env=environment(TAP_STORAGE_API_KEY=api.api_key, MELTANO_SEND_ANONYMOUS_USAGE_STATS="false"),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert (completed.returncode, completed.stdout.count('"type":"RECORD"')) == (0, 250), completed.stderr


def test_the_other_yaml_of_the_readme_is_yaml() -> None:
    """A person would copy what Meltano refuses."""
    blocks = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert [isinstance(yaml.safe_load(block), dict) for block in blocks] == [True] * 4


def test_every_link_within_the_repository_leads_somewhere() -> None:
    """A person would end at a page that does not exist."""
    pages = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md")]
    pages += [*(ROOT / "docs").glob("*.md")]
    links = [(page, link) for page in pages for link in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8"))]
    assert [(page.name, link) for page, link in links if not (page.parent / link).exists()] == []


def test_every_test_that_is_named_as_a_proof_is_there() -> None:
    """A claim would rest on nothing."""
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "docs" / "reliability.md").read_text("utf-8")))
    assert sorted(name for name in named if not (ROOT / "tests" / name).exists()) == []
    assert len(named) > 15
