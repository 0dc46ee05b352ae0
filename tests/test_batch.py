"""BATCH messages: files that hold exactly what RECORD messages would."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Run, Tap


def batch(root: Path, compression: str | None = "gzip", size: int | None = None) -> dict[str, Any]:
    """Return the SDK's setting for files in a directory."""
    encoding = {"format": "jsonl"} | ({"compression": compression} if compression else {})
    config: dict[str, Any] = {"encoding": encoding, "storage": {"root": root.as_uri(), "prefix": "part-"}}
    return config | ({"batch_size": size} if size else {})


def loaded(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the records of the files that a BATCH message names, read as it says."""
    records = []
    for url in message["manifest"]:
        path = urlsplit(url).path
        opened = gzip.open if message["encoding"].get("compression") == "gzip" else open
        with opened(path, "rt", encoding="utf-8", newline="\n") as lines:
            records += [json.loads(line, parse_float=Decimal) for line in lines]
    return records


def by_stream(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a run by the names of the streams, of RECORD and of BATCH messages."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in run.messages:
        if message["type"] == "RECORD":
            found.setdefault(message["stream"], []).append(message["record"])
        if message["type"] == "BATCH":
            found.setdefault(message["stream"], []).extend(loaded(message))
    return found


MAPS: dict[str, Any] = {
    "storage_data": {"id": "id", "size": "size * 2 if size else None", "__filter__": "is_public", "__else__": None},
    "copies": {"__source__": "storage_data", "name": "name.upper() if name else None"},
}
WAYS: dict[str, dict[str, Any]] = {
    "the page lane": {},
    "stream maps": {"stream_maps": MAPS},
    "flattening": {"flattening_enabled": True, "flattening_max_depth": 2},
}


@pytest.mark.parametrize("compression", ["gzip", "none", None])
@pytest.mark.parametrize("way", WAYS)
def test_the_files_hold_what_record_messages_would(
    tap: Tap, api: FakeAPI, tmp_path: Path, way: str, compression: str | None
) -> None:
    """Fields that were not selected would reach the destination, or records be missing."""
    config = settings(api, **WAYS[way])
    catalog = tap.discover(config)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] in (["properties", "checksum"], ["properties", "metadata", "properties", "owner"]):
            entry["metadata"]["selected"] = False
    plain = tap(config, catalog=catalog)
    files = tap({**config, "batch_config": batch(tmp_path / "files", compression)}, catalog=catalog)
    assert (plain.status, files.status) == (0, 0), files.stderr
    assert by_stream(files) == by_stream(plain)
    assert not files.records
    assert files.bookmark == plain.bookmark
    assert files.verdict["records"] == plain.verdict["records"]
    assert {path.suffix for path in (tmp_path / "files").iterdir()} == {".gz" if compression == "gzip" else ".jsonl"}
    assert all(path.name.startswith("part-") for path in (tmp_path / "files").iterdir())


def test_a_state_comes_after_the_message_that_it_covers(tap: Tap, api: FakeAPI, tmp_path: Path) -> None:
    """A crash of the destination would lose the records between the two."""
    api.reset(records=1000)
    run = tap(settings(api, batch_config=batch(tmp_path, size=300)))
    kinds = [message["type"] for message in run.messages]
    assert kinds[0] == "SCHEMA"
    assert kinds[1:] == ["BATCH", "STATE"] * (len(kinds) // 2)
    covered = 0
    for message in run.messages:
        if message["type"] == "BATCH":
            covered += len(loaded(message))
        walk = message.get("value", {}).get("bookmarks", {}).get("storage_data", {}).get("walk")
        if walk:
            assert walk["records"] == covered
    assert covered == 1000


def test_a_run_that_failed_is_gone_on_with(tap: Tap, api: FakeAPI, tmp_path: Path) -> None:
    """Records of a file that no message names would be taken for loaded."""
    api.reset(records=1000)
    api.behave(faults=[{"from": 6, "kind": "status", "status": 403}])
    config = settings(api, batch_config=batch(tmp_path, size=300))
    first = tap(config)
    api.behave(faults=[])
    second = tap(config, state=first.state)
    assert (first.status, second.status) == (1, 0)
    ids = [record["id"] for run in (first, second) for record in by_stream(run)["storage_data"]]
    assert ids == [record["id"] for record in api.records()]


def test_no_version_is_activated(tap: Tap, api: FakeAPI, tmp_path: Path) -> None:
    """Rows from files have no version, so that the destination would drop all of them."""
    config = settings(api, replication_key="", emit_activate_version_messages=True, batch_config=batch(tmp_path))
    run = tap(config)
    assert run.status == 0
    assert "ACTIVATE_VERSION" not in {message["type"] for message in run.messages}
    assert "No rows are dropped at the destination" in run.stderr


WRONG: list[dict[str, Any]] = [
    {"encoding": {"format": "parquet"}, "storage": {"root": "file:///tmp"}},
    {"encoding": {"format": "jsonl"}},
    {"encoding": {"format": "jsonl"}, "storage": {}},
    {"encoding": {"format": "jsonl", "compression": "zip"}, "storage": {"root": "file:///tmp"}},
    {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///tmp"}, "batch_size": 0},
    {"encoding": {"format": "jsonl"}, "storage": {"root": "file:///tmp"}, "size": 10},
]


@pytest.mark.parametrize("wrong", WRONG, ids=json.dumps)
def test_a_wrong_setting_is_refused(tap: Tap, api: FakeAPI, wrong: dict[str, Any]) -> None:
    """It would end in a traceback, or be ignored."""
    run = tap(settings(api, batch_config=wrong))
    assert (run.status, len(run.errors), len(api.requests())) == (1, 1, 0)
    assert run.errors[0].startswith("Setting batch_config: must be an object such as {")


@pytest.mark.parametrize("root", ["file:///proc/nothing", "nowhere://bucket/path"])
def test_files_that_cannot_be_written_end_the_run(tap: Tap, api: FakeAPI, root: str) -> None:
    """A person would have to read a traceback, or records be lost."""
    run = tap(settings(api, batch_config={"encoding": {"format": "jsonl"}, "storage": {"root": root}}))
    assert (run.status, [message["type"] for message in run.messages]) == (1, ["SCHEMA"])
    assert len(run.errors) == 1
    assert run.errors[0].startswith("The files of batch_config cannot be written (")
