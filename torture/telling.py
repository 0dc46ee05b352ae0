"""Lets a story happen: attempt after attempt, the state carried on as a target would, and two more left in peace."""

from __future__ import annotations

import dataclasses
import json
import shutil
import tempfile
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, Final

from demo.control import FakeAPI
from demo.fake_api.records import created
from tests.running import Tap
from torture import faults, judge
from torture.attempt import attempt
from torture.destination import Destination
from torture.figures import Figures
from torture.story import Attempt, Story, draw

if TYPE_CHECKING:
    from collections.abc import Mapping

UNDISTURBED: Final = Attempt()
CLOCK_S: Final = 60
"""How far the API's clock is behind its newest record, so that a run ends before it: what comes later is newer."""


@dataclasses.dataclass
class Outcome:
    """What a story came to. defects: in words."""

    number: int
    figures: Figures = dataclasses.field(default_factory=Figures)
    defects: list[str] = dataclasses.field(default_factory=list)

    @property
    def lost(self) -> bool:
        """Whether a record was lost without a word."""
        return any(judge.LOST in defect for defect in self.defects)


def tell(seed: str, number: int) -> Outcome:
    """Draw a story, and let it happen."""
    rng = Random(f"{seed}/{number}")
    story = draw(rng)
    outcome = Outcome(number)
    outcome.figures.stories[story.mode] += 1
    directory = Path(tempfile.mkdtemp(prefix="tap-storage-torture-"))
    with FakeAPI(records=story.records, **story.behaviour) as api:
        Teller(story, api, directory, rng, outcome).tell()
    if not outcome.defects:
        shutil.rmtree(directory)
    return outcome


class Teller:
    """One story as it happens."""

    def __init__(self, story: Story, api: FakeAPI, directory: Path, rng: Random, outcome: Outcome) -> None:
        self._story, self._api, self._directory, self._rng, self._outcome = story, api, directory, rng, outcome
        self._destination = Destination()
        self._entry = self._request = 0
        self._newest = story.records
        self._began: frozenset[Any] | None = None
        """What the API had when the walk began that has not come to an end yet."""
        self._covered: dict[str, frozenset[Any]] = {}
        self._repeats = False
        self._files = directory / "batch"

    def tell(self) -> None:
        """Let it happen; defects are added to the outcome."""
        options = self._options()
        for number, each in enumerate([*self._story.attempts, UNDISTURBED, UNDISTURBED]):
            found = self._attempt(each, options)
            self._outcome.defects += [f"attempt {number} ({each.ending.kind}): {defect}" for defect in found]
            if found:
                break
        else:
            self._outcome.defects += [f"at the end: {defect}" for defect in self._at_the_end()]
        if self._outcome.defects:
            self._outcome.defects.append(f"kept in {self._directory}")

    def _options(self) -> list[str]:
        story = self._story
        config: dict[str, Any] = {
            "base_url": self._api.url,
            "api_key": self._api.api_key,
            "backoff_factor": 0,
            "timeout": 1,
            **story.config,
        }
        if story.batch:
            encoding = {"format": "jsonl", "compression": "gzip"}
            storage = {"root": self._files.as_uri()}
            config["batch_config"] = {"encoding": encoding, "storage": storage, "batch_size": 500}
        tap = Tap(self._directory)
        options = ["--config", str(tap.write("config.json", json.dumps(config, indent=1)))]
        if story.selection is not None:
            catalog = tap.discover(config)
            meant = [["properties", field] for field in story.selection]
            for entry in (entry for stream in catalog["streams"] for entry in stream["metadata"]):
                entry["metadata"]["selected"] = entry["breadcrumb"] not in meant
            options += ["--catalog", str(tap.write("catalog.json", json.dumps(catalog)))]
        return options

    def _attempt(self, told: Attempt, options: list[str]) -> list[str]:
        scheduled = self._prepare(told)
        before = self._snapshot()
        self._repeats |= self._story.blind and bool(told.before)
        if self._began is None:
            self._began = frozenset(before)
            self._covered, self._repeats = {}, False
        state = self._destination.state
        if state:
            path = self._directory / "state.json"
            path.write_text(json.dumps(state), encoding="utf-8")
            options = [*options, "--state", str(path)]
        shutil.rmtree(self._files, ignore_errors=True)
        self._files.mkdir()
        ended = attempt(options, self._directory, told.ending)
        (self._directory / "stdout").write_bytes(ended.stdout)
        taken = self._destination.take(ended.stdout, complete=ended.status == 0)
        self._api.behave(faults=[], changes=[])
        after = self._snapshot()
        entries = self._entries()
        journal = "".join(f"{json.dumps(entry)}\n" for entry in entries)
        (self._directory / "journal").write_text(journal, encoding="utf-8")
        faulty = [each for each in entries if each["kind"] == "request" and each["fault"]]
        at = Counter(each["offset"] for each in faulty)
        changed = any(entry["kind"] != "request" for entry in entries)
        scene = judge.Scene(
            story=self._story,
            ending=told.ending,
            ended=ended,
            taken=taken,
            before=before,
            after=after,
            came=frozenset(each for entry in entries if entry["kind"] == "insert" for each in entry["ids"]),
            changed=changed,
            served=Counter(scheduled.get(each["request"], "unscheduled") for each in faulty),
            worst=max(at.values(), default=0),
            state=state,
            began=self._began,
            rows=self._destination.rows,
            covered={} if self._repeats or changed else self._covered,
            files=frozenset(str(path) for path in self._files.iterdir()),
        )
        self._count(scene, entries)
        found = judge.defects(scene)
        self._remember(scene)
        return found

    def _prepare(self, told: Attempt) -> Mapping[int, str]:
        """Change the collection, set the clock, and lay out what goes wrong; return faults by the request's number."""
        for change in told.before:
            if change["op"] == "insert":
                self._api.insert(change["count"], at=change["at"])
            else:
                self._api.delete(count=change["count"], at=change["at"])
        self._entries()
        first, requests = self._request + 1, faults.SPARE * self._story.requests
        laid = faults.storm(self._rng, first, requests) if told.storm else []
        laid += faults.schedule(self._rng, first, requests, told.share) if told.share else []
        during = [
            {**change, "after": change["after"] + self._request} if "after" in change else change
            for change in told.during
        ]
        clock = created(max(1, self._newest)) - CLOCK_S
        self._api.behave(faults=laid, changes=during, date_skew_s=clock - time.time())
        return faults.by_number(laid)

    def _snapshot(self) -> judge.Records:
        """Return the records at the API by id, numbers with a fraction as decimals."""
        return {record["id"]: record for record in self._api.records(parse_float=Decimal)}

    def _entries(self) -> list[dict[str, Any]]:
        """Return what the journal has that is new."""
        entries = self._api.journal(since=self._entry)
        self._entry = entries[-1]["n"] if entries else self._entry
        self._request = max([self._request, *(entry["request"] or 0 for entry in entries)])
        self._newest += sum(len(entry["ids"]) for entry in entries if entry["kind"] == "insert")
        return entries

    def _remember(self, scene: judge.Scene) -> None:
        """Go on with the walk, or end it."""
        if scene.ended.status == 0:
            self._began = None
            return
        self._repeats |= scene.changed or any(name in faults.FINAL for name in scene.served) or self._story.loud
        for name in scene.streams:
            so_far = self._covered.get(name, frozenset()) | scene.taken.covered.get(name, frozenset())
            walk = self._destination.state.get("bookmarks", {}).get(name, {}).get("walk", {"finished": True})
            self._covered[name] = frozenset() if "finished" in walk else so_far

    def _at_the_end(self) -> list[str]:
        """Return what is wrong after two runs that nobody disturbed: all must be there."""
        if self._began is not None and self._story.loud:
            return []  # it cannot be read, and every run said so
        present = set(self._snapshot())
        found = []
        for stream, rows in self._destination.rows.items():
            if missing := present - rows.keys():
                found.append(f"{stream}: {judge.LOST} {len(missing)} records: {sorted(missing)[:5]}")
        return found

    def _count(self, scene: judge.Scene, entries: list[dict[str, Any]]) -> None:
        kinds = Counter(entry["kind"] for entry in entries)
        ids = {kind: sum(len(entry["ids"]) for entry in entries if entry["kind"] == kind) for kind in kinds}
        run = Figures(
            runs=1,
            requests=kinds["request"],
            checked=sum(map(len, scene.taken.records.values())),
            came=ids.get("insert", 0),
            went=ids.get("delete", 0),
            endings=Counter([scene.ending.kind if scene.disturbed else "none"]),
            statuses=Counter([str(scene.ended.status)]),
            served=scene.served,
            messages=scene.taken.kinds,
            memory=scene.ended.footprint.memory,
            longest=scene.ended.seconds,
        )
        self._outcome.figures.include(run)
