"""What GitHub runs: kept short, pinned, without secrets, and of recipes and files that exist."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from demo.control import ROOT
from tests.pythons import SUPPORTED
from tests.running import BIN, environment
from tests.test_package import VERSION

if TYPE_CHECKING:
    from pathlib import Path

DEPENDABOT = ROOT / ".github" / "dependabot.yml"
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
WORKFLOWS: dict[str, dict[str, Any]] = {
    path.stem: yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 (texts only; `on` is no boolean)
    for path in FILES
}
JOBS = [(name, job) for name, workflow in WORKFLOWS.items() for job in workflow["jobs"].values()]
STEPS = [step for _, job in JOBS for step in job["steps"]]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in FILES)
CHECKED = (("vendor.github-workflows", FILES), ("custom.github-workflows-require-timeout", FILES))


@pytest.mark.parametrize(("schema", "paths"), [*CHECKED, ("vendor.dependabot", [DEPENDABOT])])
def test_github_understands_the_files(schema: str, paths: list[Path]) -> None:
    """Nothing would run, and nobody notice."""
    command: list[str | Path] = [BIN / "check-jsonschema", "--builtin-schema", schema, *paths]
    checked = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=60, check=False)
    assert checked.returncode == 0, checked.stdout


def test_they_stay_short() -> None:
    """Nobody would read what may publish in their name."""
    assert sorted(WORKFLOWS) == ["ci", "release", "weekly"]
    assert len(TEXT.splitlines()) + len(DEPENDABOT.read_text(encoding="utf-8").splitlines()) <= 150


def test_actions_are_pinned_by_hash() -> None:
    """Whoever takes over an action, or moves its tag, could publish a tap of their own."""
    lines = [line for line in TEXT.splitlines() if "uses:" in line]
    pinned = re.compile(r" +- uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
    assert [line for line in lines if not pinned.fullmatch(line)] == []
    versions: dict[str, set[str]] = {}
    for line in lines:
        action, _, rest = line.partition("uses: ")[2].partition("@")
        versions.setdefault(action, set()).add(rest)
    assert {action: len(kinds) for action, kinds in versions.items()} == dict.fromkeys(versions, 1)


def test_they_need_no_secrets_and_may_do_little() -> None:
    """A fork's pull request could read a token, or write to the repository."""
    assert "secrets." not in TEXT
    assert "pull_request_target" not in TEXT
    assert [workflow["permissions"] for workflow in WORKFLOWS.values()] == [{}] * 3
    publishing = WORKFLOWS["release"]["jobs"]["publish"]
    others = [job for _, job in JOBS if job is not publishing]
    assert [job["permissions"] for job in others] == [{"contents": "read"}] * len(others)
    assert (publishing["permissions"], publishing["environment"]) == ({"id-token": "write"}, "pypi")
    checkouts = [step for step in STEPS if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == ["false"] * len(others)


def test_what_they_run_exists() -> None:
    """Each push would fail for a recipe or a file that has another name."""
    commands = "\n".join(step["run"] for step in STEPS if "run" in step)
    recipes = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"\bmake ([\w-]+)", commands))
    assert {"test", "test-wheel"} <= named <= recipes
    files = re.findall(
        r"[\w/.-]+\.(?:py|md|toml|txt|yml)\b", commands + str(WORKFLOWS["ci"]["jobs"]["wheel"]["strategy"])
    )
    assert sorted(set(files)) == ["CHANGELOG.md", "pyproject.toml"]
    assert all((ROOT / name).is_file() for name in files)


def test_all_pythons_are_tested() -> None:
    """A Python that the classifiers promise would be tried by users first."""
    jobs = WORKFLOWS["ci"]["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == SUPPORTED
    wheels = jobs["wheel"]["strategy"]["matrix"]["include"]
    lowest = {entry["python"]: "lowest-direct" in entry["options"] for entry in wheels}
    assert lowest == {SUPPORTED[-1]: False, SUPPORTED[0]: True}
    listed = (ROOT / "pyproject.toml").read_text(encoding="utf-8").split("\ndependencies = [\n")[1].split("\n]")[0]
    assert re.findall(r"-P ([\w-]+)", str(wheels)) == re.findall(r'^    "([\w-]+)', listed, re.MULTILINE)


def test_the_weekly_run_frees_the_sdk_that_is_pinned() -> None:
    """It would test the version that is known already."""
    pinned = re.findall(r'"(singer-sdk\[\w+\])~=([\d.]+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    freed = re.findall(r"uv add --no-sync --upgrade-package=singer-sdk '(singer-sdk\[\w+\])>=([\d.]+)'", TEXT)
    assert freed == pinned


@pytest.mark.parametrize(
    ("tag", "heading", "passes"),
    [
        (f"v{VERSION}", VERSION, True),
        ("v99.0.0", VERSION, False),
        (VERSION, VERSION, False),
        (f"v{VERSION}", "99.0", False),
    ],
)
def test_a_release_has_the_tag_of_its_version(tmp_path: Path, tag: str, heading: str, *, passes: bool) -> None:
    """A tag would publish a version under another number, which cannot be taken back, or one without a word on it."""
    (script,) = [step["run"] for step in STEPS if step.get("name", "").startswith("The tag is the version")]
    (tmp_path / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    (tmp_path / "CHANGELOG.md").write_text(f"## [Unreleased]\n\n## [{heading}] - 2026-12-01\n", encoding="utf-8")
    path = os.pathsep.join([str(ROOT / ".uv" / "bin"), str(BIN), os.environ["PATH"]])
    bash = shutil.which("bash") or "bash"
    options = ["--noprofile", "--norc", "-eo", "pipefail", "-c", script]  # as GitHub does
    ended = subprocess.run(
        [bash, *options],
        cwd=tmp_path,
        env=environment(PATH=path, GITHUB_REF_NAME=tag),
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert (ended.returncode == 0) is passes, ended.stderr
