"""What a release has written is read by this version: states of finished and interrupted runs, and a catalog."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tap_storage.bookmarks import parse_instant
from tests.releases.scenes import CATALOG, DESELECTED, RECORDS, SCENES, Scene, directory, through, versions
from tests.test_package import VERSION

if TYPE_CHECKING:
    from datetime import datetime

    from demo.control import FakeAPI
    from tests.running import Run, Tap

LOOKBACK_S = 300
NEW = 50
KEPT = [(version, path.stem) for version in versions() for path in sorted(directory(version).glob("*.json"))]
FINISHED = [(version, name) for version, name in KEPT if name.startswith("finished")]
INTERRUPTED = [(version, name) for version, name in KEPT if name.startswith("interrupted")]


def load(version: str, name: str) -> dict[str, Any]:
    """Return the content of a release's file."""
    content: dict[str, Any] = json.loads((directory(version) / name).read_text(encoding="utf-8"))
    return content


def bookmarks(version: str, name: str) -> dict[str, dict[str, Any]]:
    """Return the states of a release's streams."""
    streams: dict[str, dict[str, Any]] = load(version, f"{name}.json")["bookmarks"]
    return streams


def read_on(tap: Tap, api: FakeAPI, scene: Scene, version: str, name: str) -> Run:
    """Run the tap from a release's state."""
    run = tap(scene.settings, state=load(version, f"{name}.json"), env=through(api))
    assert run.status == 0, run.stderr
    return run


def ids(run: Run) -> dict[str, list[str]]:
    """Return the ids that were emitted, by stream."""
    found: dict[str, list[str]] = {}
    for message in run.messages:
        if message["type"] == "RECORD":
            found.setdefault(message["stream"], []).append(message["record"]["id"])
    return found


def instant(text: str) -> datetime:
    """Return the instant that a record or a state names."""
    moment = parse_instant(text)
    assert moment, text
    return moment


def due(api: FakeAPI, state: dict[str, Any]) -> set[str]:
    """Return the ids that a run from the state of a stream has to emit."""
    if "replication_key_value" not in state:
        return {record["id"] for record in api.records()}
    since = instant(state["replication_key_value"])
    return {
        record["id"]
        for record in api.records()
        if (since - instant(record["created_at"])).total_seconds() <= LOOKBACK_S
    }


@pytest.mark.parametrize(("version", "name"), FINISHED)
def test_a_bookmark_of_an_older_release_is_honoured(tap: Tap, version: str, name: str) -> None:
    """After an upgrade, everything would be copied again, or what is new since then never."""
    scene, states = SCENES[name], bookmarks(version, name)
    with scene.api() as api:
        api.insert(NEW)
        run = read_on(tap, api, scene, version, name)
        assert {stream: set(emitted) for stream, emitted in ids(run).items()} == {
            stream: due(api, state) for stream, state in states.items()
        }
    for state in states.values():
        if "replication_key_value" in state:
            assert NEW < len(run.records) < NEW * len(states) + RECORDS * 2
        if "table_version" in state:
            (activated,) = (message["version"] for message in run.messages if message["type"] == "ACTIVATE_VERSION")
            assert activated > state["table_version"]


def left(api: FakeAPI, scene: Scene, state: dict[str, Any]) -> list[str]:
    """Return the ids that are left to read for a stream, in the API's order."""
    in_order = [record["id"] for record in api.records()][:: -1 if scene.behaviour.get("sort") else 1]
    if "walk" not in state:
        return in_order
    covered: int = state["walk"]["records"]
    return in_order[covered:]


@pytest.mark.parametrize(("version", "name"), INTERRUPTED)
def test_an_interrupted_run_of_an_older_release_is_gone_on_with(tap: Tap, version: str, name: str) -> None:
    """An upgrade between two attempts at a large collection would begin it anew, or leave a part of it out."""
    scene, states = SCENES[name], bookmarks(version, name)
    interrupted = {stream: state for stream, state in states.items() if state.get("walk", {}).get("records")}
    with scene.api() as api:
        run = read_on(tap, api, scene, version, name)
        emitted = ids(run)
        assert {stream: emitted[stream] for stream in interrupted} == {
            stream: left(api, scene, state) for stream, state in interrupted.items()
        }
    assert interrupted
    assert run.stderr.count("Going on where the interrupted run was") == len(interrupted)
    walks = [state["walk"] for state in run.state["bookmarks"].values() if "walk" in state]
    assert [walk for walk in walks if not walk.get("finished")] == []


@pytest.mark.parametrize("version", versions())
def test_a_catalog_of_an_older_release_is_accepted_with_its_selection(tap: Tap, version: str) -> None:
    """A pinned catalog would break with the upgrade, or fields come back that were left out on purpose."""
    scene = Scene()
    with scene.api() as api:
        run = tap(scene.settings, catalog=load(version, CATALOG), env=through(api))
        expected = [{name: value for name, value in record.items() if name != DESELECTED} for record in api.records()]
    assert (run.status, [set(record) for record in run.records]) == (0, [set(record) for record in expected])
    assert run.ids == [record["id"] for record in expected]


def test_what_this_version_writes_is_kept() -> None:
    """The next release could not be held against it."""
    assert VERSION in versions()
    assert {path.stem for path in directory(VERSION).glob("*.json")} == {*SCENES, CATALOG.removesuffix(".json")}
