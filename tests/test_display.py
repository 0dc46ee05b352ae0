"""How far a run has come: a bar for a person at a terminal, log lines for everybody else."""

from __future__ import annotations

import dataclasses
import errno
import fcntl
import itertools
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
from typing import TYPE_CHECKING, Any

import pytest

from demo.control import FakeAPI
from tap_storage.display import Display
from tap_storage.settings import Resource
from tap_storage.tap import TapStorage
from tap_storage.verdict import Verdict
from tests.running import BIN, PATIENCE_S, Run, environment, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tests.running import Tap

LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \| [A-Z]+ +\| [^|]+ \| \S")
BAR = "storage_data: "


@pytest.fixture
def api() -> Iterator[FakeAPI]:
    """Serve 1,000 records so slowly that a bar has something to show."""
    with FakeAPI(records=1000, latency_ms=50) as running:
        yield running


@dataclasses.dataclass(frozen=True)
class Terminal:
    """What was sent to a terminal in a run, and what it shows after it."""

    status: int
    stdout: str
    sent: str

    @property
    def lines(self) -> list[str]:
        """The lines that a person sees: what comes after a carriage return is written over what was there."""
        return [_overwritten(line) for line in self.sent.replace("\r\n", "\n").split("\n")]

    @property
    def bars(self) -> list[str]:
        """Each state of the bar that was drawn, in order."""
        return [part for part in re.split(r"[\r\n]", self.sent) if part.startswith(BAR)]

    def is_whole(self) -> bool:
        """Tell whether each line is one of the log, or the bar in its last state, and the last one is ended."""
        *lines, rest = self.lines
        return rest == "" and all(LOGGED.match(line) or line.startswith(BAR) for line in lines)


def _overwritten(line: str) -> str:
    shown = ""
    for part in line.split("\r"):
        shown = part + shown[len(part) :]
    return shown.rstrip()


def on_terminal(
    tap: Tap,
    config: Mapping[str, Any],
    *arguments: str,
    columns: int = 120,
    env: Mapping[str, str] | None = None,
    action: Callable[[subprocess.Popen[bytes]], object] | None = None,
) -> Terminal:
    """Run the tap with stderr on a terminal, and stdout in a pipe.

    columns: of the terminal, 0 for one that does not say. action: is called when the first record was written.
    """
    path = tap.write("config.json", json.dumps(config))
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
    with (tap.directory / "stdout").open("w+b") as stdout:
        process = subprocess.Popen(
            [BIN / "tap-storage", "--config", path, *arguments],
            env=environment(TERM="xterm") | dict(env or {}),
            stdout=subprocess.PIPE if action else stdout,
            stderr=theirs,
        )
        os.close(theirs)
        if action and process.stdout:
            process.stdout.readline()
            process.stdout.readline()
            action(process)
        sent = b"".join(iter(lambda: _read(ours), b""))
        os.close(ours)
        status = process.wait(timeout=PATIENCE_S)
        if process.stdout:
            process.stdout.close()
        stdout.seek(0)
        return Terminal(status, stdout.read().decode(), sent.decode())


def _read(descriptor: int) -> bytes:
    """Return what a terminal was sent; nothing more when nobody can write to it any more."""
    try:
        return os.read(descriptor, 65_536)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        return b""


def test_a_terminal_shows_a_bar_with_records_rate_and_time_left(tap: Tap, api: FakeAPI) -> None:
    """A person could not tell whether to wait, or for how long."""
    run = on_terminal(tap, settings(api))
    assert run.status == 0
    assert re.fullmatch(BAR + r" *\d+%\|.+\| [1-9]\d*/1000 \[\d\d:\d\d<\d\d:\d\d, +[\d.]+ records/s\]", run.bars[-5])
    assert "100%" in run.bars[-1]
    assert " 1000/1000 " in run.bars[-1]
    assert len(Run(0, run.stdout, "").records) == 1000


def test_lines_of_the_log_are_whole_above_the_bar_which_stays_once_below_them(tap: Tap, api: FakeAPI) -> None:
    """Warnings would be unreadable just where somebody looks."""
    api.behave(faults=[{"kind": "status", "status": 503, "every": 4}])
    run = on_terminal(tap, settings(api))
    assert run.status == 0
    assert run.is_whole()
    assert sum("asking again" in line for line in run.lines) > 1
    before, verdict = [line for line in run.lines if line.startswith(BAR) or "VERDICT: " in line]
    assert before == run.bars[-1].rstrip()
    assert '"verdict": "complete"' in verdict


def test_the_bar_moves_on_while_the_api_is_silent(tap: Tap, api: FakeAPI) -> None:
    """A slow API would look like a run that hangs."""
    api.behave(faults=[{"kind": "unanswered", "seconds": 2.5, "on": 1}])
    run = on_terminal(tap, settings(api, infer_schema=False))
    waiting = [bar for bar in run.bars if " 0 records" in bar]
    assert run.status == 0
    assert {"[00:00", "[00:01"} <= {found[0] for bar in waiting if (found := re.search(r"\[\d\d:\d\d", bar))}


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
def test_the_key_is_not_shown_beside_a_bar(tap: Tap, api: FakeAPI, level: str) -> None:
    """Lines that take another way than usual would pass the masks, on a screen that is shared."""
    api.behave(faults=[{"kind": "echo", "status": 500, "on": 3}, {"kind": "echo", "status": 400, "on": 6}])
    run = on_terminal(tap, settings(api), env={"TAP_STORAGE_LOGLEVEL": level})
    assert (run.status, len(run.bars) > 1, api.api_key in run.sent) == (1, True, False)
    assert level != "DEBUG" or "***" in run.sent


def test_an_error_is_a_line_of_its_own_below_the_bar(tap: Tap, api: FakeAPI) -> None:
    """What went wrong would be hidden at the end of a bar."""
    api.behave(faults=[{"kind": "status", "status": 401, "from": 4}])
    run = on_terminal(tap, settings(api))
    shown = [line for line in run.lines if line.startswith(BAR) or " | ERROR " in line]
    assert (run.status, run.is_whole(), len(shown)) == (1, True, 2)
    assert shown[0].startswith(BAR)
    assert "api_key" in shown[1]


@pytest.mark.parametrize(
    ("action", "status"),
    [
        (lambda process: process.send_signal(signal.SIGTERM), 143),
        (lambda process: process.send_signal(signal.SIGINT), 130),
        (lambda process: process.stdout.close(), 1),
    ],
    ids=["SIGTERM", "SIGINT", "broken pipe"],
)
def test_a_run_that_is_ended_from_outside_ends_the_line_of_its_bar(
    tap: Tap, api: FakeAPI, action: Callable[[subprocess.Popen[bytes]], object], status: int
) -> None:
    """The prompt would stand at the end of a bar."""
    api.reset(records=20_000)
    run = on_terminal(tap, settings(api), action=action)
    assert (run.status, len(run.bars) > 1, run.is_whole()) == (status, True, True)
    assert any("The destination closed the pipe" in line for line in run.lines) == (status == 1)


TOTALS: dict[str, Any] = {
    "none": "absent",
    "too low": {"value": 10},
    "negative": {"value": -5},
    "of the page": "page",
    "beyond any number": {"value": 10**400},
    "beyond any time": {"value": 10**15},
}


@pytest.mark.parametrize("total", TOTALS)
def test_a_total_that_is_not_one_promises_nothing(tap: Tap, api: FakeAPI, total: str) -> None:
    """A count that is wrong would end a run that reads well, or be taken for the truth."""
    api.behave(total=TOTALS[total])
    run = on_terminal(tap, settings(api))
    assert (run.status, run.is_whole()) == (0, True)
    assert run.bars[-1].startswith(f"{BAR}1000 records [")
    assert all(int(percent) <= 100 for percent in re.findall(r"(\d+)%", run.sent))


@pytest.mark.parametrize(("columns", "shown"), [(40, 40), (5, 5), (0, 79)])
def test_a_terminal_may_be_narrow_or_of_unknown_width(tap: Tap, api: FakeAPI, columns: int, shown: int) -> None:
    """A bar that is wider than its line would fill the screen, and a run must not die of a small window."""
    run = on_terminal(tap, settings(api), columns=columns)
    assert run.status == 0
    widest = max(len(part) for part in re.split(r"[\r\n]", run.sent) if part.startswith(BAR[:4]))
    assert shown - 1 <= widest <= shown


def test_records_that_are_not_new_are_told_from_those_emitted(tap: Tap, api: FakeAPI) -> None:
    """A run that reads a thousand records to copy none would look like a busy one."""
    run = on_terminal(tap, settings(api, start_date="2030-01-01T00:00:00Z"))
    assert (run.status, run.bars[-1].rstrip().endswith(", 0 emitted]")) == (0, True)


def test_a_terminal_that_goes_away_does_not_end_the_run(tap: Tap, api: FakeAPI) -> None:
    """A window that is closed would cost a night's copy."""
    path = tap.write("config.json", json.dumps(settings(api)))
    ours, theirs = pty.openpty()
    with (tap.directory / "stdout").open("w+b") as stdout:
        process = subprocess.Popen(
            [BIN / "tap-storage", "--config", path], env=environment(TERM="xterm"), stdout=stdout, stderr=theirs
        )
        os.close(theirs)
        while BAR not in _read(ours).decode(errors="replace"):
            pass
        os.close(ours)
        assert process.wait(timeout=PATIENCE_S) == 0
        stdout.seek(0)
        assert len(Run(0, stdout.read().decode(), "").records) == 1000


@pytest.mark.parametrize("arguments", [("--test",), ("--discover",)])
def test_what_is_no_run_has_no_bar(tap: Tap, api: FakeAPI, arguments: tuple[str, ...]) -> None:
    """A trial would leave a bar behind that stands at nothing."""
    run = on_terminal(tap, settings(api), *arguments)
    assert (run.status, run.bars, "\r" in run.sent.replace("\r\n", "")) == (0, [], False)


def test_a_terminal_that_cannot_go_back_has_no_bar(tap: Tap, api: FakeAPI) -> None:
    """An editor's shell would be filled with copies of the bar."""
    run = on_terminal(tap, settings(api), env={"TERM": "dumb"})
    assert (run.status, run.bars) == (0, [])


def test_records_on_the_same_terminal_are_not_torn_by_a_bar(tap: Tap, api: FakeAPI) -> None:
    """Whoever looks at the messages would find bars in the middle of them."""
    path = tap.write("config.json", json.dumps(settings(api)))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([BIN / "tap-storage", "--config", path], env=environment(), stdout=theirs, stderr=theirs)
    os.close(theirs)
    sent = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    assert process.wait(timeout=PATIENCE_S) == 0
    assert all(LOGGED.match(line) or json.loads(line)["type"] for line in sent.split("\r\n") if line)


def test_a_pipe_gets_no_bar_nor_pays_for_one(tap: Tap, api: FakeAPI) -> None:
    """Meltano's log would be full of carriage returns, and each start of a run slower."""
    run = tap(settings(api), env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert run.status == 0
    assert ("import time:" in run.stderr, "tqdm" in run.stderr) == (True, False)
    assert ("\r" in run.stderr, "PROGRESS" in run.stderr) == (False, False)


class Watch:
    """A clock that is told what time it is, and a log that keeps what is said."""

    def __init__(self, **more: Any) -> None:
        self.seconds = 1000.0
        self.verdict = Verdict("storage_data")
        self.logged: list[dict[str, Any]] = []
        declared = TapStorage.config_jsonschema["properties"]
        config = {name: setting["default"] for name, setting in declared.items() if "default" in setting}
        self.display = Display(
            self.verdict, Resource.from_config(config | more), log=self.log, clock=lambda: self.seconds
        )

    def log(self, message: str, *arguments: Any, extra: Mapping[str, Any]) -> None:
        """Keep the fields of a line, which its text has to have too."""
        assert message % arguments == f"PROGRESS: {json.dumps(extra['progress'])}"
        self.logged.append(extra["progress"])

    def read(self, records: int, *, until: int, total: int | None) -> None:
        """Let so many records be read, up to an offset."""
        self.verdict.read, self.verdict.total = records, total
        self.display.advance(until)

    def wait(self, seconds: float, *, step: float = 0.25) -> None:
        """Let time pass as a run does that waits: every so often there is something to do."""
        for _ in range(round(seconds / step)):
            self.seconds += step
            self.display.tick()


def test_a_line_tells_how_far_a_run_has_come_and_how_long_it_takes() -> None:
    """Whoever watches a pipeline could not tell a long run from one that hangs."""
    watch = Watch()
    with watch.display:
        watch.wait(20)
        watch.read(4000, until=4000, total=16_000)
        watch.wait(20)
    assert watch.logged == [
        {
            "version": 1,
            "stream": "storage_data",
            "records_read": 4000,
            "total_promised": 16_000,
            "records_per_second": 133.3,
            "seconds_left": 90,
            "seconds": 30.0,
        }
    ]


def test_lines_are_never_more_than_half_a_minute_apart() -> None:
    """An alarm on silence would ring."""
    watch = Watch()
    with watch.display:
        watch.wait(300, step=0.4375)
    seconds = [fields["seconds"] for fields in watch.logged]
    assert (len(seconds), seconds[0]) == (10, 30.2)
    assert max(later - earlier for earlier, later in itertools.pairwise(seconds)) <= 30


def test_a_run_of_less_than_half_a_minute_says_nothing_and_none_after_its_end() -> None:
    """The log of each small run would be longer for nothing."""
    watch = Watch()
    with watch.display:
        watch.wait(29.75)
    watch.wait(100)
    assert watch.logged == []


LEFT: dict[str, tuple[dict[str, Any], tuple[int, int, int | None], int | None]] = {
    "all from the beginning": ({}, (100, 100, 1000), 270),
    "the rest, where another run was interrupted": ({}, (100, 9100, 10_000), 270),
    "none": ({}, (1000, 1000, 1000), 0),
    "none, counted from one": ({"initial_offset": 1}, (1000, 1001, 1000), 0),
    "up to maximum_offset": ({"maximum_offset": 300}, (100, 100, 1000), 60),
    "unknown without a total": ({}, (100, 100, None), None),
    "unknown before the first record": ({}, (0, 0, 1000), None),
    "unknown with a total that was passed": ({}, (100, 100, 99), None),
    "unknown with a total beyond reason": ({}, (100, 100, 10**400), None),
}


@pytest.mark.parametrize("case", LEFT)
def test_the_time_left_is_that_of_the_records_left(case: str) -> None:
    """A run that goes on where another was interrupted would promise hours for a minute."""
    more, (records, until, total), left = LEFT[case]
    watch = Watch(**more)
    with watch.display:
        watch.read(records, until=until, total=total)
        watch.wait(30)
    (fields,) = watch.logged
    assert (fields["seconds_left"], fields["total_promised"]) == (left, total)
