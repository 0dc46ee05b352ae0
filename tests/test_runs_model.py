"""Whatever a sequence of runs meets, their union holds every record, and none is emitted again without a reason."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import signal
import sys
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from demo.control import FakeAPI
from tap_storage import incremental
from tap_storage.tap import TapStorage

if TYPE_CHECKING:
    from collections.abc import Iterator

EXAMPLES = 200
BEGINNING = datetime(2024, 1, 1, tzinfo=timezone.utc)
SPAN_S = 1000
"""Between the beginnings of two runs, by the API's clock."""
MARGIN_S = 30
"""More than a run takes."""
STATE_EVERY = 7
FOREVER = 10**9
MODES = {
    "unsorted": {},
    "ascending": {"sort_order": "ascending"},
    "descending": {"sort_order": "descending"},
    "filtered": {"start_param": "created_from"},
}


@dataclasses.dataclass(frozen=True)
class Row:
    """A record to be: seconds after its run's moment, None for no date at all; and how the date is written."""

    seconds: float | None
    form: int

    def created_at(self, moment: datetime) -> str | None:
        """Write the date."""
        if self.seconds is None:
            return None
        instant = moment + timedelta(seconds=self.seconds)
        zone = timezone(timedelta(hours=2))
        return [
            instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            instant.astimezone(zone).isoformat(),
            instant.replace(tzinfo=None).isoformat(sep=" "),
            instant.isoformat(),
        ][self.form]


@dataclasses.dataclass(frozen=True)
class Plan:
    """One run: the records that come before it, where each is put, and the message after which it is killed."""

    rows: list[Row]
    places: list[float]
    killed_after: int


@dataclasses.dataclass(frozen=True)
class Story:
    """All runs. lookback in seconds."""

    mode: str
    limit: int
    lookback: int
    total: str
    plans: list[Plan]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Draw collections with ties, zones and precisions; without a date, or with one to come, where those can be met."""
    mode = draw(st.sampled_from(list(MODES)))
    lookback = draw(st.sampled_from([0, 100, 300]))
    smooth = draw(st.booleans())
    seconds: list[float | None] = [MARGIN_S, MARGIN_S, MARGIN_S + 0.5, 100, 100.000001, 500, 500, SPAN_S - MARGIN_S]
    # Late ones, down to the earliest that a run begins with, less the lookback: the newest record's, or the moment when
    # the run before began where that was killed, or met a date to come.
    seconds += [-MARGIN_S, -MARGIN_S - lookback] if smooth else [MARGIN_S - lookback, 10.0**9]
    seconds += [None] if mode == "unsorted" else []
    row = st.builds(Row, seconds=st.sampled_from(seconds), form=st.integers(0, 3))
    plan = st.builds(
        Plan,
        rows=st.lists(row, min_size=draw(st.sampled_from([0, 20])), max_size=30),
        places=st.lists(st.floats(0, 1), min_size=30, max_size=30),
        killed_after=st.just(FOREVER) if smooth else st.one_of(st.just(FOREVER), st.integers(1, 40)),
    )
    return Story(
        mode=mode,
        limit=draw(st.integers(2, 12)),
        lookback=lookback,
        total=draw(st.sampled_from(["exact", "absent", "unfiltered"])),
        plans=draw(st.lists(plan, min_size=1, max_size=4)),
    )


class Killed(BaseException):
    """The process is gone."""


class Pipe:
    """Standard output that takes so many messages."""

    def __init__(self, messages: int) -> None:
        self.messages: list[dict[str, Any]] = []
        self.buffer = self
        self._left = messages

    def write(self, lines: memoryview) -> int:
        """Take messages, or end the process."""
        for line in bytes(lines).splitlines():
            if not self._left:
                raise Killed
            self._left -= 1
            self.messages.append(json.loads(line))
        return len(lines)

    def flush(self) -> None:
        """Do nothing."""


def run(config: dict[str, Any], state: dict[str, Any], killed_after: int) -> tuple[list[dict[str, Any]], bool]:
    """Run the tap in this process; return its messages, and whether it came to its end."""
    pipe = Pipe(killed_after)
    with contextlib.ExitStack() as stack:
        stack.enter_context(pytest.MonkeyPatch.context()).setattr(sys, "stdout", pipe)
        for number in (signal.SIGINT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.getsignal(number))
        try:
            TapStorage(config=config, state=json.loads(json.dumps(state))).sync_all()
        except Killed:
            return pipe.messages, False
    return pipe.messages, True


class Collection:
    """The records at the API, in the order that it is said to have."""

    def __init__(self, api: FakeAPI, story: Story) -> None:
        self.api = api
        self.story = story
        self.rows: list[tuple[int, datetime | None, str | None]] = []

    def insert(self, plan: Plan, moment: datetime) -> None:
        """Add a plan's records, created around that moment."""
        for row, place in zip(plan.rows, plan.places, strict=False):
            instant = None if row.seconds is None else moment + timedelta(seconds=row.seconds)
            self.rows.insert(round(place * len(self.rows)), (len(self.rows), instant, row.created_at(moment)))
        if self.story.mode in ("ascending", "descending"):
            self.rows.sort(key=lambda row: row[1] or BEGINNING, reverse=self.story.mode == "descending")
        self.api.replace(json.dumps([{"id": number, "created_at": text} for number, _, text in self.rows]))

    def instants(self) -> dict[int, datetime | None]:
        """Return when each record was created, by its id."""
        return {number: instant for number, instant, _ in self.rows}


def tell(api: FakeAPI, story: Story) -> None:
    """Let the runs of a story happen, and then two more that nobody kills; assert what is promised."""
    api.reset(records=0)
    collection = Collection(api, story)
    config = {
        "base_url": api.url,
        "api_key": api.api_key,
        "limit": story.limit,
        "lookback_window": story.lookback,
        **MODES[story.mode],
    }
    state: dict[str, Any] = {}
    emitted: set[int] = set()
    certain: set[int] = set()
    """Of the walk that was interrupted: what a state has covered."""
    undisturbed = Plan([], [], FOREVER)
    for number, plan in enumerate([*story.plans, undisturbed, undisturbed]):
        moment = BEGINNING + timedelta(seconds=number * SPAN_S)
        collection.insert(plan, moment - timedelta(seconds=SPAN_S))
        api.behave(date_skew_s=(moment - datetime.now(timezone.utc)).total_seconds(), total=story.total)
        before = state.get("bookmarks", {}).get("storage_data", {})
        messages, whole = run(config, state, plan.killed_after)
        came, covered = read(messages, state)
        state = next((each["value"] for each in reversed(messages) if each["type"] == "STATE"), state)
        resumed = "place" in before.get("walk", {}) and not before["walk"].get("finished")
        instants = collection.instants()
        start = bookmark(before, story.lookback)
        if not resumed:
            certain = set()
        assert set(came) & certain == set()
        assert all(belongs(instants[each], start) for each in came)
        assert len(came) == len(set(came))
        certain = set() if whole else certain | covered
        emitted |= set(came)
    assert emitted == set(collection.instants())


def read(messages: list[dict[str, Any]], state: dict[str, Any]) -> tuple[list[int], set[int]]:
    """Return the ids of the records, and of those that the last new state covers."""
    came: list[int] = []
    covered: set[int] = set()
    for message in messages:
        if message["type"] == "RECORD":
            came.append(message["record"]["id"])
        elif message["type"] == "STATE" and message["value"] != state:
            covered = set(came)
    return came, covered


def bookmark(stream: dict[str, Any], lookback: int) -> datetime | None:
    """Return where a run with this state begins."""
    value = stream.get("replication_key_value")
    return value and datetime.fromisoformat(value.replace("Z", "+00:00")) - timedelta(seconds=lookback)


def belongs(instant: datetime | None, start: datetime | None) -> bool:
    """Tell whether there is a reason to emit a record."""
    return instant is None or start is None or instant >= start


@pytest.fixture(scope="module")
def served() -> Iterator[FakeAPI]:
    """Serve one API to all stories."""
    with FakeAPI(records=0, id_type="integer") as api:
        yield api


def test_a_sequence_of_runs_misses_nothing_and_repeats_nothing(
    served: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Records would be missing at the destination, or loaded again and again."""
    monkeypatch.setattr(incremental, "EVERY_RECORDS", STATE_EVERY)

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(stories())
    def tells(story: Story) -> None:
        tell(served, story)

    tells()
