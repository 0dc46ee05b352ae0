"""What the tests share: a fake API of their own, and the installed command."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.control import FakeAPI
from tests.running import Tap

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """Serve 250 records from an API that behaves; tests tell it otherwise."""
    with FakeAPI(records=250) as running:
        yield running


@pytest.fixture
def tap(tmp_path: Path) -> Tap:
    """Give the installed command an empty directory."""
    return Tap(tmp_path)
