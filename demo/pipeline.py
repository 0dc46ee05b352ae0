"""`meltano run tap-storage target-postgres`, with a database, state and files of Meltano that are the demo's own."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.programs import ROOT, call

if TYPE_CHECKING:
    from collections.abc import Iterable

PLUGINS = ("tap-storage", "target-postgres")
STATE_ID = f"demo:{'-to-'.join(PLUGINS)}"
OWN = ("MELTANO_", "TAP_STORAGE_", "TARGET_POSTGRES_")
LINES_SHOWN = 30
WIDTH_SHOWN = 300


class PipelineError(Exception):
    """The pipeline did not run to its end; where Meltano failed, the message has the last lines of its log."""


class Pipeline:
    """The project's pipeline from an API into a database.

    directory: for Meltano's files; an empty one has no state. What the user has set for Meltano and its plugins, in the
    environment or in .env, stays out of it.
    """

    def __init__(self, directory: Path, *, base_url: str, api_key: str, sqlalchemy_url: str) -> None:
        self._directory = directory
        self._runs = 0
        self._env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)}
        self._env |= {
            "MELTANO_SYS_DIR_ROOT": str(directory),
            "NO_PROXY": "127.0.0.1",
            "TAP_STORAGE_BASE_URL": base_url,
            "TAP_STORAGE_API_KEY": api_key,
            "TAP_STORAGE_SORT_ORDER": "ascending",  # by created_at, as the fake API has its records
            "TARGET_POSTGRES_SQLALCHEMY_URL": sqlalchemy_url,
        }
        directory.mkdir()
        for installed in ("extractors", "loaders"):
            plugins = ROOT / ".meltano" / installed
            if not plugins.is_dir():
                msg = "Meltano's plugins are not installed: run make setup"
                raise PipelineError(msg)
            (directory / installed).symlink_to(plugins)

    def run(self) -> int:
        """Run the pipeline, and return how many records the tap emitted by its own count.

        That is the sum of the METRIC lines called record_count in Meltano's log.
        """
        self._runs += 1
        log = self._directory / f"run-{self._runs}.log"
        self._meltano("run", *PLUGINS, log=log)
        metrics = (
            entry["metric_info"]
            for entry in _entries(log)
            if entry.get("string_id") == PLUGINS[0]
            if "metric_info" in entry
        )
        return sum(int(metric["value"]) for metric in metrics if metric["metric"] == "record_count")

    def bookmark(self) -> str:
        """Return the bookmark that Meltano keeps, as `field value`."""
        state = json.loads(self._meltano("state", "get", STATE_ID, log=self._directory / "state.log"))
        bookmark = state["singer_state"]["bookmarks"]["storage_data"]
        return f"{bookmark['replication_key']} {bookmark['replication_key_value']}"

    def _meltano(self, *arguments: str, log: Path) -> str:
        meltano = str(Path(sys.executable).with_name("meltano"))
        options = ("--environment=demo", "--log-format=json", f"--env-file={os.devnull}")
        status, output = call([meltano, *options, *arguments], self._env, log)
        if status:
            command = " ".join(("meltano", *arguments))
            end = "\n".join(list(_readable(log))[-LINES_SHOWN:])
            msg = f"{command} ended with status {status}. The end of its log:\n{end}"
            raise PipelineError(msg)
        return output


def _readable(log: Path) -> Iterable[str]:
    """Yield the lines of a log as a person would read them."""
    for entry in _entries(log):
        origin = f"{entry.get('string_id', 'meltano')} {entry['level']}: " if "level" in entry else ""
        yield f"{origin}{entry['event']} {entry.get('metric_info', '')}"[:WIDTH_SHOWN].rstrip()


def _entries(log: Path) -> Iterable[dict[str, Any]]:
    """Yield what each line of a log says; a line that Meltano did not write is an event."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            entry = None
        yield entry if isinstance(entry, dict) and "event" in entry else {"event": line}
