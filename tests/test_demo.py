"""The demo: what it tells a person is true, and nothing outlives it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from demo.audit import Audit, audit
from demo.programs import ROOT
from demo.text_table import text_table, width
from tests.running import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.control import FakeAPI

PATIENCE_S = 120
MARK = "TEST_DEMO_IN"


@contextmanager
def demo(directory: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo as `make demo` does, in a process group and a directory of its own."""
    with subprocess.Popen(
        [sys.executable, "-m", "demo.run"],
        cwd=directory,
        env=environment(CI="true", PYTHONPATH=str(ROOT), **{MARK: str(directory)}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def left_behind(directory: Path) -> list[str]:
    """Return the files in a demo's directory, and its processes: their environment or arguments name the directory."""
    found = [str(path) for path in directory.iterdir()]
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # it ended just now, or is another user's
            arguments = " ".join(process.cmdline())
            if str(directory) in arguments or process.environ().get(MARK) == str(directory):
                found.append(arguments)
    return found


def without_times(output: str) -> str:
    """Return the output without the seconds that its steps took."""
    return re.sub(r"\([0-9.]+ s\)", "", output)


def test_the_plain_loop_loses_half_of_the_records_and_succeeds(api: FakeAPI) -> None:
    """Or the demo would accuse the SDK's paginator wrongly."""
    api.reset(records=400)
    api.behave(cap=50)
    completed = subprocess.run(
        [sys.executable, "-m", "demo.plain_loop"],
        cwd=ROOT,
        env=environment(PLAIN_LOOP_BASE_URL=api.url, PLAIN_LOOP_API_KEY=api.api_key),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    offsets = [request["offset"] for request in api.requests()]
    assert (completed.returncode, completed.stdout.count('"type":"RECORD"')) == (0, 200)
    assert offsets == [0, 100, 200, 300, 400]


def test_the_demo_copies_every_record_and_leaves_nothing(tmp_path: Path) -> None:
    """The first thing that a person tries would not work."""
    with demo(tmp_path) as process:
        output, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, output
    assert "plain offset loop (the SDK's OffsetPaginator): 1,000 of 2,000 records, exit status 0" in output
    for told in (
        r"requests +43 +9 ",
        r"records emitted +2,000 +282 ",
        r"rows written +2,000 +282 ",
        r"rows in the table +2,000 +2,250 ",
    ):
        assert re.search(told, output), output
    assert "missing: 0, twice: 0, never at the API: 0, values that differ: 0\n" in output
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    shown = readme[readme.index("==> Starting") : readme.index("==> Stopping")]
    assert without_times(output[output.index("==> Starting") : output.index("==> Stopping")]) == without_times(shown)
    assert left_behind(tmp_path) == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_demo_that_is_interrupted_leaves_nothing(tmp_path: Path, number: int, status: int) -> None:
    """Ctrl-C would leave servers running, or a pipeline that writes on."""
    with demo(tmp_path) as process:
        assert process.stdout
        for line in process.stdout:
            if line.startswith("==> Copying"):
                break
        os.killpg(process.pid, number)
        rest, _ = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == status, rest
    assert "Traceback" not in rest
    assert left_behind(tmp_path) == []


def test_the_audit_finds_what_is_missing_twice_unknown_or_different() -> None:
    """The demo would call a copy complete that is not."""
    records: list[dict[str, Any]] = [{"id": number, "size": number} for number in range(1, 6)]
    rows = [*records[:3], {"id": 1, "size": 1}, {"id": 4, "size": None}, {"id": 9, "size": 9}]
    assert audit(rows, records, range(1, 6)) == Audit(missing=1, twice=1, unknown=1, different=1)
    assert audit(records, records, range(1, 6)).passed


def test_a_table_is_aligned_whatever_the_script() -> None:
    """Names in Chinese, or with a line break, would tear the columns apart."""
    lines = text_table(["name", "size"], [["写真", 1234], ["a\nb", None], ["📷️", 5]]).split("\n")
    assert lines == ["name   size", "写真  1,234", "a\\nb   NULL", "📷️        5"]
    assert {width(line) for line in lines} == {11}
