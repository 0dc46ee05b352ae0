"""What a contender wrote: its records, its last state, whether their values are exact, whether the key is among it."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from benchmarks.hazards_put import SPOILED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from benchmarks.contender import Task
    from benchmarks.hazards_put import Hazard


def altered(hazard: Hazard, records: Sequence[dict[str, Any]]) -> int:
    """Return how many of the hazard's values did not come as they were; as text, they are as good."""
    if not hazard.field or not hazard.field[1]:
        return 0
    name, value = hazard.field[0], json.loads(hazard.field[1], parse_float=Decimal)
    spoiled = {record["id"]: record for record in records if str(record["id"]).endswith(SPOILED)}
    return sum(_plain(record.get(name)) != value for record in spoiled.values())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, str):
        with suppress(ValueError):
            return json.loads(value, parse_float=Decimal)
    return value


def _messages(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            with suppress(ValueError):
                message = json.loads(line, parse_float=Decimal)
                if isinstance(message, dict) and line.endswith(b"\n"):
                    yield message


def records_of(task: Task) -> Iterator[dict[str, Any]]:
    """Yield the records of all RECORD messages, of Singer's form or of Airbyte's."""
    for path in task.directory.glob("stdout*"):
        for message in _messages(path):
            if message.get("type") == "RECORD":
                record = message["record"]
                yield record["data"] if "emitted_at" in record else record


def state_of(task: Task) -> list[str]:
    """Return the arguments that hand over the last state that was written; none without one."""
    last = [message for message in _messages(task.stdout) if message.get("type") == "STATE"][-1:]
    states = [[message["state"]] if "state" in message else message["value"] for message in last]
    return ["--state", task.write("state.json", states[0])] if states else []


def leaked(task: Task) -> bool:
    """Tell whether the key is anywhere in what it wrote to its standard output or error, percent-encoded or not."""
    keys = {task.api_key, *(quote(task.api_key, safe=safe) for safe in ("", "/", "/+=", "+="))}
    output = [path.read_bytes() for name in ("stdout*", "stderr*") for path in task.directory.glob(name)]
    return any(key.encode() in text for text in output for key in keys)
