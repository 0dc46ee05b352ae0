"""The commands in README and docs are run: what a person copies works, and prints what is shown."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from demo.control import ROOT, FakeAPI
from demo.postgres import postgres
from tests.running import BIN, PATIENCE_S, environment
from tests.test_dlt_import import SCRIPT

if TYPE_CHECKING:
    from collections.abc import Iterator

PAGES = {page.name: page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}
LOADERS = ROOT / ".meltano" / "loaders"
DATABASE = "postgresql+psycopg://user:password@localhost/database"

ELSEWHERE = {
    "make demo": "test_demo.py",
    "pip install .": "test_wheel.py installs what is built of it",
    "meltano add target-postgres": "asks Meltano Hub, out of reach of a test",
    "meltano install": "test_wheel.py",
    "tap-storage-import-dlt github.yaml": "test_dlt_import.py",
}
"""Commands that are not run here, and where they are, or why they are nowhere."""

RUN: dict[str, str] = {
    "tap-storage --version": r"^tap-storage v\d",
    "meltano config test tap-storage": "^Plugin configuration is valid$",
    "tap-storage --config config.json --test": '^{"type":"RECORD"',
    "tap-storage --config config.json | target-jsonl > states.jsonl": '"verdict": "complete", "records": 250,',
    "tap-storage --config config.json --state state.json | target-jsonl > states.jsonl": '"records": 31,',
    "tap-storage-probe --config config.json": r"^host ",
    "tap-storage-probe --format json": '"findings"',
    "meltano invoke tap-storage:probe --format text": r"^host ",
    "meltano invoke tap-storage:plan --slices 3": '^{"slice": 1, "slices": 3, ',
    "TAP_STORAGE_END_DATE=2020-01-01T00:14:00.000000Z "
    "meltano run --state-id-suffix=to-20200101T001400Z tap-storage target-postgres": '"bounded", "records": 84,',
    "tap-storage --config config.json --config=ENV --discover": '"tap_stream_id":"storage_data"',
    "TAP_STORAGE_START_DATE=2024-01-01 TAP_STORAGE_END_DATE=2024-02-01 "
    "meltano run --state-id-suffix=january tap-storage target-postgres": '"verdict": "bounded", "records": 0,',
    "meltano run --force tap-storage target-postgres": "Force option is enabled",
    "meltano run tap-storage target-postgres": '"verdict": "complete", "records": 250,',
    "meltano state clear --force dev:tap-storage-to-target-postgres": "",
    "tap-storage --config config.json --catalog catalog.json > records.jsonl": '"verdict": "complete"',
    "meltano select tap-storage storage_data name --exclude": "",
    "tap-storage --config=ENV --test": '^{"type":"RECORD"',
    'meltano run tap-storage target-postgres 2> run.log || echo "the run failed"': "^$",
    "meltano run tap-storage target-postgres & "
    "meltano run tap-storage-january target-postgres; wait": '(?s)("verdict": "(complete|bounded)", .*){2}',
}
"""An expression for what each command prints; its exit status is 0. Those that a page shows output of need none."""

QUIET = re.compile(
    r"export |cat |tail -1 |(\S+=\S+ )?tap-storage .* > |tap-storage-import-dlt pipeline|meltano .* > |meltano .* 2> "
)
"""Commands that print nothing, or what a later one is held against."""
ALERT = "grep 'VERDICT: .*verdict[^,]*incomplete' run.log && echo \"records may be missing\""


class Command(NamedTuple):
    """A command as a page has it, on one line, and the output that is shown below it."""

    text: str
    shown: str


class Folder:
    """What a person has who reads a page: a Meltano project, a config, a shell whose variables last."""

    def __init__(self, directory: Path, api: FakeAPI, database: str, *, exported: bool) -> None:
        self._directory = directory
        self._words = {"https://api.example.com": api.url, DATABASE: database, "…": api.api_key}
        block = re.findall(r"```yaml\n(plugins:.*?)```", text("README.md"), re.DOTALL)[0]
        tap = re.sub("pip_url: .*", f"executable: {BIN / 'tap-storage'}", block)
        second = re.findall(r"    - name: tap-storage-january\n.*?(?=```)", text("production.md"), re.DOTALL)[0]
        self._write("meltano.yml", tap + second + PROJECT)
        self._write("config.json", '{"base_url": "https://api.example.com", "api_key": "…"}\n')
        self._write("pipeline.py", SCRIPT)
        self._write("variables", "export MELTANO_SEND_ANONYMOUS_USAGE_STATS=false\n" + (EXPORTS if exported else ""))
        blocks = re.findall(r"```yaml\n(version: 1.*?)```", text("logs.md"), re.DOTALL)
        self._write("json-log.yml", blocks[0])

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the next in the shell."""
        with self.start(f"set -o pipefail; {command}\ns=$?; export -p > variables; exit $s") as process:
            output, errors = process.communicate(timeout=PATIENCE_S)
        return subprocess.CompletedProcess(command, process.returncode, output, errors)

    def start(self, script: str) -> subprocess.Popen[str]:
        """Start a script in the shell."""
        path = [str(BIN), *(str(LOADERS / name / "venv" / "bin") for name in ("target-jsonl", "target-postgres"))]
        return subprocess.Popen(
            ["/usr/bin/env", "bash", "-c", f". ./variables; {self._real(script)}"],
            cwd=self._directory,
            env=environment(PATH=os.pathsep.join([*path, os.environ["PATH"]])),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            start_new_session=True,
        )

    def _write(self, name: str, text: str) -> None:
        (self._directory / name).write_text(self._real(text), encoding="utf-8")

    def _real(self, text: str) -> str:
        for placeholder, real in self._words.items():
            text = text.replace(placeholder, real)
        return text


EXPORTS = f"""export TAP_STORAGE_BASE_URL=https://api.example.com TAP_STORAGE_API_KEY=…
export TARGET_POSTGRES_SQLALCHEMY_URL='{DATABASE}'
"""
PROJECT = f"""\
  loaders:
    - name: target-postgres
      namespace: target_postgres
      executable: {LOADERS / "target-postgres" / "venv" / "bin" / "target-postgres"}
      settings: [{{ name: sqlalchemy_url, sensitive: true }}]
project_id: page
default_environment: dev
environments: [{{ name: dev }}]
"""


def text(name: str) -> str:
    """Return what a page says."""
    return PAGES[name].read_text(encoding="utf-8")


def commands(name: str) -> list[Command]:
    """Return the commands in the console blocks of a page, in order."""
    found = []
    for block in re.findall(r"```console\n(.*?)```", text(name), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = re.sub(r"\\\n\s*", "", part).partition("\n")
            found.append(Command(line, shown))
    return found


def pattern(shown: str) -> str:
    """Return an expression for output that a page shows; `…` stands for whatever is there."""
    return ".*".join(re.escape(part) for part in shown.rstrip().split("…"))


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """Start PostgreSQL; not in pytest's own directory, from which it shuts another user out."""
    with (
        tempfile.TemporaryDirectory(prefix="tap-storage-", ignore_cleanup_errors=True) as data,
        postgres(Path(data) / "data") as url,
    ):
        yield url


@pytest.mark.parametrize("name", [name for name in PAGES if commands(name)])
def test_the_commands_of_a_page_work_and_print_what_it_shows(
    name: str, tmp_path: Path, api: FakeAPI, database: str
) -> None:
    """A person would copy a command that fails, or look for output that never comes."""
    folder = Folder(tmp_path, api, database, exported=name != "README.md")
    for command in commands(name):
        if command.text in ELSEWHERE:
            continue
        done = folder.run(command.text)
        assert done.returncode == (1 if command.text == ALERT else 0), (command.text, done.stderr)
        if command.shown:
            said = (done.stdout or done.stderr).replace(api.url, "https://api.example.com")
            assert re.fullmatch(pattern(command.shown), said.rstrip(), re.DOTALL), (command.text, said)
        if command.text in RUN:
            expression = re.compile(RUN[command.text], re.MULTILINE)
            assert expression.search(done.stdout + done.stderr), (command.text, done.stdout, done.stderr)


def test_no_command_goes_unlooked_at() -> None:
    """A new command would be in a page that nobody has tried, or an old one in a list that nobody needs."""
    every = [command for name in PAGES for command in commands(name)]
    known = {*ELSEWHERE, *RUN, ALERT}
    unknown = [each.text for each in every if each.text not in known and not each.shown and not QUIET.match(each.text)]
    assert unknown == []
    assert sorted(known - {command.text for command in every}) == []
    proofs = [name for reason in ELSEWHERE.values() for name in re.findall(r"test_\w+\.py", reason)]
    assert [name for name in proofs if not (ROOT / "tests" / name).exists()] == []


@pytest.mark.parametrize("logged", ["", "--log-format=json", "SINGER_SDK_LOG_CONFIG=json-log.yml tap-storage"])
def test_the_alert_goes_off_where_a_run_fails(tmp_path: Path, api: FakeAPI, database: str, logged: str) -> None:
    """Nobody would be told that records are missing, if the log has another form."""
    folder = Folder(tmp_path, api, database, exported=True)
    api.behave(faults=[{"from": 3, "kind": "status", "status": 403}])
    (run,) = (each.text for each in commands("production.md") if each.text.endswith('echo "the run failed"'))
    if logged.startswith("--"):
        run = run.replace("meltano run", f"meltano {logged} run")
    elif logged:
        run = run.replace("meltano run tap-storage target-postgres", f"{logged} --config config.json > records.jsonl")
    assert folder.run(run).stdout == "the run failed\n"
    told = folder.run(ALERT)
    assert (told.returncode, told.stdout.splitlines()[1:]) == (0, ["records may be missing"])


def test_a_run_that_was_killed_is_in_the_way_as_the_page_says(tmp_path: Path, api: FakeAPI, database: str) -> None:
    """Somebody would search for another message than Meltano's, and wait for what never ends."""
    folder = Folder(tmp_path, api, database, exported=True)
    api.behave(latency_ms=1000)
    with folder.start("exec meltano run tap-storage target-postgres") as process:
        while not api.requests():
            assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)  # the tap, too: it would go on asking
    api.behave(latency_ms=0)
    refused = folder.run("meltano run tap-storage target-postgres")
    (message,) = re.findall(r"```text\n(Another .*)\n```", text("state.md"))
    assert re.search(".+".join(re.escape(part) for part in message.split("<time>")), refused.stderr), refused.stderr
    assert refused.returncode == 1
