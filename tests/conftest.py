"""What the tests share: a fake API of their own, and the installed command."""

from __future__ import annotations

import os
import zlib
from typing import TYPE_CHECKING

import pytest

from demo.control import FakeAPI
from tests import running
from tests.running import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


TRACING = "COVERAGE_PROCESS_CONFIG"
"""The variable by which coverage has a process traced; it takes half as long again."""
ONE_IN = 3
taken: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Keep coverage to itself: the fake API, in a process of its own, is not what is tested."""
    if hasattr(config, "workerinput") and TRACING in os.environ:
        taken[TRACING] = os.environ.pop(TRACING)


@pytest.fixture(autouse=True)
def _traced(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let coverage trace the command in one in three of a test's cases, always the same: most take the same way."""
    case = request.node.nodeid
    if "[" not in case or not zlib.crc32(case.encode()) % ONE_IN:
        monkeypatch.setattr(running, "tracing", taken)


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """Serve 250 records from an API that behaves; tests tell it otherwise."""
    with FakeAPI(records=250) as running:
        yield running


@pytest.fixture
def tap(tmp_path: Path) -> Tap:
    """Give the installed command an empty directory."""
    return Tap(tmp_path)
