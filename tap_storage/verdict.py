"""What a run of a stream came to, as one line for people and programs."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
from typing import TYPE_CHECKING, Any, Literal

from singer_sdk.exceptions import SyncLifecycleSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

VERSION = 1
"""Of the fields; they keep their names and meaning for as long as it stays."""

Judgement = Literal["complete", "bounded", "incomplete"]


@dataclasses.dataclass
class Traffic:
    """What a run cost: requests sent, those that were sent again, seconds waited before them, bytes of answers."""

    requests: int = 0
    retries: int = 0
    seconds_waited: float = 0.0
    bytes: int = 0


@dataclasses.dataclass
class Verdict:
    """What a run came to; `fields` says it in the form that is documented, and fixed for a version."""

    stream: str
    judgement: Judgement = "incomplete"
    records: int = 0
    read: int = 0
    pages: int = 0
    moved: int = 0
    nulled: int = 0
    """Values that did not fit the schema."""
    total: int | None = None
    emitted: int = 0
    """Pages of which records were emitted …"""
    at_once: int = 0
    """… and those that took the page lane."""
    traffic: Traffic = dataclasses.field(default_factory=Traffic)

    @property
    def fields(self) -> dict[str, Any]:
        """What the line says."""
        return {
            "version": VERSION,
            "stream": self.stream,
            "verdict": self.judgement,
            "records": self.records,
            "records_read": self.read,
            "pages": self.pages,
            "requests": self.traffic.requests,
            "retries": self.traffic.retries,
            "seconds_waited": round(self.traffic.seconds_waited, 1),
            "bytes": self.traffic.bytes,
            "rows_moved": self.moved,
            "total_promised": self.total,
            "values_nulled": self.nulled,
            "page_lane": round(self.at_once / self.emitted, 3) if self.emitted else None,
        }


@contextlib.contextmanager
def pronounced(verdict: Verdict, log: Callable[..., None]) -> Iterator[None]:
    """Log the verdict when the block ends, incomplete if with an error; but not of a trial run that read enough."""
    try:
        yield
    except (SyncLifecycleSignal, GeneratorExit):
        raise
    except BaseException:
        verdict.judgement = "incomplete"
        _log(verdict, log, logging.WARNING)
        raise
    _log(verdict, log, logging.INFO)


def _log(verdict: Verdict, log: Callable[..., None], level: int) -> None:
    fields = verdict.fields
    log("VERDICT: %s", json.dumps(fields), level=level, extra={"verdict": fields})
