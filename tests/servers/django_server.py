"""Runs a Django project out of this package on a SQLite file."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, ClassVar

from tests.running import environment
from tests.servers.server import HOST, ROOT, Server

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class DjangoServer(Server):
    """The development server of `tests.servers.django_project`.

    site: the module in this package that holds the API.
    """

    site: ClassVar[str]

    def prepare(self) -> None:
        """Make the database, with a user whose key the product makes up."""
        self.api_key = self._manage("create", str(self.records)).strip()

    def command(self, port: int) -> Sequence[str]:
        """Return the command that serves the project."""
        return self._command("runserver", "--noreload", f"{HOST}:{port}")

    def add(self, count: int) -> None:
        """Add so many records, created now, in a process of their own."""
        self._manage("add", str(count))

    def ids(self) -> set[int]:
        """Return the ids of all records, from the database file."""
        with closing(sqlite3.connect(self._database)) as connection:
            return {identifier for (identifier,) in connection.execute("SELECT id FROM storage_storedfile")}

    @property
    def _database(self) -> Path:
        return self.directory.resolve() / "db.sqlite3"

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "tests.servers.django_project", self.site, str(self._database), *arguments]

    def _manage(self, *arguments: str) -> str:
        """Run a command of the project to its end, and return its stdout."""
        with self._log.open("ab") as log:
            completed = subprocess.run(
                self._command(*arguments),
                cwd=ROOT,
                env=environment(),
                stdout=subprocess.PIPE,
                stderr=log,
                encoding="utf-8",
                check=True,
            )
        return completed.stdout
