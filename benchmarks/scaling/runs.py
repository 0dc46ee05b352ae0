"""Runs the installed command against the fake API, as many processes as there are slices, and measures them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks.scaling.model import Measured, Point
from demo.control import FakeAPI

if TYPE_CHECKING:
    from collections.abc import Mapping

BIN = Path(sys.executable).parent
FILTERS = {"start_param": "created_from", "end_param": "created_to"}


class FailedError(Exception):
    """A run failed, or did not read what it should."""


def measure(point: Point) -> Measured:
    """Run all slices at once; raises FailedError where one fails, or records are missing."""
    with tempfile.TemporaryDirectory() as name, FakeAPI(point.records, latency_ms=point.latency) as api:
        directory = Path(name)
        config: dict[str, Any] = {
            "base_url": api.url,
            "api_key": api.api_key,
            "limit": point.limit,
            "concurrency": point.concurrency,
            **FILTERS,
        }
        if point.rate:
            config["requests_per_second"] = point.rate
        overlays = _plan(directory, config, point.slices) if point.slices > 1 else [{}]
        server = psutil.Process(api.pid)
        before, used = sum(server.cpu_times()[:2]), os.times()
        began = time.perf_counter()
        running = [_start(directory / str(number), config | overlay) for number, overlay in enumerate(overlays)]
        statuses = [process.wait() for process in running]
        seconds = time.perf_counter() - began
        now = os.times()
        cpu = now.children_user + now.children_system - used.children_user - used.children_system
        served = sum(request["served"] for request in api.requests())
        if any(statuses) or served < point.records:
            msg = f"{point}: exit statuses {statuses}, {served} records served"
            raise FailedError(msg)
        return Measured(point, seconds, cpu, sum(server.cpu_times()[:2]) - before)


def _plan(directory: Path, config: Mapping[str, Any], slices: int) -> list[dict[str, Any]]:
    file = directory / "plan.json"
    file.write_text(json.dumps({**config, "requests_per_second": None}), encoding="utf-8")
    command = [str(BIN / "tap-storage-plan"), "--config", str(file), "--slices", str(slices)]
    planned = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True, text=True)
    return [json.loads(line)["config"] for line in planned.stdout.splitlines()]


def _start(directory: Path, config: Mapping[str, Any]) -> subprocess.Popen[bytes]:
    directory.mkdir()
    file = directory / "config.json"
    file.write_text(json.dumps(config), encoding="utf-8")
    # What Python compiles is kept, as it is for whoever runs the tap more than once.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TAP_STORAGE_"))}
    return subprocess.Popen(
        [BIN / "tap-storage", "--config", file],
        cwd=directory,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
