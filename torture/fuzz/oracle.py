"""What a run may come to, whatever it was given: records, or one clear error."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any

from jsonschema import Draft7Validator

from torture.fuzz import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from torture.fuzz.running import Ending

MEMORY = 200 << 20
"""Bytes."""
MOST_ERRORS = 8
"""Lines: settings are told of one a line."""
LONGEST_LINE = 5_000
LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| [A-Z]+ +\| ")
UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u2028\u2029\u202a-\u202e\ud800-\udfff]")
MISFIT = "a record that does not fit its schema"
KINDS = {"SCHEMA", "RECORD", "STATE", "ACTIVATE_VERSION", "BATCH"}


def faults_of(ending: Ending, *, plain: bool = False, mapped: bool = False) -> list[str]:
    """Return what is wrong with any run that came to this.

    plain: whether it was to write no messages. mapped: whether expressions of a person made the records.
    """
    log = ending.stderr
    faults = [
        fault
        for fault, found in {
            "did not end": ending.status is None,
            f"ended with status {ending.status}": ending.status not in (0, 1, None),
            "traceback": "Traceback (most recent call last)" in log,
            "called a defect by itself": "This should not have happened" in log,
            "memory": ending.peak > MEMORY,
            "an exit status without an error": ending.status == 1 and "| ERROR " not in log,
            "an error without an exit status": ending.status == 0 and "| ERROR " in log,
            "many errors": log.count("| ERROR ") > MOST_ERRORS,
            "an overlong line in the log": any(len(line) > LONGEST_LINE for line in log.split("\n")),
            "control characters in the log": bool(UNPRINTABLE.search(log.replace("\n", ""))),
            "a torn line in the log": not all(map(LOG_LINE.match, log.split("\n")[:-1])),
            "the API key in the log": "fuzz-secret" in log,
        }.items()
        if found
    ]
    if plain:
        return faults
    return [*faults, *(fault for fault in _faults_of_messages(ending.stdout) if not (mapped and fault == MISFIT))]


def _faults_of_messages(stdout: bytes) -> list[str]:
    if stdout and not stdout.endswith(b"\n"):
        return ["a torn line on stdout"]
    try:
        return _faults_of_lines(stdout.split(b"\n")[:-1])
    except RecursionError:  # deeper than Python reads, which is no fault of what was written
        return []


def _faults_of_lines(lines: Sequence[bytes]) -> list[str]:
    validator: Any = None
    for line in lines:
        try:
            message = values.read(line)
        except ValueError:
            return ["a line on stdout that is no JSON"]
        if not isinstance(message, dict) or message.get("type") not in KINDS:
            return ["a line on stdout that is no message"]
        if message["type"] == "SCHEMA":
            validator = Draft7Validator(_plain(message["schema"]))
        elif message["type"] == "RECORD":
            if validator is None:
                return ["a record before its schema"]
            if any(validator.iter_errors(_plain(message["record"]))):
                return [MISFIT]
    return []


def _plain(value: Any) -> Any:
    """Return a value with numbers that the validator knows; their size does not matter to it."""
    if isinstance(value, values.Number):
        return int(value[:18]) if value.lstrip("-").isdecimal() else 0.5
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def of_stream(name: str, ending: Ending) -> Ending:
    """Return what one stream of a run came to: status 0 if its verdict is that it was read to the end."""
    lines = [line for line in ending.stdout.split(b"\n") if b'"stream":"%b"' % name.encode() in line[:60]]
    log = [line for line in ending.stderr.split("\n") if f" tap-storage.{name} " in line]
    complete = any('VERDICT: {"version": 1' in line and '"verdict": "complete"' in line for line in log)
    stdout = b"".join(line + b"\n" for line in lines)
    return dataclasses.replace(ending, status=0 if complete else 1, stdout=stdout, stderr="\n".join(log))


def emitted(ending: Ending) -> list[Any]:
    """Return the records that were emitted, numbers as they are written. Raises RecursionError."""
    lines = [line for line in ending.stdout.split(b"\n") if line.startswith(b'{"type":"RECORD"')]
    try:
        return [values.read(line)["record"] for line in lines]
    except ValueError:  # which is told of for all runs
        return []


def lost_from(body: bytes, path: str, ending: Ending) -> list[str]:
    """Return what a run that read one body to its end lost of it; nothing if it failed."""
    if ending.status != 0:
        return []
    held = values.records_of(body, path)
    if held is None:
        return ["success with a body that is no JSON with a list of objects"]
    came = emitted(ending)
    if len(held) != len(came):
        return ["the number of records is another"]
    return _lost_values(held, came, ending)


def _lost_values(held: Sequence[Any], came: Sequence[Any], ending: Ending) -> list[str]:
    told, nulls = "Left out, as the schema does not have them" in ending.stderr, "and is null in such" in ending.stderr
    schemas = [line for line in ending.stdout.split(b"\n") if line.startswith(b'{"type":"SCHEMA"')]
    schema = values.read(schemas[0])["schema"] if schemas else None
    pairs = zip(held, came, strict=True)
    bad = [one for one, two in pairs if values.lost(one, two, told=told, nulls=nulls, schema=schema)]
    return ["a value was lost or changed"] if bad else []


def missing(wanted: Iterable[Any], ending: Ending) -> list[str]:
    """Return what a run that says it was complete lacks of the records with these ids."""
    if ending.status != 0:
        return []
    left = set(wanted) - {str(record.get("id")) for record in emitted(ending)}
    return ["records lost"] if left else []


def invented(known: Sequence[Mapping[str, Any]], ending: Ending) -> list[str]:
    """Return whether a run emitted a record that is like none of those it may have read."""
    strange = [
        record for record in emitted(ending) if all(values.lost(one, record, told=True, nulls=True) for one in known)
    ]
    return ["a record that the API did not send"] if strange else []
