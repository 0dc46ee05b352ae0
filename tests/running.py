"""Runs the installed command as a person would, and reads what it wrote."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.control import FakeAPI

BIN = Path(sys.executable).parent
PATIENCE_S = 120


@dataclasses.dataclass(frozen=True)
class Run:
    """What one run of the command left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages, in order; numbers with a fraction as decimals."""
        return [json.loads(line, parse_float=Decimal) for line in self.stdout.split("\n") if line]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records, in the order in which they were written."""
        return [message["record"] for message in self.messages if message["type"] == "RECORD"]

    @property
    def ids(self) -> list[Any]:
        """The `id` of each record."""
        return [record["id"] for record in self.records]

    @property
    def state(self) -> dict[str, Any]:
        """The last state; empty if there is none."""
        states = [message["value"] for message in self.messages if message["type"] == "STATE"]
        return states[-1] if states else {}

    @property
    def bookmark(self) -> Any:
        """The last state's bookmark of the one stream."""
        return self.state.get("bookmarks", {}).get("storage_data", {}).get("replication_key_value")

    @property
    def verdict(self) -> dict[str, Any]:
        """The fields of the one verdict that was logged."""
        (line,) = (line for line in self.stderr.splitlines() if "VERDICT: " in line)
        fields: dict[str, Any] = json.loads(line.split("VERDICT: ")[1])
        return fields

    @property
    def errors(self) -> list[str]:
        """The text of each line that was logged as an error."""
        return self._logged("ERROR")

    @property
    def warnings(self) -> list[str]:
        """The text of each line that was logged as a warning."""
        return self._logged("WARNING")

    def _logged(self, level: str) -> list[str]:
        columns = [line.split("|", 3) for line in self.stderr.splitlines()]
        return [fields[3].strip() for fields in columns if len(fields) == 4 and fields[1].strip() == level]


def environment(**extra: str) -> dict[str, str]:
    """Return this process's environment without settings of the tap, with more variables."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("TAP_STORAGE_")}
    own.pop("PYTHONDONTWRITEBYTECODE", None)  # each run would compile the SDK again
    return own | {"NO_PROXY": "127.0.0.1,localhost"} | extra


def settings(api: FakeAPI, **more: Any) -> dict[str, Any]:
    """Return the config that reads this API, retrying without waits unless told otherwise."""
    return {"base_url": api.url, "api_key": api.api_key, "backoff_factor": 0, **more}


class Tap:
    """The installed command, with files in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __call__(
        self,
        config: Mapping[str, Any] | None = None,
        *arguments: str,
        state: Mapping[str, Any] | None = None,
        catalog: Mapping[str, Any] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Run:
        """Run the tap to its end with these contents of its files."""
        options = list(arguments)
        for name, content in (("config", config), ("state", state), ("catalog", catalog)):
            if content is not None:
                options += [f"--{name}", str(self.write(f"{name}.json", json.dumps(content)))]
        completed = subprocess.run(
            [BIN / "tap-storage", *options],
            cwd=self.directory,
            env=environment(**(env or {})),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        return Run(completed.returncode, completed.stdout, completed.stderr)

    def write(self, name: str, text: str) -> Path:
        """Write a file, and return its path."""
        path = self.directory / name
        path.write_text(text, encoding="utf-8")
        return path

    def discover(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the catalog."""
        catalog: dict[str, Any] = json.loads(self(config, "--discover").stdout)
        return catalog
