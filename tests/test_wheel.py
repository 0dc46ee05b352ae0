"""The tap as a wheel in a Meltano project of its own, where Meltano keeps the catalog from run to run."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from demo.control import ROOT, FakeAPI
from tests.running import BIN, environment

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE_S = 300
PROJECT = """
version: 1
project_id: wheel
send_anonymous_usage_stats: false
plugins:
  extractors:
  - name: tap-storage
    namespace: tap_storage
    pip_url: {wheel}
    executable: tap-storage
    capabilities: [catalog, discover, state]
    settings: [{{name: base_url}}, {{name: api_key, sensitive: true}}, {{name: max_retries, kind: integer}}]
"""


class Project:
    """A Meltano project with the tap's wheel."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        uv = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
        command = [uv, "build", "--quiet", "--wheel", "--out-dir", directory, ROOT]
        subprocess.run(command, check=True, timeout=PATIENCE_S, env=environment())
        (wheel,) = directory.glob("*.whl")
        (directory / "meltano.yml").write_text(PROJECT.format(wheel=wheel), encoding="utf-8")
        installed = self.meltano("install")
        assert installed.returncode == 0, installed.stderr

    def meltano(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run Meltano here."""
        return subprocess.run(
            [BIN / "meltano", *arguments],
            cwd=self._directory,
            env=environment(TAP_STORAGE_MAX_RETRIES="0", **variables),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )

    def records(self, api: FakeAPI, *options: str, key: str | None = None) -> list[dict[str, Any]] | None:
        """Return the records that a run emits, None if it fails."""
        run = self.meltano(
            "invoke",
            *options,
            "tap-storage",
            TAP_STORAGE_BASE_URL=api.url,
            TAP_STORAGE_API_KEY=key or api.api_key,
        )
        messages = [json.loads(line) for line in run.stdout.split("\n") if line]
        records = [message["record"] for message in messages if message["type"] == "RECORD"]
        assert run.returncode == 0 or not records
        return records if run.returncode == 0 else None


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Install the wheel once."""
    return Project(tmp_path_factory.mktemp("project"))


def test_a_kept_catalog_never_loses_the_fields_of_the_sample(project: Project) -> None:
    """After a day with a wrong key or a broken API, columns would stay empty for good."""
    with FakeAPI(records=0) as api:
        first = [{"id": 1, "colour": "red"}]
        api.insert(records=first)
        assert project.records(api) == first
        api.reset()
        assert project.records(api) == first  # the kept catalog: no sample
        assert "offset=0" in api.requests()[0]["query"]
        kept = len(api.requests())

        assert project.records(api, key="rotated-away") is None
        assert project.records(api) == first  # discovered anew, for the settings have changed

        api.behave(faults=[{"from": 1, "kind": "status", "status": 503}])
        assert project.records(api) is None  # down, with the catalog kept
        assert project.records(api, "--refresh-catalog") is None
        api.behave(faults=[])
        assert project.records(api) == first

        second = {"id": 2, "colour": "blue", "weight": 5}
        api.insert(records=[second])
        assert project.records(api) == [*first, {"id": 2, "colour": "blue"}]
        assert project.records(api, "--refresh-catalog") == [*first, second]
        assert kept < len(api.requests())


def test_the_catalog_that_is_kept_saves_the_sample(project: Project) -> None:
    """Every run would ask for a page more."""
    with FakeAPI(records=250) as api:
        project.records(api, "--refresh-catalog")
        api.reset()
        assert len(project.records(api) or []) == 250
        assert len(api.requests()) == 4
