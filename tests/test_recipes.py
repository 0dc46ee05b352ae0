"""The recipes: APIs that nobody here wrote, read by the settings in the document, from end to end."""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import yaml

from demo.control import ROOT
from demo.postgres import libpq_url, postgres
from tests.running import BIN, environment
from tests.servers.drf import DrfServer
from tests.servers.json_server import JsonServer
from tests.servers.tastypie import TastypieServer

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.server import Server

PATIENCE_S = 300
RECORDS = 3_000
SERVERS: dict[str, Callable[[Path, int], Server]] = {
    "Django REST framework": DrfServer,
    "json-server": JsonServer,
    "django-tastypie": TastypieServer,
}
DOCUMENT = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^## (.+?)\n.*?```yaml\n(.*?)```", DOCUMENT, re.MULTILINE | re.DOTALL)
RECIPES: dict[str, dict[str, Any]] = {title: yaml.safe_load(block) for title, block in BLOCKS}


class Project:
    """A Meltano project with a recipe's settings, that loads into a database."""

    def __init__(self, directory: Path, recipe: dict[str, Any], server: Server, database: str) -> None:
        self._directory = directory
        loader = ROOT / ".meltano" / "loaders" / "target-postgres" / "venv" / "bin" / "target-postgres"
        plugins = {
            "extractors": [
                {
                    "name": "tap-storage",
                    "namespace": "tap_storage",
                    "executable": str(BIN / "tap-storage"),
                    "capabilities": ["catalog", "discover", "state"],
                    "settings": [{"name": "api_key", "sensitive": True}],
                    **recipe,
                    "config": {**recipe["config"], "base_url": server.url},
                }
            ],
            "loaders": [
                {
                    "name": "target-postgres",
                    "namespace": "target_postgres",
                    "executable": str(loader),
                    "settings": [{"name": "sqlalchemy_url"}, {"name": "default_target_schema"}],
                    "config": {"default_target_schema": "storage"},
                }
            ],
        }
        project = {
            "project_id": "recipe",
            "default_environment": "dev",
            "environments": [{"name": "dev"}],
            "send_anonymous_usage_stats": False,
            "plugins": plugins,
        }
        (directory / "meltano.yml").write_text(yaml.safe_dump(project), encoding="utf-8")
        key = {"TAP_STORAGE_API_KEY": server.api_key} if server.api_key else {}
        self._env = environment(**key, TARGET_POSTGRES_SQLALCHEMY_URL=database, PYTHONIOENCODING="utf-8")

    def run(self) -> dict[str, Any]:
        """Copy once; return the verdict."""
        completed = subprocess.run(
            [BIN / "meltano", "run", "tap-storage", "target-postgres"],
            cwd=self._directory,
            env=self._env,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert completed.returncode == 0, completed.stderr[-3000:]
        (verdict,) = re.findall(r"VERDICT: (\{.*\})", completed.stderr)
        fields: dict[str, Any] = json.loads(verdict)
        return fields


def rows(database: str) -> list[int]:
    """Return the ids in the table."""
    with psycopg.connect(libpq_url(database)) as connection:
        return [number for (number,) in connection.execute("select id from storage.storage_data")]


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_reads_everything_and_then_what_is_new(tmp_path: Path, title: str) -> None:
    """Someone with such an API would copy settings that lose records, or read everything each time."""
    with ExitStack() as stack:
        data = stack.enter_context(tempfile.TemporaryDirectory(prefix="tap-storage-", ignore_cleanup_errors=True))
        database = stack.enter_context(postgres(Path(data) / "data"))
        server = stack.enter_context(SERVERS[title](tmp_path / "server", RECORDS))
        project = Project(tmp_path, RECIPES[title], server, database)
        first = project.run()
        assert sorted(rows(database)) == sorted(server.ids())
        assert (first["verdict"], first["records"]) == ("complete", RECORDS)
        server.add(7)
        second = project.run()
        assert sorted(rows(database)) == sorted(server.ids())
        assert len(server.ids()) == RECORDS + 7
        assert second["records"] <= 20
        assert second["records_read"] <= 20


def test_each_server_has_a_recipe() -> None:
    """A recipe would be in the document that nobody has tried."""
    assert list(RECIPES) == list(SERVERS)
