"""The blows: what is ended, and how."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torture.pipeline.database import Database
    from torture.pipeline.meltano import MeltanoRun


def strike(kind: str, run: MeltanoRun, database: Database) -> bool:
    """Deal a blow; return whether it hit: what it is meant for may not run yet."""
    return _BLOWS[kind](run, database)


def _tap_killed(run: MeltanoRun, _: Database) -> bool:
    return _killed(run.plugins("tap-storage"))


def _target_killed(run: MeltanoRun, _: Database) -> bool:
    return _killed(run.plugins("target-postgres"))


def _postgres_killed(_: MeltanoRun, database: Database) -> bool:
    database.kill()
    return True


def _postgres_stopped(_: MeltanoRun, database: Database) -> bool:
    database.stop_at_once()
    return True


def _connection_killed(_: MeltanoRun, database: Database) -> bool:
    return _killed(database.connections())


def _to_meltano(number: signal.Signals) -> Callable[[MeltanoRun, Database], bool]:
    def deal(run: MeltanoRun, _: Database) -> bool:
        os.kill(run.pid, number)
        return True

    return deal


def _to_all(number: signal.Signals) -> Callable[[MeltanoRun, Database], bool]:
    def deal(run: MeltanoRun, _: Database) -> bool:
        os.killpg(run.pid, number)
        return True

    return deal


def _killed(processes: Sequence[psutil.Process]) -> bool:
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    return bool(processes)


_BLOWS: Mapping[str, Callable[[MeltanoRun, Database], bool]] = {
    "tap: SIGKILL": _tap_killed,
    "target: SIGKILL": _target_killed,
    "PostgreSQL: SIGKILL": _postgres_killed,
    "PostgreSQL: immediate shutdown": _postgres_stopped,
    "PostgreSQL: SIGKILL of the connection": _connection_killed,
    "Meltano: SIGINT": _to_meltano(signal.SIGINT),
    "Meltano: SIGTERM": _to_meltano(signal.SIGTERM),
    "Meltano: SIGKILL": _to_meltano(signal.SIGKILL),
    "Ctrl-C: SIGINT to all three": _to_all(signal.SIGINT),
    "stopped service: SIGTERM to all three": _to_all(signal.SIGTERM),
}
KINDS = tuple(_BLOWS)
OF_POSTGRES = tuple(kind for kind in KINDS if kind.startswith("PostgreSQL"))
OF_MELTANO_ALONE = "Meltano: SIGKILL"
