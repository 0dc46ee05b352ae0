"""`python -m demo.fake_api`: serves until it is told to stop, by signal or by stdin."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from demo.fake_api.behaviour import Behaviour
from demo.fake_api.server import connections
from demo.fake_api.service import Service
from demo.fake_api.shapes import read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the command line and serve; exits 2 when it, or the behaviour, is wrong."""
    parser = argparse.ArgumentParser(prog="python -m demo.fake_api", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument("--records", type=int, default=1000)
    parser.add_argument("--api-key", default="demo-key")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--behaviour", default="{}", help="JSON, see behaviour.py")
    parser.add_argument("--journal", type=Path, help="a file for a JSON line per entry")
    parser.add_argument("--until-stdin-closes", action="store_true")
    options = parser.parse_args(arguments)
    try:
        behaviour = read(Behaviour, json.loads(options.behaviour), "behaviour")
    except ValueError as refusal:
        parser.error(f"--behaviour: {refusal}")
    with contextlib.ExitStack() as stack:
        journal = options.journal and stack.enter_context(options.journal.open("w", encoding="utf-8"))
        service = Service(
            behaviour,
            records=options.records,
            api_key=options.api_key,
            seed=options.seed,
            journal_file=journal,
        )
        asyncio.run(serve(service, host=options.host, port=options.port, until_stdin_closes=options.until_stdin_closes))


async def serve(service: Service, *, host: str, port: int, until_stdin_closes: bool) -> None:
    """Serve until SIGTERM or SIGINT, or the end of stdin if asked to heed it."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    if until_stdin_closes:
        at_end = (lambda: loop.call_soon_threadsafe(stopped.set),)
        threading.Thread(target=_await_end_of_stdin, args=at_end, daemon=True).start()
    server = await loop.create_server(connections(service), host, port, backlog=1024)
    bound = server.sockets[0].getsockname()[1]
    print(json.dumps({"url": f"http://{host}:{bound}"}), flush=True)
    await stopped.wait()
    server.close()


def _await_end_of_stdin(at_end: Callable[[], object]) -> None:
    # Not sys.stdin: its lock, held by a daemon thread, is fatal when Python ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    at_end()


if __name__ == "__main__":
    main()
