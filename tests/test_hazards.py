"""What is said of the peers under a hazard is true: loss, doubling, leak and no end are told from completeness."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from benchmarks import contenders, delivered, hazards
from benchmarks.contender import PEERS, Contender
from benchmarks.hazards import Results, load, report
from benchmarks.hazards_judge import DEADLINE_S, put
from benchmarks.hazards_put import HAZARDS

if TYPE_CHECKING:
    from benchmarks.contender import Task
    from benchmarks.hazards_put import Hazard


def plain_loop(task: Task) -> list[str]:
    """Start the bare loop with this process's Python, as its own environment is not installed here."""
    return [sys.executable, str(PEERS / "bare_loop" / "loop.py"), task.url, task.api_key, str(task.limit)]


def installed_tap(task: Task) -> list[str]:
    """Start the tap of this environment."""
    settings = task.write("config.json", contenders.tap_storage()(task))
    return [str(Path(sys.executable).with_name("tap-storage")), "--config", settings]


PLAIN_LOOP = Contender("bare loop", "bare_loop", plain_loop, delivered.of_singer)
INSTALLED_TAP = Contender("tap-storage", "tap_storage", installed_tap, delivered.of_singer)


def hazard(text: str) -> Hazard:
    """Return the first hazard whose text holds this."""
    return next(each for each in HAZARDS if text in each.text)


def test_the_published_table_is_of_the_published_results() -> None:
    """Else a cell could have been written by hand."""
    written = Path(hazards.__file__).with_name
    assert written("hazards.md").read_text(encoding="utf-8") == report(load(written("hazards.json")))


@pytest.mark.parametrize(
    ("text", "verdict", "lost", "twice"),
    [("gives 50 a page", "loses silently", 950, 0), ("come in front", "duplicates", 0, 20)],
)
def test_loss_and_doubling_are_told_from_completeness(text: str, verdict: str, lost: int, twice: int) -> None:
    """Else the table would call a peer complete that lost records, or tap-storage."""
    loop, tap = put(PLAIN_LOOP, hazard(text)), put(INSTALLED_TAP, hazard(text))
    assert (loop.verdict, loop.lost, loop.twice, loop.status) == (verdict, lost, twice, 0)
    assert (tap.verdict, tap.lost, tap.twice, tap.status) == ("complete", 0, 0, 0)
    assert loop.expected == tap.expected == 1000


def test_who_never_ends_is_ended_and_said_to_be_so() -> None:
    """Else one peer would hold up all the others, or would seem to have failed of itself."""
    loop, tap = put(PLAIN_LOOP, hazard("ignores the offset")), put(INSTALLED_TAP, hazard("ignores the offset"))
    assert (loop.verdict, loop.status) == ("never ends", None)
    assert loop.seconds < DEADLINE_S
    assert (tap.verdict, tap.status) == ("fails loudly", 1)


def test_a_key_that_was_printed_is_seen() -> None:
    """Else a peer that shows the key in a log, percent-encoded as it was sent, would seem to keep it."""
    odd = hazard("401, and a key")
    loop, tap = put(PLAIN_LOOP, odd), put(INSTALLED_TAP, odd)
    assert (loop.verdict, loop.leaked) == ("fails loudly", True)
    assert (tap.verdict, tap.leaked) == ("fails loudly", False)


def test_the_table_says_what_was_judged() -> None:
    """Else it would flatter whoever wrote it."""
    judged = [put(PLAIN_LOOP, hazard(text)) for text in ("gives 50 a page", "401")]
    written = report(Results("2026-01-01", "3.11.7", {"bare loop": "requests 2"}, judged))
    assert "| 1 | asked for 100 records, the API gives 50 a page | complete | **loses 950** |" in written
    assert "| 14 | 401 | an error | fails, **prints the key** |" in written
    assert "bare loop: of 2 hazards, lost or altered records silently under 1, never ended under 0" in written
