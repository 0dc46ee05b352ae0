"""Runs a cell: the command, in a directory of its own, and a search of all that it leaves."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo.control import ROOT
from torture.leaks import shapes
from torture.leaks.outputs import OUTPUTS, log_config
from torture.leaks.setup import setup
from torture.leaks.spellings import leaks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from random import Random

    from demo.control import FakeAPI
    from torture.leaks.cells import Cell
    from torture.leaks.setup import Places, Setup

DATA, MELTANO = "data", "meltano"
BIN = Path(sys.executable).parent
PATIENCE_S = 60
ASKED_S = 10
POLL_S = 0.02
RECORD = b'{"type":"RECORD"'
OWN = ("TAP_STORAGE_", "SINGER_SDK_", "MELTANO_", "REQUESTS_CA", "CURL_CA")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a cell came to. found: leaks, as `where: secret, spelling`. status: None if the run did not end in time."""

    cell: Cell
    status: int | None
    found: list[str]
    quote: str


def run(cell: Cell, rng: Random, places: Places, api: FakeAPI) -> Outcome:
    """Run a cell, with secrets of its own."""
    secrets = shapes.make(rng, cell.shape, header=cell.header)
    prepared = setup(secrets, places, header=cell.header)
    output = OUTPUTS[cell.output]
    output.failures[cell.failure](prepared)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        written = _write(prepared, cell, directory)
        status, stdout, stderr = _run(prepared, [BIN / output.command, *output.arguments], directory, api)
        outputs = {"stdout": without_records(stdout), "stderr": stderr, **dict(_left(directory, written))}
    found, quote = search(outputs, secrets.by_name())
    return Outcome(cell, status, found, quote)


def search(outputs: Mapping[str, bytes], secrets: Mapping[str, str]) -> tuple[list[str], str]:
    """Return the leaks in outputs, and the first lines that hold one."""
    found, quotes = [], []
    for name, content in outputs.items():
        text = content.decode("utf-8", "surrogateescape")
        latin = content.decode("latin-1")
        here = dict.fromkeys([*leaks(text, secrets), *leaks(latin, secrets)])
        found += [f"{name}: {each}" for each in here]
        quotes += [line for line in text.split("\n") if leaks(line, secrets)][:2]
    return found, "\n".join(quotes)


def without_records(stdout: bytes) -> bytes:
    """Leave out what is data."""
    return b"\n".join(line for line in stdout.split(b"\n") if not line.startswith(RECORD))


def _write(run: Setup, cell: Cell, directory: Path) -> dict[str, bytes]:
    """Write the files that the cell needs, and return them; variables and options go to the setup."""
    files = dict(run.files)
    (directory / "tmp").mkdir()
    run.env |= {"TMPDIR": str(directory / "tmp"), "HOME": str(directory), "TAP_STORAGE_LOGLEVEL": cell.level}
    if run.document is not None:
        files["document"] = run.document.encode()
        run.options.append("document")
    if log := OUTPUTS[cell.output].log:
        files["log.yml"] = log_config(log, cell.level)
        run.env["SINGER_SDK_LOG_CONFIG"] = "log.yml"
    variables = {f"TAP_STORAGE_{name.upper()}": _text(value) for name, value in run.config.items()}
    if run.document is not None:
        pass
    elif OUTPUTS[cell.output].command == MELTANO:
        run.env |= {**variables, **_project(directory, cell)}
    elif cell.source == "file" or run.config_text is not None:
        files["config.json"] = json.dumps(run.config).encode() if run.config_text is None else run.config_text
        run.options += ["--config", "config.json"]
    else:
        run.options.append("--config=ENV")
        if cell.source == "environment":
            run.env |= variables
        else:
            files[".env"] = "".join(f"{name}={_quoted(text)}\n" for name, text in variables.items()).encode()
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return files


def _project(directory: Path, cell: Cell) -> dict[str, str]:
    """Make a place for what Meltano writes, with the plugins that are installed; return the variables that name it."""
    installed = ROOT / ".meltano"
    (directory / "meltano").mkdir()
    (directory / DATA).mkdir()
    for plugins in ("extractors", "loaders"):
        (directory / "meltano" / plugins).symlink_to(installed / plugins)
    return {
        "MELTANO_SYS_DIR_ROOT": str(directory / "meltano"),
        "MELTANO_CLI_LOG_LEVEL": cell.level.lower(),
        "MELTANO_CLI_LOG_FORMAT": "json" if cell.source == "file" else "colored",
        "MELTANO_HUB_URL": "http://127.0.0.1:9",
        "MELTANO_ENV_FILE": os.devnull,
        "TARGET_JSONL_DESTINATION_PATH": str(directory / DATA),
    }


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def _run(run: Setup, command: list[Any], directory: Path, api: FakeAPI) -> tuple[int | None, bytes, bytes]:
    """Run the command to its end, or to a signal; return its exit status and what it wrote."""
    api.reset()
    api.behave(**run.behaviour)
    env = {name: value for name, value in os.environ.items() if not name.startswith(OWN)} | run.env
    with (directory / "tmp" / "out").open("wb") as out, (directory / "tmp" / "err").open("wb") as err:
        stdout = _closed_pipe() if run.stdout == "closed" else os.open(run.stdout or os.devnull, os.O_WRONLY)
        process = subprocess.Popen(
            [*command, *run.options],
            cwd=ROOT if command[0] == BIN / MELTANO else directory,
            env=env,
            stdout=stdout if run.stdout else out,
            stderr=err,
        )
        os.close(stdout)
        try:
            if run.stop:
                _await_request(process, api)
                process.send_signal(run.stop)
            status: int | None = process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            status = None
    texts = [(directory / "tmp" / name).read_bytes() for name in ("out", "err")]
    for name in ("out", "err"):
        (directory / "tmp" / name).unlink()
    return status, texts[0], texts[1]


def _closed_pipe() -> int:
    reading, writing = os.pipe()
    os.close(reading)
    return writing


def _await_request(process: subprocess.Popen[bytes], api: FakeAPI) -> None:
    deadline = time.monotonic() + ASKED_S
    while process.poll() is None and not api.requests() and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _left(directory: Path, written: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Yield the files that the run has left, and those of its own that it has changed."""
    for path in sorted(directory.rglob("*")):
        name = str(path.relative_to(directory))
        content = path.read_bytes() if path.is_file() else b""
        yield from (
            ()
            if written.get(name) == content or name.startswith(f"{DATA}/")
            else [(name, name.encode() + b"\n" + content)]
        )
