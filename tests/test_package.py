"""The package: what is in the wheel, what it says of itself, and that it works alone on every Python at hand."""

from __future__ import annotations

import json
import re
import subprocess
import zipfile
from email import message_from_string
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from readme_renderer import markdown

from demo.control import ROOT
from tests.pythons import SUPPORTED, Alone, at_hand, find, uv
from tests.running import BIN, Run, settings

if TYPE_CHECKING:
    from email.message import Message
    from pathlib import Path

    from demo.control import FakeAPI

PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
COMMANDS = {"tap-storage", "tap-storage-import-dlt", "tap-storage-plan", "tap-storage-probe"}


def stated(name: str) -> str:
    """Return a text that pyproject.toml sets, the first of that name."""
    found: list[str] = re.findall(rf'^{name} = "(.*)"', PROJECT, re.MULTILINE)
    return found[0]


VERSION, REPOSITORY = stated("version"), stated("repository")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the source distribution, and the wheel from that, once; return where they are."""
    directory = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--out-dir", directory)
    return directory


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    """Return the wheel."""
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """Return what the wheel says of itself."""
    with zipfile.ZipFile(wheel) as archive:
        return message_from_string(archive.read(f"tap_storage-{VERSION}.dist-info/METADATA").decode())


def check_that_it_works(alone: Alone, api: FakeAPI) -> None:
    """Hold all commands of an installation against what they should do."""
    (alone.directory / "config.json").write_text(json.dumps(settings(api)), encoding="utf-8")
    version = alone.run("tap-storage", "--version")
    assert (version.returncode, version.stdout.split(",")[0]) == (0, f"tap-storage v{VERSION}"), version.stderr
    about = alone.run("tap-storage", "--about", "--format=json")
    assert (about.returncode, json.loads(about.stdout)["version"]) == (0, VERSION), about.stderr
    discovered = alone.run("tap-storage", "--discover")
    assert discovered.returncode == 0, discovered.stderr
    assert [stream["tap_stream_id"] for stream in json.loads(discovered.stdout)["streams"]] == ["storage_data"]
    for command in sorted(COMMANDS):
        shown = alone.run(command, "--help")
        assert (shown.returncode, shown.stdout.split()[:2]) == (0, ["Usage:", command]), shown.stderr
    assert api.requests() == []
    synced = alone.run("tap-storage", "--config", "config.json")
    run = Run(synced.returncode, synced.stdout, synced.stderr)
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()]), run.stderr
    assert run.state["bookmarks"]["storage_data"]["replication_key"] == "created_at"
    requests = api.requests()
    assert [request["headers"]["user-agent"] for request in requests] == [f"tap-storage/{VERSION}"] * 4


@pytest.mark.parametrize("version", SUPPORTED)
def test_the_wheel_works_alone(wheel: Path, api: FakeAPI, tmp_path: Path, version: str) -> None:
    """`pip install tap-storage` would give a command that does not start, for want of a module or a file."""
    alone = Alone.with_wheel(tmp_path / "alone", at_hand(version), wheel)
    check_that_it_works(alone, api)
    assert {path.name for path in (alone.directory / "bin").iterdir()} >= COMMANDS


def test_the_wheel_works_with_the_lowest_versions_that_it_allows(wheel: Path, api: FakeAPI, tmp_path: Path) -> None:
    """Beside packages that hold back its dependencies, the tap would be installed and fail."""
    oldest = next(python for python in map(find, SUPPORTED) if python)
    lowest = ("--resolution", "lowest-direct", "--requirements", ROOT / "pyproject.toml")
    alone = Alone.with_wheel(tmp_path / "alone", oldest, *lowest, wheel)
    listed = PROJECT.split("\ndependencies = [\n")[1].split("\n]")[0]
    bounds = dict(re.findall(r'^    "([\w-]+)(?:\[\w+\])?[~>]=([\d.]+)', listed, re.MULTILINE))
    assert len(bounds) == len(listed.splitlines())
    frozen = uv("pip", "freeze", "--python", alone.directory)
    installed = dict(line.split("==") for line in frozen.splitlines() if "==" in line)
    assert bounds == {name: installed[name][: len(bounds[name])] for name in bounds}
    check_that_it_works(alone, api)


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """Types or the built-in schema would be missing, or everyone get tests and demo as packages of their own."""
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    package = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tap_storage").rglob("*") if path.is_file()}
    package = {name for name in package if "__pycache__" not in name}
    own = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}
    assert names == package | {f"tap_storage-{VERSION}.dist-info/{name}" for name in own}
    assert {"tap_storage/py.typed", "tap_storage/schemas/storage_data.json"} < names


def test_pypi_takes_both(built: Path) -> None:
    """The upload of a release would be refused, when its tag is public."""
    files = sorted(path for path in built.iterdir() if path.suffix in {".gz", ".whl"})
    assert [path.name for path in files] == [f"tap_storage-{VERSION}-py3-none-any.whl", f"tap_storage-{VERSION}.tar.gz"]
    command: list[str | Path] = [BIN / "twine", "--no-color", "check", "--strict", *files]
    checked = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert (checked.returncode, checked.stdout.count("PASSED")) == (0, 2), checked.stdout


def test_the_metadata_are_complete(metadata: Message) -> None:
    """Nobody would find it, or know whether they may use it, on what, and where to ask."""
    assert [metadata[name] for name in ("Name", "Version")] == ["tap-storage", VERSION]
    assert [metadata[name] for name in ("License-Expression", "License-File")] == ["Apache-2.0", "LICENSE"]
    assert metadata["Requires-Python"] == f"<3.{int(SUPPORTED[-1][2:]) + 1},>={SUPPORTED[0]}"
    assert dict(label.split(", ") for label in metadata.get_all("Project-URL", [])) == {
        "Documentation": f"{REPOSITORY}/tree/HEAD/docs",
        "Repository": REPOSITORY,
        "Changelog": f"{REPOSITORY}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{REPOSITORY}/issues",
    }
    assert {"ELT", "meltano-sdk", "Singer"} < set(metadata["Keywords"].split(","))
    kinds = {classifier.split(" :: ")[0] for classifier in metadata.get_all("Classifier", [])}
    assert {"Development Status", "Environment", "Topic", "Typing"} < kinds


class Addresses(HTMLParser):
    """Collects where links and images lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an address."""
        wanted = {"a": "href", "img": "src"}.get(tag)
        self.found += [value or "" for name, value in attrs if name == wanted]


def test_pypis_page_shows_the_readme_with_links_that_lead_somewhere(metadata: Message) -> None:
    """On PyPI, links and the plot would lead to files that are not there."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    html = markdown.render(str(metadata.get_payload()))
    assert html
    addresses = [each for each in Addresses(html).found if not each.startswith("#user-content-")]  # the headings' own
    assert [address for address in addresses if not address.startswith("https://")] == []
    pattern = re.compile(rf"{re.escape(REPOSITORY)}/(?:blob|raw)/v{re.escape(VERSION)}/([^#]+)")
    files = [match[1] for match in map(pattern.match, addresses) if match]
    assert [name for name in files if not (ROOT / name).exists()] == []
    assert {"docs/design.md", "benchmarks/results.svg", "CHANGELOG.md"} <= set(files)


def test_the_version_stands_in_one_place() -> None:
    """A release would call itself by the number of the one before."""
    sources = [*(ROOT / "tap_storage").rglob("*.py"), *(ROOT / ".github").rglob("*.yml")]
    sources += [ROOT / name for name in ("Makefile", "hatch_build.py", "meltano.yml")]
    number = re.compile(rf"(?<![\d.]){re.escape(VERSION)}(?![\d.])")
    assert [path for path in sources if number.search(path.read_text(encoding="utf-8"))] == []
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\b[Vv]ersion (\d+\.\d+\.\d+)", readme)) <= {VERSION}
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == "Unreleased"
    assert headings[1:2] in ([], [VERSION])
