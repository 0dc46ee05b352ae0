"""The definition for Meltano Hub does in a Meltano project what a person expects of it."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from demo.control import ROOT
from tests.pythons import uv
from tests.running import BIN, PATIENCE_S, environment
from tests.running import settings as config
from tests.test_hub import PATH, definition, settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Tap


def test_each_group_of_settings_is_enough(tap: Tap, api: FakeAPI) -> None:
    """The Hub would ask for a key where there is none, or leave out what a run needs."""
    with_key, keyless = definition()["settings_group_validation"]
    assert len(tap({name: config(api)[name] for name in with_key}).ids) == 250
    api.behave(auth={"in": "none"})
    values = config(api, auth_location="none")
    assert len(tap({name: values[name] for name in keyless}).ids) == 250


class Project:
    """An empty Meltano project, where nobody answers for the Hub, with the tap's wheel and a loader."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory / "project"
        uv("build", "--quiet", "--wheel", "--out-dir", directory)
        (wheel,) = directory.glob("*.whl")
        text = re.sub(r"^pip_url: .*", f"pip_url: {wheel}", PATH.read_text(encoding="utf-8"), flags=re.MULTILINE)
        (directory / PATH.name).write_text(text, encoding="utf-8")
        self._call(directory, "init", self.directory.name, env={})
        self.meltano("add", "--from-ref", str(directory / PATH.name), "tap-storage")
        self.meltano("add", "--from-ref", str(ROOT / "plugins/loaders/target-jsonl--andyh1203.lock"), "target-jsonl")

    def meltano(self, *arguments: str, env: Mapping[str, str] | None = None, status: int = 0) -> str:
        """Run Meltano here, to end with this status, and return all that it wrote."""
        return self._call(self.directory, *arguments, env=env or {}, status=status)

    @staticmethod
    def _call(directory: Path, *arguments: str, env: Mapping[str, str], status: int = 0) -> str:
        own = {"MELTANO_HUB_URL": "http://127.0.0.1:9", "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false"}
        completed = subprocess.run(
            [BIN / "meltano", *arguments],
            cwd=directory,
            env=environment(**own, **env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert completed.returncode == status, completed.stdout
        return completed.stdout


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Add tap and loader once."""
    return Project(tmp_path_factory.mktemp("hub"))


def variables(api: FakeAPI) -> dict[str, str]:
    """Return the variables that a person sets."""
    return {"TAP_STORAGE_BASE_URL": api.url, "TAP_STORAGE_API_KEY": api.api_key}


def test_meltano_adds_the_tap_from_the_definition_and_runs_it(project: Project, api: FakeAPI) -> None:
    """`meltano add tap-storage` would give a tap that does not run."""
    project.meltano("run", "tap-storage", "target-jsonl", env=variables(api))
    written = (project.directory / "output" / "storage_data.jsonl").read_text(encoding="utf-8")
    assert [json.loads(line) for line in written.splitlines()] == api.records()
    assert project.meltano("invoke", "tap-storage:probe", env=variables(api)).count("base_url") > 0


def test_meltano_lists_every_setting_and_prints_no_secret(project: Project, api: FakeAPI) -> None:
    """A person could not find a setting, or would show the key to whoever looks on."""
    listed = project.meltano("config", "list", "--all", "tap-storage", env=variables(api))
    shown = dict(re.findall(r"^([\w.]+).*\n\t(.*)", listed, re.MULTILINE))
    described = {name: f"{each['label']}: {each['description']}" for name, each in settings(definition()).items()}
    assert {name: shown.get(name) for name in described} == described
    assert api.url in listed
    assert api.api_key not in listed


def test_a_secret_that_cannot_be_read_is_not_printed(project: Project, api: FakeAPI) -> None:
    """A bracket too many would put a token into the log."""
    secret = [name for name, setting in settings(definition()).items() if setting.get("sensitive")]
    assert secret == ["api_key", "batch_config", "headers", "params", "resources"]
    wrong = {f"TAP_STORAGE_{name.upper()}": f'[{{"{name}": "hush-{name}"}}}}' for name in secret}
    said = project.meltano("invoke", "tap-storage", status=1, env=variables(api) | wrong)
    assert "Setting resources: " in said
    assert "hush" not in said
