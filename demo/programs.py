"""Runs other programs to their end, and ends them with all their children where the demo ends first."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from demo.signals import undisturb, undisturbed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import BinaryIO

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 300
TIMED_OUT = 124
GRACE_S = 5
POLL_S = 0.02


def call(command: Sequence[str], env: Mapping[str, str], log: Path) -> tuple[int, str]:
    """Run a program in the project's directory; return its exit status and stdout. Its stderr is added to the log.

    After five minutes it is ended, and the status is 124, as with timeout(1).
    """
    with log.open("ab") as errors, undisturbed(_session(command, env, errors)) as process:
        try:
            output, _ = process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            return TIMED_OUT, ""
    return process.returncode, output


@contextmanager
def _session(command: Sequence[str], env: Mapping[str, str], errors: BinaryIO) -> Iterator[subprocess.Popen[str]]:
    """Run a program in a session of its own, which Ctrl-C does not reach, and of which nothing is left in the end."""
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=errors,
        encoding="utf-8",
        start_new_session=True,
        preexec_fn=undisturb,  # noqa: PLW1509 - there are no other threads
    )
    try:
        yield process
    finally:
        if not _ended(process, signal.SIGTERM):
            _ended(process, signal.SIGKILL)
        if process.stdout:
            process.stdout.close()


def _ended(process: subprocess.Popen[str], number: int) -> bool:
    """Send the process's group a signal, and tell whether it is gone within the time of grace."""
    deadline = time.monotonic() + GRACE_S
    while time.monotonic() < deadline:
        process.poll()  # an ended process stays in its group until it is asked for
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            return True
        number = 0  # from now on only ask
        time.sleep(POLL_S)
    return False
