"""What is wrong with a run, by the API's own word, the messages, and the exit status; never by what the tap says."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from torture import faults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from torture.attempt import Ended
    from torture.destination import Taken
    from torture.story import Ending, Story

MOST_MEMORY: Final = 200 << 20
OTHER_THREADS: Final = 4
"""Besides the workers: the main one, the bar's, and those that a library may have."""
CONNECTIONS: Final = 3
"""For each worker: its own, and those that failed, until they are collected."""
OTHER_SOCKETS: Final = 2
"""An event loop's pair, of the library that limits the rate."""
BY_SIGNAL: Final = {"SIGTERM": {143, -15}, "SIGINT": {130, -2}, "SIGKILL": {-9}, "pipe": {1}}

LOST: Final = "LOSES"

Records = dict[Any, dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Scene:
    """A run and all that is known of it.

    before, after: the records at the API, by id. came: ids that were added meanwhile, changed: whether any was added or
    removed. served: faults by name. worst: most faults at one offset. began: ids that the API had when the walk began
    that this run ends or goes on with. covered: ids by stream that an earlier attempt at it has brought, where none may
    come again, else empty.
    """

    story: Story
    ending: Ending
    ended: Ended
    taken: Taken
    before: Records
    after: Records
    came: frozenset[Any]
    changed: bool
    served: Counter[str]
    worst: int
    state: Mapping[str, Any]
    began: frozenset[Any]
    rows: Mapping[str, Mapping[Any, int | None]]
    covered: Mapping[str, frozenset[Any]]
    files: frozenset[str]

    @property
    def streams(self) -> list[str]:
        """The names of the streams."""
        return [each["name"] for each in self.story.config.get("resources", [{"name": "storage_data"}])]

    @property
    def disturbed(self) -> bool:
        """Whether the run was ended from outside."""
        return self.ended.heeded > 0

    @property
    def excused(self) -> bool:
        """Whether a run may fail: by an answer that is final, by too many that pass, by records that moved."""
        final = any(name in faults.FINAL for name in self.served)
        tired = self.worst > self.story.config["max_retries"]
        return final or tired or self.changed or self.story.loud or self.broken_promise

    @property
    def broken_promise(self) -> bool:
        """Whether a total promises many records where there are none, or the same page again and again."""
        repeating = self.story.behaviour["past_end"] == "repeat"
        least = (1 if self.story.config["page_overlap"] else self.story.config["limit"]) if repeating else 0
        return self.story.promising and min(len(self.before), len(self.after)) <= least


def defects(scene: Scene) -> list[str]:
    """Return what is wrong, in words."""
    return [*scene.taken.defects, *_of_the_process(scene), *_of_the_status(scene), *_of_the_records(scene)]


def _of_the_process(scene: Scene) -> Iterator[str]:
    ended, left = scene.ended, scene.ended.footprint
    stalled = sum(scene.served[name] for name in faults.SLOW)
    if ended.stuck:
        yield "does not end"
    if left.memory > MOST_MEMORY:
        yield f"takes {left.memory >> 20} MiB"
    if left.threads > scene.story.config["concurrency"] + OTHER_THREADS + stalled:
        yield f"has {left.threads} threads"
    if left.sockets > CONNECTIONS * scene.story.config["concurrency"] + OTHER_SOCKETS + stalled:
        yield f"has {left.sockets} connections"
    if left.processes:
        yield f"leaves {left.processes} processes behind"
    unnamed = scene.files - {str(path) for path in scene.taken.files}
    if ended.status >= 0 and (left.files or (unnamed and scene.ending.kind != "pipe")):
        yield f"leaves files behind: {[*left.files, *unnamed]}"
    if "demo-key" in ended.stderr:
        yield "prints the API key"
    started = bool(ended.stdout)
    if started and ("Traceback" in ended.stderr or "should not have happened" in ended.stderr):
        yield "ends in a traceback"
    if ended.status >= 0 and scene.ending.kind != "pipe" and ended.stdout[-1:] not in (b"", b"\n"):
        yield "leaves half a line"


def _of_the_status(scene: Scene) -> Iterator[str]:
    ended = scene.ended
    status = ended.status
    if status not in {0, 1} | (BY_SIGNAL[scene.ending.kind] if scene.disturbed else set()):
        yield f"exits with {status}"
    if status in (-15, -2) and ended.stdout[-1:] not in (b"", b"\n"):
        yield "is ended by a signal in the middle of a line"
    if status == 0 and '"verdict": "incomplete"' in ended.stderr:
        yield "exits with 0 and says that it is incomplete"
    if status == 1 and not scene.disturbed:
        if "ERROR" not in ended.stderr:
            yield "exits with 1 and no error"
        if not scene.excused:
            yield f"fails without a reason: {_last_error(ended.stderr)}"


def _of_the_records(scene: Scene) -> Iterator[str]:
    known = {**scene.after, **scene.before}
    for stream in scene.streams:
        emitted = scene.taken.emitted.get(stream, Counter())
        records = scene.taken.records.get(stream, {})
        if unknown := [each for each in emitted if each not in known and each not in scene.came]:
            yield f"{stream}: has {len(unknown)} records that the API never had: {unknown[:3]}"
        if not (scene.changed or scene.story.unordered) and (
            twice := [each for each, times in emitted.items() if times > 1]
        ):
            yield f"{stream}: brings {len(twice)} records twice: {twice[:3]}"
        if again := scene.covered.get(stream, frozenset()) & emitted.keys():
            yield f"{stream}: brings {len(again)} records again that a state had covered: {sorted(again)[:3]}"
        wrong = [each for each, record in records.items() if each in known and not _same(record, known[each])]
        if wrong:
            yield f"{stream}: has other values in {len(wrong)} records: {records[wrong[0]]} for {known[wrong[0]]}"
        if unasked := [each for each in records if each in known and not _belongs(scene, stream, known[each])]:
            yield f"{stream}: brings {len(unasked)} records that are older than the bookmark: {unasked[:3]}"
        if scene.ended.status == 0:
            missing = (scene.began & scene.after.keys()) - scene.rows.get(stream, {}).keys()
            if missing:
                yield f"{stream}: {LOST} {len(missing)} records: {sorted(missing)[:5]}"


def _same(record: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
    own = {"origin": "api"}  # of a stream map
    return all((name in known and value == known[name]) or own.get(name) == value for name, value in record.items())


def _belongs(scene: Scene, stream: str, record: Mapping[str, Any]) -> bool:
    bookmark = scene.state.get("bookmarks", {}).get(stream, {}).get("replication_key_value")
    if bookmark is None:
        return True
    start = _instant(bookmark) - timedelta(seconds=scene.story.config["lookback_window"])
    return _instant(record["created_at"]) >= start


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def _last_error(stderr: str) -> str:
    return next((line for line in reversed(stderr.splitlines()) if "ERROR" in line), "no error")[:400]
