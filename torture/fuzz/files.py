"""Cases of what a person passes: states, catalogs and configs, nearly right."""

from __future__ import annotations

import dataclasses
import json
import re
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from torture.fuzz import oracle, values
from torture.fuzz.cases import COLLECTION, FIELDS, IDS, SIZE, Case, config, paged, well
from torture.fuzz.mutations import broken_text, broken_tree, chance, dump, odd_value
from torture.fuzz.running import run_here
from torture.fuzz.serving import answer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from random import Random

    from torture.fuzz.running import Ending
    from torture.fuzz.serving import RawServer

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
NARROWING = {
    "start_date", "end_date", "initial_offset", "maximum_offset", "start_param", "end_param", "resources", "params",
    "stream_maps", "offset_param",
}  # fmt: skip
"""Settings by which a run may read less than all there is."""
WAITING = {
    "backoff_factor": (0, 0.01),
    "requests_per_second": (100, 10**9),
    "max_backoff": (0, 0.01),
    "timeout": (0.5, 30),
}
"""Settings that can make a run slow because it was told to be, and bounds between which they do not."""
FULL = {
    "auth_param": "api_key", "auth_location": "query", "headers": {"X-Tenant": "acme"}, "user_agent": "fuzz/1",
    "max_backoff": 0, "retry_statuses": [429, 500], "concurrency": 2, "requests_per_second": 1000,
    "start_date": "2023-01-01T00:00:00Z", "end_date": "2030-01-01", "emit_activate_version_messages": True,
    "infer_schema": False, "on_misfit": "fail", "path": "/v1/resource", "params": {"sort": "id", "f": ["a", "b"]},
    "data_selector": "data", "limit_param": "limit", "offset_param": "offset", "initial_offset": 0,
    "total_path": "total",
    "maximum_offset": 100, "page_overlap": 1, "primary_keys": ["id"], "replication_key": "created_at",
    "start_param": "since",
    "end_param": "until", "datetime_format": "%Y-%m-%dT%H:%M:%SZ", "sort_order": "ascending", "lookback_window": 60,
    "resources": [{"name": "one", "limit": 4}, {"name": "two", "path": "/v2", "params": {"a": "b"}}],
    "schema": {"type": "object", "properties": {"id": {"type": "string"}, "created_at": {"type": "string",
    "format": "date-time"},
                                                **FIELDS}},
    "batch_config": {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": {"root": "file://out",
    "prefix": "x-"},
                     "batch_size": 5},
    "stream_maps": {"*": {"fresh": "size", "__filter__": "True"}}, "stream_map_config": {"a": 1},
    "flattening_enabled": True, "flattening_max_depth": 2,
    "faker_config": {"seed": 1},
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Known:
    """Files that the tap itself wrote, to be broken. directory: for those of the runs that write them."""

    server: RawServer
    directory: Path

    @property
    def url(self) -> str:
        """Where the API is."""
        return self.server.url

    @property
    def settings(self) -> dict[str, Any]:
        """The config with which the files belong together."""
        return config(self.url, lookback_window=0, concurrency=1)

    def _run(self, settings: Mapping[str, Any], *options: str) -> Ending:
        path = self.directory / "known.json"
        path.write_text(json.dumps(settings))
        return run_here(["--config", str(path), *options])

    @cached_property
    def catalog(self) -> Any:
        """What `--discover` writes."""
        self.server.serve(well)
        return json.loads(self._run(self.settings, "--discover").stdout)

    @cached_property
    def states(self) -> list[tuple[dict[str, Any], Any, list[Any]]]:
        """States with their settings, and the ids that the run before need not emit again, whatever the state says."""
        found = []
        for settings, pages in (
            (self.settings, 99),
            (self.settings, 3),
            (self.settings | {"sort_order": "ascending"}, 99),
            (self.settings | {"replication_key": "", "emit_activate_version_messages": True}, 3),
        ):
            self.server.serve(partial(_until, pages))
            ending = self._run(settings)
            lines = [line for line in ending.stdout.split(b"\n") if line.startswith(b'{"type":"STATE"')]
            ids = [record["id"] for record in oracle.emitted(ending)]
            found.append((settings, json.loads(lines[-1])["value"], ids if len(ids) < SIZE else []))
        return found


def _until(most: int, number: int, parameters: dict[str, str]) -> bytes:
    """Answer so many requests as an API should, and refuse the others."""
    return answer(paged(parameters)) if number < most else answer(b"", status="400 x")


def _broken(random: Random, tree: Any) -> bytes:
    if chance(random, 0.25):
        return broken_text(random, dump(tree).encode())
    return dump(broken_tree(random, tree, times=random.choice((1, 1, 2, 4)))).encode("utf-8", "surrogatepass")


def state(random: Random, known: Known) -> Case:
    """Return a case with a state that is nearly right: what it does not say was read has to arrive."""
    settings, valid, read = random.choice(known.states)
    almost = chance(random, 0.9)
    text = _broken(random, valid) if almost else dump(odd_value(random)).encode("utf-8", "surrogatepass")

    def judge(ending: Ending) -> list[str]:
        try:
            told = values.find(values.read(text), "bookmarks.storage_data") or {}
        except ValueError:
            return ["success with a state that is no JSON"] if ending.status == 0 else []
        mark = told.get("replication_key_value") if isinstance(told, dict) else None
        if mark is not None and not (isinstance(mark, str) and INSTANT.fullmatch(mark)):
            return []
        past = {each["id"] for each in COLLECTION if mark and each["created_at"] < mark}
        return oracle.missing(set(IDS) - past - set(read), ending)

    files = {"config": json.dumps(settings).encode(), "state": text}
    return Case("state", files, well, judge, almost=int(almost))


def catalog(random: Random, known: Known) -> Case:
    """Return a case with a catalog that is nearly right: all records arrive, or none."""
    almost = chance(random, 0.95)
    text = _broken(random, known.catalog) if almost else dump(odd_value(random)).encode("utf-8", "surrogatepass")

    def judge(ending: Ending) -> list[str]:
        if ending.status or b'"type":"SCHEMA"' not in ending.stdout:
            return []
        return [] if len(oracle.emitted(ending)) == SIZE else ["records lost"]

    settings = known.settings | {"infer_schema": chance(random, 0.5)}
    files = {"config": json.dumps(settings).encode(), "catalog": text}
    return Case("catalog", files, well, judge, almost=int(almost))


def settings(random: Random, known: Known) -> Case:
    """Return a case with a config that is nearly right, of a few settings or of many."""
    names = random.sample(sorted(FULL), random.choice((1, 1, 2, 3, 6)))
    tree = config(known.url, concurrency=1) | {name: FULL[name] for name in names}
    if chance(random, 0.2):
        text = broken_text(random, dump({name: tree[name] for name in tree if name != "batch_config"}).encode())
    else:
        chosen = broken_tree(random, {name: tree.pop(name) for name in names}, times=random.choice((1, 1, 2, 3)))
        tree |= chosen if isinstance(chosen, dict) else {names[0]: chosen}
        if chance(random, 0.1):
            tree = broken_tree(random, tree)
        text = dump(_tamed(tree)).encode("utf-8", "surrogatepass")
    option = random.choice(("", "", "", "", "", "--discover", "--test"))

    def judge(ending: Ending) -> list[str]:
        complete = b'"type":"STATE"' in ending.stdout and '"verdict": "complete"' in ending.stderr
        try:
            given = values.read(text)
        except (ValueError, RecursionError):
            return []
        if (
            option
            or not isinstance(given, dict)
            or not complete
            or NARROWING & given.keys()
            or b'"type":"BATCH"' in ending.stdout
        ):
            return []
        count = ending.stdout.count(b'{"type":"RECORD"')
        return [] if count == SIZE else ["records lost, and called complete"]

    return Case(
        "config",
        {"config": text},
        well,
        judge,
        options=[option] if option else [],
        plain=bool(option),
        mapped=b"stream_map" in text,
    )


def _tamed(tree: Any) -> Any:
    """Return settings that do not ask for long waits, nor write anywhere but into the directory of the run."""
    if not isinstance(tree, dict):
        return tree
    for name, (least, most) in WAITING.items():
        try:
            number = float(str(tree[name]))
        except (KeyError, TypeError, ValueError):
            continue
        if not least <= number <= most:
            tree[name] = least
    batch = tree.get("batch_config")
    storage = batch.get("storage") if isinstance(batch, dict) else None
    if isinstance(storage, dict) and str(storage.get("root")).lstrip().startswith(("/", "file:///", "..")):
        storage["root"] = "file://out"
    return tree
