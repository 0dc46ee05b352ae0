"""Runs the cells, two at a time."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from demo.control import FakeAPI
from torture.leaks import bench, hostile
from torture.leaks.setup import Places

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torture.leaks.bench import Outcome
    from torture.leaks.cells import Cell

WORKERS = 2
RECORDS = 150


def run_all(chosen: Sequence[Cell], rng: Random, *, seconds: float, tell: Callable[[str], object]) -> list[Outcome]:
    """Run the cells, and tell of each that leaks or does not end. seconds: after which none begins."""
    deadline = time.monotonic() + seconds
    tell(f"{len(chosen)} cells")
    seeds = [rng.randrange(2**32) for _ in chosen]
    with ExitStack() as stack:
        echoes = stack.enter_context(hostile.serving())
        tls = stack.enter_context(hostile.serving(tls=True))
        apis = [stack.enter_context(FakeAPI(records=RECORDS)) for _ in range(WORKERS)]
        free = list(apis)
        lock = threading.Lock()

        def run(cell: Cell, seed: int) -> Outcome | None:
            if time.monotonic() > deadline:
                return None
            with lock:
                api = free.pop()
            try:
                places = Places(urlsplit(api.url).netloc, echoes, tls)
                outcome = bench.run(cell, Random(seed), places, api)
            finally:
                with lock:
                    free.append(api)
            if outcome.found or outcome.status is None:
                tell(_told(outcome))
            return outcome

        with ThreadPoolExecutor(WORKERS) as pool:
            return [outcome for outcome in pool.map(run, chosen, seeds) if outcome]


def _told(outcome: Outcome) -> str:
    return "\n".join([f"{outcome.cell} status {outcome.status}", *outcome.found[:8], outcome.quote[:1500]])
