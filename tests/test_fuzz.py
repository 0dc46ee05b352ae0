"""Whatever the outside sends or passes, a run ends in records or in one clear error: the short form, and its judge."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from torture.fuzz import oracle
from torture.fuzz.cases import COLLECTION, config, page
from torture.fuzz.mutations import dump
from torture.fuzz.running import run_installed
from torture.fuzz.serving import RawServer, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.fuzz.running import Ending

ROOT = Path(__file__).resolve().parent.parent
BODY = dump(page(COLLECTION[:4], 4)).encode()


def fuzz(*options: str) -> subprocess.CompletedProcess[str]:
    """Run the fuzzer's command."""
    command = [sys.executable, "-m", "torture.fuzz", *options]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)


@pytest.fixture(scope="module")
def ending(tmp_path_factory: pytest.TempPathFactory) -> Ending:
    """Return what the tap makes of a body in which nothing is wrong."""
    directory = tmp_path_factory.mktemp("fuzz")
    with RawServer() as server:
        server.serve(lambda _, __: answer(BODY))
        path = directory / "config.json"
        path.write_text(json.dumps(config(server.url, offset_param="", infer_schema=False)))
        return run_installed(["--config", str(path)], directory)


def judged(ending: Ending) -> list[str]:
    """Return what is wrong with what the tap made of that body."""
    return [*oracle.faults_of(ending), *oracle.lost_from(BODY, "data", ending)]


def test_whatever_is_sent_or_passed_ends_in_records_or_in_one_clear_error() -> None:
    """A broken answer, state, catalog or config would crash the tap, hang it, or lose records without a word."""
    run = fuzz("--seed=20", "--bodies=500", "--minutes=1.5")
    assert run.returncode == 0, run.stdout + run.stderr
    kinds = [line.split()[0] for line in run.stdout.splitlines()[2:7]]
    assert kinds == ["bodies", "heads", "states", "catalogs", "configs"]


def test_a_case_is_the_same_whenever_it_is_run_again() -> None:
    """A defect that was found once could not be looked at, nor be seen to be mended."""
    runs = [fuzz("--seed=7", "--only=3").stdout.split("--- stdout")[0] for _ in range(2)]
    first, second = (re.sub(r"127\.0\.0\.1:\d+", "", run) for run in runs)
    assert "--- answer 0" in first
    assert first == second


def test_a_sound_run_is_found_sound(ending: Ending) -> None:
    """A judge that always complains would hide what is really wrong."""
    assert ending.status == 0
    assert judged(ending) == []


PLANTS: dict[str, Callable[[Ending], Ending]] = {
    "the number of records is another": lambda run: _stdout(run, b"\n{", b"\n{", drop=b'"id":"r002"'),
    "a value was lost or changed": lambda run: _stdout(run, b'"size":1000', b'"size":1001'),
    "a record that does not fit its schema": lambda run: _stdout(run, b'"size":1000', b'"size":"1000"'),
    "a line on stdout that is no JSON": lambda run: _stdout(run, b'"size":1000', b'"size":NaN'),
    "a line on stdout that is no message": lambda run: _stdout(run, b'"type":"STATE"', b'"type":"LOG"'),
    "a record before its schema": lambda run: _stdout(run, b"", b"", drop=b'"type":"SCHEMA"'),
    "a torn line on stdout": lambda run: dataclasses.replace(run, stdout=run.stdout[:-9]),
    "did not end": lambda run: dataclasses.replace(run, status=None),
    "ended with status 2": lambda run: dataclasses.replace(run, status=2),
    "an exit status without an error": lambda run: dataclasses.replace(run, status=1),
    "memory": lambda run: dataclasses.replace(run, peak=oracle.MEMORY + 1),
    "traceback": lambda run: _log(run, "Traceback (most recent call last):"),
    "called a defect by itself": lambda run: _log(run, "This should not have happened"),
    "an error without an exit status": lambda run: _log(run, "2026-01-01 00:00:00,000 | ERROR    | x | y"),
    "many errors": lambda run: _log(run, "2026-01-01 00:00:00,000 | ERROR    | x | y\n" * 20),
    "an overlong line in the log": lambda run: _log(run, "a" * 10_000),
    "control characters in the log": lambda run: _log(run, "\x1b[2J"),
    "a torn line in the log": lambda run: _log(run, "no more than half a"),
    "the API key in the log": lambda run: _log(run, "?api_key=fuzz-secret"),
}


def _stdout(run: Ending, old: bytes, new: bytes, *, drop: bytes = b"\x00") -> Ending:
    lines = [line for line in run.stdout.split(b"\n") if drop not in line]
    return dataclasses.replace(run, stdout=b"\n".join(lines).replace(old, new, 1))


def _log(run: Ending, line: str) -> Ending:
    return dataclasses.replace(run, stderr=f"{run.stderr}{line}\n")


@pytest.mark.parametrize("fault", PLANTS)
def test_what_is_wrong_with_a_run_is_found(ending: Ending, fault: str) -> None:
    """The fuzzer would call a tap sound that loses records or crashes."""
    assert fault in judged(PLANTS[fault](ending))


def test_success_with_a_body_that_is_no_page_is_found(ending: Ending) -> None:
    """A tap that takes an error page for an empty collection would pass."""
    found = [
        oracle.lost_from(body, "data", ending) for body in (b"<html>", b'{"data": 1}', b'{"data": [1]}', BODY[:-1])
    ]
    assert found == [["success with a body that is no JSON with a list of objects"]] * 4


def test_records_that_are_missing_or_were_made_up_are_found(ending: Ending) -> None:
    """A walk could lose what one bad answer did not touch."""
    assert oracle.missing(["r000", "r004"], ending) == ["records lost"]
    assert oracle.missing(["r000", "r003"], ending) == []
    known = [json.loads(dump(each)) for each in COLLECTION[:3]]
    assert oracle.invented(known, ending) == ["a record that the API did not send"]
