"""The test bench finds nothing wrong with the tap, and would find what is: a short form of `make torture`."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from torture import faults, judge, telling
from torture.attempt import Ended, Footprint
from torture.destination import Destination
from torture.figures import Figures
from torture.story import Ending, Story, draw

if TYPE_CHECKING:
    from collections.abc import Sequence

SEED = "short"
RECORDS: judge.Records = {number: {"id": number, "created_at": "2024-01-01T00:00:00Z"} for number in range(1, 4)}
STORY = Story(
    "unsorted",
    3,
    {"cap": None, "total": "exact", "past_end": "empty"},
    draw(Random("1")).config,
    None,
    batch=False,
    attempts=(),
)


@pytest.mark.parametrize("number", range(1, 7))
def test_a_story_ends_well(number: int) -> None:
    """Records would be lost, come twice, or a run say that all is well when it is not."""
    assert telling.tell(SEED, number).defects == []


def test_a_story_is_the_same_for_the_same_seed() -> None:
    """A failure could not be looked at again."""
    assert draw(Random(f"{SEED}/5")) == draw(Random(f"{SEED}/5"))


def output(numbers: Sequence[int], *, state: bool = True, **changed: Any) -> bytes:
    """Return what a run wrote that emitted these records."""
    schema = {"type": "SCHEMA", "stream": "storage_data", "schema": {"properties": {"id": {}, "created_at": {}}}}
    records = [
        {"type": "RECORD", "stream": "storage_data", "record": RECORDS.get(number, {"id": number}) | changed}
        for number in numbers
    ]
    states = [{"type": "STATE", "value": {"bookmarks": {}}}] if state else []
    return "".join(f"{json.dumps(message)}\n" for message in [schema, *records, *states]).encode()


def found(stdout: bytes, *, status: int = 0, stderr: str = "", ending: str = "none", **more: Any) -> list[str]:
    """Return what is wrong with a run."""
    footprint = Footprint(memory=1, threads=1, sockets=1, processes=0, files=())
    heeded = 0 if ending == "none" else 0.1
    ended = Ended(status, stdout, stderr, more.pop("footprint", footprint), seconds=1, heeded=heeded, stuck=False)
    destination = Destination()
    taken = destination.take(stdout, complete=status == 0)
    scene = {
        "before": RECORDS,
        "after": RECORDS,
        "came": frozenset(),
        "changed": False,
        "served": Counter[str](),
        "worst": 0,
        "state": {},
        "began": frozenset(RECORDS),
        "covered": {},
        "files": frozenset(),
    }
    rows = destination.rows
    story = more.pop("story", STORY)
    return judge.defects(judge.Scene(story, Ending(ending), ended, taken, rows=rows, **{**scene, **more}))


PLANTED: dict[str, tuple[str, list[str]]] = {
    "a loss": ("LOSES 1", found(output([1, 2]))),
    "a record twice": ("twice", found(output([1, 2, 3, 3]))),
    "a record made up": ("never had", found(output([1, 2, 3, 4]))),
    "another value": ("other values", found(output([1, 2, 3], created_at="2024-01-02T00:00:00Z"))),
    "a state ahead": ("again that a state", found(output([1, 2, 3]), covered={"storage_data": frozenset([1])})),
    "a field undeclared": ("does not declare", found(output([1], more=1), began=frozenset([1]))[:1]),
    "a failure without a reason": ("without a reason", found(output([1]), status=1, stderr="ERROR")),
    "a failure without a word": ("no error", found(output([1]), status=1, worst=99)),
    "a key in the log": ("prints the API key", found(output([1, 2, 3]), stderr="key=demo-key")),
    "a traceback": ("traceback", found(output([1, 2, 3]), stderr="Traceback (most recent")),
    "half a line": ("half a line", found(output([1, 2, 3])[:-1], status=143, ending="SIGTERM")),
    "another status": ("exits with 3", found(output([1, 2, 3]), status=3)),
    "a process left": ("processes", found(output([1, 2, 3]), footprint=Footprint(1, 1, 1, 1, ()))),
    "a file left": ("files", found(output([1, 2, 3]), footprint=Footprint(1, 1, 1, 0, ("x",)))),
    "too much memory": ("MiB", found(output([1, 2, 3]), footprint=Footprint(300 << 20, 1, 1, 0, ()))),
    "too many threads": ("threads", found(output([1, 2, 3]), footprint=Footprint(1, 99, 1, 0, ()))),
}


def test_a_good_run_is_not_found_fault_with() -> None:
    """The bench would cry wolf."""
    assert found(output([1, 2, 3])) == []


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found(name: str) -> None:
    """A bench that cannot fail proves nothing."""
    words, defects = PLANTED[name]
    assert [words in defect for defect in defects] == [True] * len(defects) != []


def test_what_no_state_covers_is_not_at_the_destination() -> None:
    """A state ahead of its records would go unnoticed."""
    destination = Destination()
    destination.take(output([1, 2]) + output([3], state=False), complete=False)
    assert set(destination.rows["storage_data"]) == {1, 2}


def test_a_fault_that_never_came_is_named() -> None:
    """The table would claim what was not tried."""
    figures = Figures(served=Counter(dict.fromkeys(faults.KINDS, 1)) - Counter({"401": 1}))
    assert figures.never() == ["401"]
