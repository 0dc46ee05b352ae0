"""Runs that are ended from outside: by a signal, or by a destination that goes away."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.running import BIN, PATIENCE_S, environment, settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


def started(tap: Tap, api: FakeAPI) -> subprocess.Popen[str]:
    """Start a run of many pages; return when its first line has come."""
    api.reset(records=20_000)
    api.behave(latency_ms=5)
    config = tap.write("config.json", json.dumps(settings(api)))
    process = subprocess.Popen(
        [BIN / "tap-storage", "--config", config],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    assert process.stdout
    process.stdout.readline()
    return process


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_run_with_a_status_that_says_so(tap: Tap, api: FakeAPI, number: signal.Signals) -> None:
    """A scheduler would take a run that was cut off for a complete one."""
    process = started(tap, api)
    process.send_signal(number)
    _, log = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 128 + number
    assert "Traceback" not in log


def test_a_destination_that_goes_away_is_told_of_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """The target's own error would drown in a traceback of the tap."""
    process = started(tap, api)
    assert process.stdout
    assert process.stderr
    process.stdout.close()
    log = process.stderr.read()
    assert process.wait(timeout=PATIENCE_S) == 1
    assert ["The destination closed the pipe" in line for line in log.splitlines() if "ERROR" in line] == [True]
    assert "Traceback" not in log
    assert "BrokenPipe" not in log
