"""`meltano run tap-storage target-postgres` as something that can be attacked while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from demo.pipeline import PLUGINS, Pipeline
from demo.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

TAP_ENTRY = f'"string_id": "{PLUGINS[0]}"'
"""Of a line that Meltano passes on."""
GRACE_S = 10
"""Until what Meltano has started counts as left behind."""
POLL_S = 0.02


class Project(Pipeline):
    """The project's pipeline with a state, a job history and files of its own."""

    def __init__(self, directory: Path, *, settings: Mapping[str, str], **servers: str) -> None:
        super().__init__(directory, **servers)
        self._env |= settings
        self._started = 0

    def start(self, *, force: bool) -> MeltanoRun:
        """Start a run. force: even if Meltano takes another for running."""
        self._started += 1
        options = ["--environment=demo", "--log-format=json", f"--env-file={os.devnull}"]
        command = [str(Path(sys.executable).with_name("meltano")), *options, "run", *PLUGINS]
        return MeltanoRun(command + ["--force"] * force, self._env, self._directory / f"run-{self._started}.log")


class MeltanoRun:
    """A run that was started, in a session of its own, where its tap and its target are too."""

    def __init__(self, command: list[str], env: Mapping[str, str], log: Path) -> None:
        self.log = log
        self._began = time.monotonic()
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Meltano's process id, which is also its group's and its session's."""
        return self._process.pid

    @property
    def status(self) -> int | None:
        """Meltano's exit status; None while it runs."""
        return self._process.poll()

    @property
    def seconds(self) -> float:
        """How long ago the run began."""
        return time.monotonic() - self._began

    def plugins(self, name: str) -> list[psutil.Process]:
        """Return the processes of a plugin."""
        return [process for process in self._session() if _is(process, name)]

    def left_behind(self) -> list[str]:
        """Return what is left of the run after the time of grace, then kill it. Meltano has to have ended."""
        deadline = time.monotonic() + GRACE_S
        while (left := self._session()) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        names = [name for name in PLUGINS for process in left if _is(process, name)]
        self.end()
        return names

    def end(self) -> None:
        """Kill whatever is left."""
        for process in self._session():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self._process.wait()

    @property
    def text(self) -> str:
        """What Meltano has written, whichever of the three said it: JSON, a line each."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def tap_said(self, words: str) -> bool:
        """Tell whether the tap itself has written that."""
        return any(words in line and TAP_ENTRY in line for line in self.text.splitlines())

    def _session(self) -> list[psutil.Process]:
        found = []
        for pid in psutil.pids():
            with suppress(ProcessLookupError, PermissionError, psutil.NoSuchProcess):
                if os.getsid(pid) == self.pid and (process := psutil.Process(pid)).status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found


def _is(process: psutil.Process, name: str) -> bool:
    with suppress(psutil.NoSuchProcess):
        return any(Path(part).name == name for part in process.cmdline()[:2])
    return False
