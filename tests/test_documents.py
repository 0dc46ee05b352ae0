"""What README and docs say is what the tap does, and what they point to is there."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import yaml

from demo.control import ROOT
from tap_storage.config_schema import config_schema
from tap_storage.tap import TapStorage
from tap_storage.verdict import Verdict
from tests.running import BIN, PATIENCE_S, environment, settings

if TYPE_CHECKING:
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Tap

README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCS = {page.name: page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md"))}
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
PAGES += [ROOT / "docs" / name for name in DOCS]
PAGES += [ROOT / "hub" / "README.md"]
SIZES = ("1,000", "500,000")
"""Of pages and collections that were read."""


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
    assert len(block.splitlines()) == 13
    installed = re.sub(r"pip_url: .*", f"executable: {BIN / 'tap-storage'}", block)
    commands = re.sub(r"tap-storage-(probe|plan)", rf"{BIN}/\g<0>", installed)
    tap.write("meltano.yml", commands.replace("https://api.example.com", api.url))
    assert (invoke(tap, api, "tap-storage").count('"type":"RECORD"')) == 250
    assert "created_from" in invoke(tap, api, "tap-storage:probe", "--format=text")


def invoke(tap: Tap, api: FakeAPI, *arguments: str) -> str:
    """Return what a plugin prints under Meltano."""
    completed = subprocess.run(
        [BIN / "meltano", "invoke", *arguments],
        cwd=tap.directory,
        env=environment(TAP_STORAGE_API_KEY=api.api_key, MELTANO_SEND_ANONYMOUS_USAGE_STATS="false"),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout + completed.stderr


def test_the_other_yaml_of_the_pages_is_yaml() -> None:
    """A person would copy what Meltano refuses."""
    blocks = [block for text in (README, *DOCS.values()) for block in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert [block for block in blocks if not isinstance(yaml.safe_load(block), dict)] == []
    assert len(blocks) >= 8


def anchors(page: Path) -> set[str]:
    """Return the names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_within_the_repository_leads_somewhere() -> None:
    """A person would end at a page that does not exist, or at the wrong end of one."""
    broken = []
    for page in PAGES:
        for path, _, anchor in re.findall(r"\]\((?!http)([^)#]*)(#?)([^)]*)\)", page.read_text(encoding="utf-8")):
            target = page.parent / path if path else page
            if not target.exists() or (anchor and anchor not in anchors(target)):
                broken.append((page.name, path, anchor))
    assert broken == []


def test_every_page_is_one_click_from_the_readme() -> None:
    """A person would not find what is written down."""
    linked = set(re.findall(r"\]\(docs/(\w[\w-]*\.md)", README))
    assert linked == set(DOCS)


def test_the_verdicts_table_is_the_verdict() -> None:
    """Somebody would watch for a field that does not exist, or miss one that does."""
    table = DOCS["logs.md"].partition("## The verdict")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(Verdict("storage_data").fields)


def test_a_page_asks_what_the_diagrams_show(tap: Tap, api: FakeAPI) -> None:
    """Who wants to know how it reads would learn something else."""
    diagrams = re.findall(r"```text\n(.*?)```", DOCS["reading.md"], re.DOTALL)
    api.reset(12)
    tap(settings(api, limit=5))
    assert [request["offset"] for request in api.requests()] == numbers(r"^offset (\d+)", diagrams[1])
    api.reset(12)
    api.behave(total="absent", changes=[{"op": "delete", "at": "front", "count": 3, "after": 2}])
    run = tap(settings(api, limit=5, concurrency=1))
    asked = api.requests()
    assert [request["offset"] for request in asked] == numbers(r"^ +\d+ +(\d+) ", diagrams[2])
    shown = [line[19:38].split() for line in diagrams[2].splitlines()[1:]]
    served = [[] if not each["served"] else list(range(*span(each["ids"]))) for each in asked]
    assert [[int(number) for number in row if number.isdigit()] for row in shown] == served
    assert (len(run.ids), run.verdict["rows_moved"]) == (12, 3)


def span(ids: list[str]) -> tuple[int, int]:
    """Return the numbers of a page's first record, and of the one behind its last."""
    first, last = (int(name.removeprefix("obj-")) for name in ids)
    return first, last + 1


def numbers(expression: str, text: str) -> list[int]:
    """Return what an expression finds at the beginnings of lines."""
    return [int(found) for found in re.findall(expression, text, re.MULTILINE)]


def test_every_figure_of_speed_was_measured() -> None:
    """A figure would stay that a later measurement has refuted."""
    measured = (ROOT / "benchmarks" / "results.md").read_text(encoding="utf-8")
    tuning, _, rest = DOCS["performance.md"].partition("## Memory and disk")
    loading = rest.partition("## target-postgres")[2].partition("## BATCH")[0].partition("| setting |")[0]
    told = re.findall(r"\d+[,.]\d+", tuning + loading)
    assert [figure for figure in told if f" {figure} " not in measured and figure not in SIZES] == []
    assert len(told) > 15


def test_what_is_said_of_the_peers_is_what_they_were_seen_to_do() -> None:
    """They would be accused of what they do no longer, or the tap praised for what it never did."""
    hazards = (ROOT / "benchmarks" / "hazards.md").read_text(encoding="utf-8")
    sums = re.findall(
        r"^- (.+): of (\d+) hazards, lost or altered records silently under (\d+),", hazards, re.MULTILINE
    )
    silent = {name: int(number) for name, _, number in sums}
    (own, peers) = silent.pop("tap-storage"), sorted(silent.values())
    assert f"Under [{sums[0][1]} hazards]" in README
    assert f"in silence in {peers[0]} to {peers[-1]}, and tap-storage in {['none', 'one', 'two'][own]}" in README


def test_every_test_that_is_named_as_a_proof_is_there() -> None:
    """A claim would rest on nothing."""
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "docs" / "reliability.md").read_text("utf-8")))
    assert sorted(name for name in named if not (ROOT / "tests" / name).exists()) == []
    assert len(named) > 15
