"""A destination as strict as can be: only what a STATE that was read covers is there after a run."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

Record = dict[str, Any]


class Taken:
    """What a run brought, by stream.

    emitted: how often each id came. covered: those that a STATE followed. records: the last of each id. files: that
    BATCH messages name. kinds: of messages; last: the last one's. defects: in words.
    """

    def __init__(self) -> None:
        self.emitted: dict[str, Counter[Any]] = {}
        self.covered: dict[str, set[Any]] = {}
        self.records: dict[str, dict[Any, Record]] = {}
        self.files: set[Path] = set()
        self.defects: list[str] = []
        self.kinds: Counter[str] = Counter()
        self.last = ""


class Destination:
    """Tables that are kept between runs. rows: by stream and id, with the version that brought them."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}
        self.rows: dict[str, dict[Any, int | None]] = {}

    def take(self, stdout: bytes, *, complete: bool) -> Taken:
        """Read a run's output; what no STATE covers is forgotten again, unless the run is complete."""
        taken = Taken()
        properties: dict[str, set[str]] = {}
        waiting: list[tuple[str, Any, int | None]] = []
        for line in stdout[: stdout.rfind(b"\n") + 1].split(b"\n")[:-1]:
            try:
                message = json.loads(line, parse_float=Decimal)
            except ValueError:
                taken.defects.append("a line is no JSON")
                continue
            taken.last = kind = message["type"]
            taken.kinds[kind] += 1
            if kind == "SCHEMA":
                properties[message["stream"]] = set(message["schema"]["properties"])
            elif kind in ("RECORD", "BATCH"):
                if message["stream"] not in properties:
                    taken.defects.append(f"{kind} before SCHEMA")
                waiting += self._records(message, properties.get(message["stream"], set()), taken)
            elif kind == "ACTIVATE_VERSION":
                waiting.append((message["stream"], None, message["version"]))
            elif kind == "STATE":
                self._commit(waiting, taken)
                waiting = []
                self.state = message["value"]
        if complete:
            self._commit(waiting, taken)
        return taken

    def _records(
        self, message: dict[str, Any], properties: set[str], taken: Taken
    ) -> list[tuple[str, Any, int | None]]:
        stream = message["stream"]
        records = [message["record"]] if message["type"] == "RECORD" else _from_files(message["manifest"], taken)
        emitted, kept = taken.emitted.setdefault(stream, Counter()), taken.records.setdefault(stream, {})
        for record in records:
            emitted[record["id"]] += 1
            kept[record["id"]] = record
            if not properties.issuperset(record):
                taken.defects.append("a record has fields that the SCHEMA does not declare")
        return [(stream, record["id"], message.get("version")) for record in records]

    def _commit(self, waiting: list[tuple[str, Any, int | None]], taken: Taken) -> None:
        for stream, identifier, version in waiting:
            rows = self.rows.setdefault(stream, {})
            if identifier is not None:
                rows[identifier] = version
                taken.covered.setdefault(stream, set()).add(identifier)
            else:
                self.rows[stream] = {each: held for each, held in rows.items() if held == version}


def _from_files(manifest: list[str], taken: Taken) -> list[Record]:
    paths = [Path(url2pathname(urlsplit(name).path)) for name in manifest]
    taken.files.update(paths)
    lines = (line for path in paths for line in gzip.decompress(path.read_bytes()).split(b"\n") if line)
    return [json.loads(line, parse_float=Decimal) for line in lines]
