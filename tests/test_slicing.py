"""A plan's slices, copied one by one by the installed command, are the collection: no record is left out, or twice."""

from __future__ import annotations

import dataclasses
import itertools
import json
import subprocess
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from tap_storage.slicing.cuts import Count, balanced
from tests.running import BIN, PATIENCE_S, environment, settings
from tests.shapes import Answer, Serving

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.control import FakeAPI
    from tests.running import Tap
    from tests.shapes import Asked

FILTERS = {"start_param": "created_from", "end_param": "created_to"}
ASCENDING = {"sort_order": "ascending"}
DESCENDING = {"sort_order": "descending"}
BEGIN = datetime(2024, 1, 1, tzinfo=timezone.utc)


@dataclasses.dataclass(frozen=True)
class Planned:
    """What the command left behind."""

    status: int
    slices: list[dict[str, Any]]
    stderr: str


def plan(tap: Tap, config: Mapping[str, Any], *arguments: str, env: Mapping[str, str] | None = None) -> Planned:
    """Run the command; config: as a file, unless it is empty."""
    file = tap.write("plan.json", json.dumps(config))
    options = ["--config", str(file)] if config else []
    completed = subprocess.run(
        [BIN / "tap-storage-plan", *options, *arguments],
        cwd=tap.directory,
        env=environment(**(env or {})),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    return Planned(completed.returncode, [json.loads(line) for line in completed.stdout.splitlines()], completed.stderr)


def fill(api: FakeAPI, count: int = 600, *, keyless: int = 0, step: timedelta = timedelta(minutes=7)) -> None:
    """Let the API hold records that are dense at first and then sparse, and some without a date."""
    moments = [BEGIN + number * step * (1 if number < count * 3 // 4 else 9) for number in range(count)]
    texts: list[str | None] = [moment.isoformat() for moment in moments]
    for number in range(keyless):
        texts[number * count // keyless] = None
    api.replace(json.dumps([{"id": str(number), "created_at": text} for number, text in enumerate(texts)]))


def copy(tap: Tap, config: Mapping[str, Any], slices: list[dict[str, Any]]) -> list[list[Any]]:
    """Copy each slice, and return the ids that came with it."""
    found = []
    for piece in slices:
        run = tap({**config, **piece["config"]})
        assert run.status == 0, run.stderr
        found.append(run.ids)
    return found


KINDS: dict[str, tuple[dict[str, Any], dict[str, Any], int]] = {
    "filters": (FILTERS, {}, 150),
    "filters, and records without a date": (FILTERS, {"keyless": 9}, 150),
    "filters, and no total": (FILTERS, {"total": "absent", "keyless": 9}, 200),
    "filters, and a total that is blind to them": (FILTERS, {"total": "unfiltered"}, 300),
    "filters, and a total with a ceiling where the dates end": (
        FILTERS,
        {"total": {"capped": 591}, "keyless": 9},
        150,
    ),
    "filters, and the last page for all behind it": (FILTERS, {"past_end": "repeat", "total": "absent"}, 500),
    "filters, by whole hours, exclusive": (
        {**FILTERS, "datetime_format": "%Y-%m-%dT%H:00:00Z"},
        {"filters": {"resolution_s": 3600, "exclusive": True}},
        150,
    ),
    "filters, and short pages": (FILTERS, {"cap": 30, "total": "absent"}, 350),
    "ascending": (ASCENDING, {"sort": "created_at"}, 14),
    "ascending, and filters": ({**ASCENDING, **FILTERS}, {"sort": "created_at", "keyless": 9}, 14),
    "ascending, and records without a date among the others": (ASCENDING, {"keyless": 40}, 14),
    "ascending, and short pages": ({**ASCENDING, "limit": 200}, {"cap": 10, "keyless": 40}, 80),
    "ascending, and more of them in front than a page holds": (ASCENDING, {"sort": "created_at", "keyless": 150}, 14),
    "ascending, capped, and no total": (ASCENDING, {"sort": "created_at", "cap": 30, "total": "absent"}, 40),
    "descending": (DESCENDING, {"sort": "-created_at", "keyless": 9}, 14),
    "descending, offsets in multiples": (
        {**DESCENDING, "page_overlap": 0},
        {"sort": "-created_at", "offset": {"multiples_of": 100}},
        20,
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_slices_are_the_collection(tap: Tap, api: FakeAPI, kind: str) -> None:
    """A gap would be lost for good, since nobody reads a closed slice again."""
    settled, given, most = KINDS[kind]
    behaviour = dict(given)
    fill(api, keyless=behaviour.pop("keyless", 0))
    api.behave(**behaviour)
    config = settings(api, **settled)
    planned = plan(tap, config, "--slices", "3")
    asked = len(api.requests())
    assert (planned.status, len(planned.slices), asked <= most) == (0, 3, True), (planned.stderr, asked)
    bounds = [(piece["config"].get("start_date"), piece["config"].get("end_date")) for piece in planned.slices]
    assert (bounds[0][0], bounds[-1][1]) == (None, None)
    assert [end for _, end in bounds[:-1]] == [start for start, _ in bounds[1:]]
    suffixes = [piece["state_id_suffix"] for piece in planned.slices]
    assert (len(set(suffixes)), suffixes[-1]) == (3, "")
    found = copy(tap, config, planned.slices)
    times = Counter(identifier for ids in found for identifier in ids)
    assert set(times) == {record["id"] for record in api.records()}
    assert set(times.values()) == {1}
    sizes = [len(ids) for ids in found]
    assert [abs(piece["records"] - size) <= 100 for piece, size in zip(planned.slices, sizes, strict=True)] == [
        True
    ] * 3
    keyless = sum(record["created_at"] is None for record in api.records())
    assert max(sizes) - min(sizes) <= 110 + keyless


def numbered(asked: Asked) -> Answer:
    """Filter by seconds since 1970; where `pages` says no, all that is asked for comes at once."""
    window = range(int(asked.params.get("since", 0)), int(asked.params.get("until", 1 << 40)))
    made = [1_700_000_000 + i * i for i in range(500)]
    kept = [{"id": i, "made": moment, "name": "x"} for i, moment in enumerate(made) if moment in window]
    offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 1000))
    return Answer(200, {"data": kept[offset : offset + limit]})


@pytest.mark.parametrize(
    "paging", [{}, {"offset_param": "", "limit_param": "", "total_path": ""}], ids=["pages", "whole"]
)
def test_numbers_that_count_time_are_cut(tap: Tap, paging: dict[str, Any]) -> None:
    """An API without texts for dates, or without pages, would be left out."""
    with Serving(numbered) as server:
        config = {
            "base_url": server.url,
            "auth_location": "none",
            "replication_key": "made",
            "datetime_format": "epoch",
            "start_param": "since",
            "end_param": "until",
            **paging,
        }
        planned = plan(tap, config, "--slices", "4")
        found = copy(tap, config, planned.slices)
    assert [120 <= len(ids) <= 130 for ids in found] == [True] * 4, planned.stderr
    assert sorted(identifier for ids in found for identifier in ids) == list(range(500))


def lenient(asked: Asked) -> Answer:
    """Filter by date, but send records without one whatever is asked for."""
    low, high = asked.params.get("created_from", ""), asked.params.get("created_to", "9")
    dates = [None if i % 50 == 7 else f"{BEGIN + timedelta(hours=i):%Y-%m-%dT%H:%M:%SZ}" for i in range(400)]
    kept = [{"id": i, "created_at": date} for i, date in enumerate(dates) if not date or low <= date < high]
    offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 1000))
    return Answer(200, {"data": kept[offset : offset + limit], "total": len(kept)})


def test_records_without_a_date_that_come_whatever_is_asked_for_are_known_by_their_keys(tap: Tap) -> None:
    """They would be many at a destination that cannot tell them apart."""
    with Serving(lenient) as server:
        config = {"base_url": server.url, "auth_location": "none", **FILTERS}
        planned = plan(tap, config, "--slices", "4")
        found = copy(tap, config, planned.slices)
        refused = plan(tap, {**config, "primary_keys": []}, "--slices", "4")
    times = Counter(identifier for ids in found for identifier in ids)
    assert set(times) == set(range(400))
    assert {identifier for identifier, count in times.items() if count > 1} == set(range(7, 400, 50))
    assert [95 <= len(ids) <= 115 for ids in found] == [True] * 4, planned.stderr
    assert "sends 8 records without a key whatever is asked for" in planned.stderr
    assert (refused.status, refused.slices, "set primary_keys" in refused.stderr) == (1, [], True)


@pytest.mark.parametrize("kind", ["filters", "ascending", "descending"])
def test_a_collection_that_moves_meanwhile_loses_nothing(tap: Tap, api: FakeAPI, kind: str) -> None:
    """A plan is old as soon as it is made."""
    settled, behaviour, _ = KINDS[kind]
    behaviour = {name: value for name, value in behaviour.items() if name != "keyless"}
    fill(api)
    api.behave(**behaviour)
    config = settings(api, **settled)
    planned = plan(tap, config, "--slices", "4")
    before = {record["id"] for record in api.records()}
    api.delete([str(number) for number in range(100, 260)])
    late = [
        {"id": f"late-{number}", "created_at": (BEGIN + timedelta(minutes=5 * number)).isoformat()}
        for number in range(90)
    ]
    api.insert(at="back", records=late)
    api.insert(20)
    if "sort" not in behaviour:
        api.behave(sort="id")
    found = copy(tap, config, planned.slices)
    times = Counter(identifier for ids in found for identifier in ids)
    assert set(times) == {record["id"] for record in api.records()}
    assert set(times.values()) == {1}
    assert before - set(times) == {str(number) for number in range(100, 260)}
    again = plan(tap, config, "--slices", "3")
    overlapping = copy(tap, config, [planned.slices[1], *again.slices[1:]])
    assert set(overlapping[0]) == set(found[1])


@pytest.mark.parametrize("kind", ["filters", "descending"])
def test_the_last_slice_is_the_daily_run(tap: Tap, api: FakeAPI, kind: str) -> None:
    """States of slices would have to be merged."""
    settled, behaviour, _ = KINDS[kind]
    fill(api, 2000)
    api.behave(**{name: value for name, value in behaviour.items() if name != "keyless"})
    config = settings(api, **settled)
    last = plan(tap, config, "--slices", "4").slices[-1]
    first = tap({**config, **last["config"]})
    new = api.insert(30, created_at=datetime.now(timezone.utc).isoformat(), at="back")
    asked = len(api.requests())
    daily = tap(config, state=first.state)
    assert (daily.status, set(new) - set(daily.ids), len(daily.ids) <= 31) == (0, set(), True)
    assert len(api.requests()) - asked <= 5


@pytest.mark.parametrize("order", [ASCENDING, DESCENDING], ids=["ascending", "descending"])
def test_a_slice_of_a_sorted_collection_costs_what_it_holds(tap: Tap, api: FakeAPI, order: dict[str, Any]) -> None:
    """Each of many slices would read half of the collection on the average."""
    api.reset(records=20_000)
    api.behave(sort="created_at" if order is ASCENDING else "-created_at")
    config = settings(api, **order)
    middle = plan(tap, config, "--slices", "10").slices[4]
    asked = len(api.requests())
    run = tap({**config, **middle["config"]})
    assert (run.status, len(run.ids)) == (0, middle["records"])
    assert len(api.requests()) - asked <= 20 + 20 + 5


@pytest.mark.parametrize("kind", ["filters", "filters, and no total", "ascending", "descending"])
def test_windows_are_as_long_as_wished(tap: Tap, api: FakeAPI, kind: str) -> None:
    """Whoever backfills by the week would have to work out the dates."""
    settled, behaviour, _ = KINDS[kind]
    fill(api)
    api.behave(**{name: value for name, value in behaviour.items() if name != "keyless"})
    planned = plan(tap, settings(api, **settled), "--every", "P1W")
    ends = [datetime.fromisoformat(piece["config"]["end_date"].replace("Z", "+00:00")) for piece in planned.slices[:-1]]
    assert {later - earlier for earlier, later in itertools.pairwise(ends)} <= {timedelta(weeks=1)}
    assert (len(planned.slices) <= 5, ends[0] - BEGIN <= timedelta(weeks=1)) == (True, True), planned.stderr


@pytest.mark.parametrize("order", [ASCENDING, DESCENDING], ids=["ascending", "descending"])
def test_records_without_a_date_come_with_one_window(tap: Tap, api: FakeAPI, order: dict[str, Any]) -> None:
    """Those at a boundary would come with both, or with none."""
    moments: list[str | None] = [(BEGIN + timedelta(hours=3 * number)).isoformat() for number in range(64)]
    for place in (64, 40, 32, 24, 9, 8, 0):
        moments[place:place] = [None] * 3
    moments = moments if order is ASCENDING else moments[::-1]
    api.replace(json.dumps([{"id": str(number), "created_at": text} for number, text in enumerate(moments)]))
    config = settings(api, limit=10, **order)
    found = copy(tap, config, plan(tap, config, "--every", "P1D").slices)
    assert len(found) == 8
    assert sorted(identifier for ids in found for identifier in ids) == sorted(map(str, range(64 + 21)))


def test_a_record_out_of_order_at_the_end_hides_none(tap: Tap, api: FakeAPI) -> None:
    """Everything would seem to lie before the window."""
    fill(api, 1000)
    api.insert(records=[{"id": "late", "created_at": BEGIN.isoformat()}])
    config = settings(api, **ASCENDING)
    planned = plan(tap, config, "--slices", "3")
    assert (planned.status, "does not sort as sort_order says" in planned.stderr) == (1, True)
    run = tap({**config, "start_date": (BEGIN + timedelta(days=1)).isoformat()})
    wanted = [each["id"] for each in api.records() if each["created_at"] >= "2024-01-02"]
    assert (run.status, len(run.ids), set(run.ids)) == (0, len(wanted), set(wanted))


def test_the_settings_own_window_is_what_is_cut(tap: Tap, api: FakeAPI) -> None:
    """A plan for a year would copy all years."""
    fill(api)
    dates = {"start_date": "2024-01-01T12:00:00Z", "end_date": "2024-01-03"}
    for settled in (FILTERS, ASCENDING):
        config = settings(api, **settled, **dates)
        planned = plan(tap, config, "--slices", "2")
        assert [planned.slices[0]["config"]["start_date"], planned.slices[-1]["config"]["end_date"]] == [
            "2024-01-01T12:00:00.000000Z",
            "2024-01-03T00:00:00.000000Z",
        ]
        assert all(piece["state_id_suffix"] for piece in planned.slices)
        found = copy(tap, config, planned.slices)
        assert sorted(identifier for ids in found for identifier in ids) == sorted(tap(config).ids)
        assert min(map(len, found)) > 100


def test_what_may_still_arrive_late_is_left_to_the_last_slice(tap: Tap, api: FakeAPI) -> None:
    """A record that arrives late would belong to a slice that nobody reads again."""
    now = datetime.now(timezone.utc)
    moments = [now - timedelta(seconds=number) for number in range(400)]
    api.replace(
        json.dumps([{"id": str(number), "created_at": each.isoformat()} for number, each in enumerate(moments)])
    )
    planned = plan(tap, settings(api, **FILTERS), "--slices", "4")
    assert len(planned.slices) == 2
    assert planned.slices[-1]["config"]["start_date"] <= (now - timedelta(seconds=200)).isoformat()


def test_the_environment_will_do(tap: Tap, api: FakeAPI) -> None:
    """Meltano gives its settings to a command by the environment alone."""
    env = {"BASE_URL": api.url, "API_KEY": api.api_key, "START_PARAM": "created_from", "END_PARAM": "created_to"}
    planned = plan(tap, {}, "--slices", "2", env={f"TAP_STORAGE_{name}": value for name, value in env.items()})
    assert (planned.status, len(planned.slices)) == (0, 2)
    assert f"Slices: 2 (records in each: 498 to 502). Requests: {len(api.requests())}\n" in planned.stderr or (
        f"Requests: {len(api.requests())}\n" in planned.stderr
    )


def test_an_empty_collection_is_one_slice(tap: Tap, api: FakeAPI) -> None:
    """A plan that is made too early would fail."""
    api.reset(records=0)
    for settled in (FILTERS, ASCENDING):
        planned = plan(tap, settings(api, **settled), "--slices", "3")
        assert (planned.status, [piece["config"] for piece in planned.slices]) == (0, [{}])


REFUSALS: dict[str, tuple[dict[str, Any], dict[str, Any], list[str], str]] = {
    "neither filter nor order": ({}, {}, ["--slices=3"], "Set start_param and end_param if the API filters by created"),
    "one filter alone": ({"start_param": "created_from"}, {}, ["--slices=3"], "Set start_param and end_param"),
    "filters that are ignored": (FILTERS, {"filters": None}, ["--slices=3"], "does not heed end_param"),
    "another order": (ASCENDING, {"sort": "-created_at"}, ["--slices=3"], "does not sort as sort_order says"),
    "no order": (ASCENDING, {"sort": "unstable"}, ["--slices=3"], "does not sort as sort_order says"),
    "no replication key": ({"replication_key": ""}, {}, ["--slices=3"], "Setting replication_key: is none"),
    "a number": ({**ASCENDING, "replication_key": "size"}, {}, ["--slices=3"], "size is an integer"),
    "counts with a ceiling": (
        FILTERS,
        {"total": {"capped": 300}, "ceiling": {"offset": 300}},
        ["--slices=3"],
        "use --every",
    ),
    "too many windows": (ASCENDING, {}, ["--every=PT1M"], "more than 10,000 slices"),
    "no duration": (ASCENDING, {}, ["--every=7d"], "is no duration of weeks, days, hours and minutes: write P7D"),
    "both": (ASCENDING, {}, ["--every=P7D", "--slices=3"], "Give one of --slices and --every"),
    "several resources": (
        {**FILTERS, "resources": [{"name": "a"}, {"name": "b"}]},
        {},
        ["--slices=3"],
        "make a plan for each",
    ),
    "a wrong key": ({**FILTERS, "api_key": "s3cret-of-nobody"}, {}, ["--slices=3"], "401 Unauthorized"),
    "a wrong setting": ({**FILTERS, "limit": "many"}, {}, ["--slices=3"], "Setting limit:"),
}


@pytest.mark.parametrize("mistake", REFUSALS)
def test_what_cannot_be_cut_is_refused_with_the_remedy(tap: Tap, api: FakeAPI, mistake: str) -> None:
    """Runs would read everything, each of them, or leave something out."""
    settled, behaviour, arguments, remedy = REFUSALS[mistake]
    fill(api, 1200, step=timedelta(hours=1))
    api.behave(**behaviour)
    planned = plan(tap, settings(api, **settled), *arguments)
    assert (planned.status > 0, planned.slices, remedy in planned.stderr) == (True, [], True), planned.stderr
    assert "Traceback" not in planned.stderr
    assert api.api_key not in planned.stderr
    assert "s3cret-of-nobody" not in planned.stderr


def test_slices_of_a_large_collection_are_even_and_take_few_requests(tap: Tap, api: FakeAPI) -> None:
    """A plan would cost as much as the copy."""
    api.reset(records=1_000_000)
    for settled, most in ((FILTERS, 6), (ASCENDING, 2)):
        asked = len(api.requests())
        planned = plan(tap, settings(api, **settled), "--slices", "40")
        sizes = [piece["records"] for piece in planned.slices]
        assert (len(sizes), sum(sizes), max(sizes) - min(sizes) <= 25_000 * 0.1) == (40, 1_000_000, True)
        assert len(api.requests()) - asked <= 40 * most


@pytest.mark.parametrize("exact", [True, False])
def test_cuts_are_found_wherever_records_are_dense(exact: bool) -> None:  # noqa: FBT001 (how counts come)
    """One day with most of the records would be a slice of its own, and the others empty."""
    moments = sorted(
        [BEGIN + timedelta(days=number) for number in range(300)]
        + [BEGIN + timedelta(days=50, seconds=number) for number in range(2700)]
    )
    asked = []

    def count(moment: datetime, rank: float, slack: float) -> Count:
        asked.append(moment)
        records = sum(each < moment for each in moments)
        if exact:
            return Count(moment, records, records)
        if records <= rank:
            return Count(moment, 0, rank)
        return (
            Count(moment, rank + slack, float("inf")) if records > rank + slack else Count(moment, rank, rank + slack)
        )

    low, high = Count(BEGIN - timedelta(days=1), 0, 0), Count(BEGIN + timedelta(days=400), 3000, 3000)
    cuts = list(balanced(count, low=low, high=high, ranks=[300.0 * number for number in range(1, 10)], slack=6))
    places = [sum(each < cut.moment for each in moments) for cut in cuts]
    assert [abs(place - 300 * number) <= 7 for number, place in enumerate(places, 1)] == [True] * 9
    assert len(asked) <= (120 if exact else 200)
