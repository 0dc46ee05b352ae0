"""The pipeline, each part of it ended in the middle of a load; `python -m torture.pipeline` draws the moments."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from demo.control import FakeAPI
from torture.pipeline.database import database
from torture.pipeline.plan import Blow, Plan
from torture.pipeline.round import Round

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torture.pipeline.database import Database
    from torture.pipeline.outcome import Outcome

RECORDS = 15_000
LIMIT = 500
EARLY = 6
"""Requests until a blow, of the 40 or so that a whole run takes: the sample for the catalog and retries included."""
LATE = 30
"""So many that the first STATE message is out, which comes after 10,000 records."""


@pytest.fixture(scope="module")
def server() -> Iterator[Database]:
    """Start PostgreSQL; not in pytest's own directory, which pytest shuts to PostgreSQL's user."""
    with (
        tempfile.TemporaryDirectory(prefix="tap-storage-", ignore_cleanup_errors=True) as directory,
        database(Path(directory, "data")) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def failing_api() -> Iterator[FakeAPI]:
    """Start an API that fails one answer in five, once a round tells it to."""
    with FakeAPI(1) as running:
        yield running


def attacked(blows: Mapping[str, int], api: FakeAPI, server: Database, directory: Path) -> Outcome:
    """Deal each of the first runs a blow, after so many requests; return what came of it."""
    plan = Plan(
        number=0,
        records=RECORDS,
        step=LIMIT,
        behaviour={"latency_ms": 50, "faults": [{"kind": "status", "status": 503, "every": 5}]},
        settings={
            "TAP_STORAGE_LIMIT": str(LIMIT),
            "TAP_STORAGE_CONCURRENCY": "1",
            "TAP_STORAGE_BACKOFF_FACTOR": "0",
            "TARGET_POSTGRES_BATCH_SIZE_ROWS": "1000",
        },
        arrivals=None,
        blows=[Blow(kind, requests, seconds=0, down=1) for kind, requests in blows.items()],
        busy=False,
    )
    return Round(plan, api=api, database=server, directory=directory / "meltano").play()


def test_a_load_that_loses_its_destination_is_complete_in_the_end(
    failing_api: FakeAPI, server: Database, tmp_path: Path
) -> None:
    """Rows would be missing or doubled for ever after a crash of the database that nobody looked into."""
    blows = {"target: SIGKILL": EARLY, "PostgreSQL: SIGKILL": EARLY, "PostgreSQL: immediate shutdown": EARLY}
    outcome = attacked(blows, failing_api, server, tmp_path)
    assert outcome.hit == Counter(list(blows))
    assert (outcome.passed, outcome.runs[0] != 0, outcome.runs[-1]) == (True, True, 0), outcome


def test_a_load_that_is_interrupted_again_and_again_goes_on_and_is_complete_in_the_end(
    failing_api: FakeAPI, server: Database, tmp_path: Path
) -> None:
    """A large collection would never be copied to its end, or with gaps where it was interrupted."""
    blows = {"tap: SIGKILL": LATE, "Meltano: SIGINT": EARLY, "Meltano: SIGTERM": EARLY}
    outcome = attacked(blows, failing_api, server, tmp_path)
    assert outcome.hit == Counter(list(blows))
    assert (outcome.passed, 0 in outcome.runs[:-1], outcome.runs[-1]) == (True, False, 0), outcome
    # On a busy machine, Meltano may end the loader before that has written the state to go on from.
    assert outcome.resumed in (0, len(blows))
