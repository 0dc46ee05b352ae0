"""One process that runs cases, one after the other, and writes a line of JSON about each."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import gc
import json
import os
import re
import resource
import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

from torture.fuzz import bodies, files, heads, oracle
from torture.fuzz.running import run_here, run_installed
from torture.fuzz.serving import RawServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self

    from torture.fuzz.cases import Case
    from torture.fuzz.running import Ending

ROUND = (
    *(*[bodies.whole_bodies] * 4, bodies.one_of_several) * 4,
    *[heads.hostile_heads] * 2,
    *[files.settings] * 2,
    files.state,
    files.catalog,
)
"""What makes cases, one after the other, and then anew."""
SHOWN = 3000
"""Characters of each end of a long text."""
EVERY = 500
"""Cases of which one is repeated by the installed command."""
MOST_REPEATS = 5
"""Cases that the installed command repeats of those that fail in one way."""
MOST_MEMORY = 2 << 30
"""Bytes of addresses that a worker may have: a case that fills the memory is not to take the machine along."""
VARYING = re.compile(r'\d{4}-\d\d-\d\dT[\d:.]+Z|127\.0\.0\.1:\d+|[0-9a-f]{16,}|version":\s?\d+')


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a case came to.

    hostile: things in it that are; almost: those that are valid but for little; read: those that ended in records.
    said: the error, without what varies.
    """

    number: int
    kind: str
    hostile: int
    almost: int
    read: int
    said: str
    seconds: float
    repeated: bool
    faults: list[str]


class Bench:
    """Runs the cases of a seed in a directory of its own, while the `with` block does."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._peak = 0
        self._repeats: collections.Counter[tuple[str, ...]] = collections.Counter()

    def __enter__(self) -> Self:
        self.directory = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self._before = Path.cwd(), dict(os.environ)
        os.chdir(self.directory)
        self._server = RawServer().__enter__()
        # Hosts that a broken address names lead here, too.
        proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), self._server.url)
        os.environ.update(proxies, NO_PROXY="127.0.0.1,localhost")
        self._known = files.Known(self._server, self.directory)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.__exit__()
        os.chdir(self._before[0])
        os.environ.clear()
        os.environ.update(self._before[1])
        shutil.rmtree(self.directory, ignore_errors=True)

    def case(self, number: int) -> Case:
        """Return a case of the seed."""
        random = Random(f"{self._seed}:{number}")
        return ROUND[number % len(ROUND)](random, self._known)

    def run(self, case: Case, *, installed: bool) -> Ending:
        """Run a case, here or by the installed command."""
        self._server.serve(case.answer)
        arguments = list(case.options)
        for name, content in case.files.items():
            path = self.directory / f"{name}.json"
            path.write_bytes(content)
            arguments += [f"--{name}", str(path)]
        return run_installed(arguments, self.directory) if installed else run_here(arguments)

    def judge(self, number: int, *, repeat: bool = False) -> Outcome:
        """Run a case and judge it; by the installed command too, if wanted or if it failed."""
        case = self.case(number)
        ending = self.run(case, installed=False)
        faults = _faults(case, ending)
        before, self._peak = self._peak, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
        large = self._peak > max(before, oracle.MEMORY)  # here it may be what many cases have left: the command tells
        again = self._repeats[tuple(faults)] = self._repeats[tuple(faults)] + bool(faults)
        if repeated := repeat or large or 0 < again <= MOST_REPEATS:
            case = self.case(number)
            other = self.run(case, installed=True)
            faults = _faults(case, other)
            faults += [] if _alike(ending, other) else ["the command and its code in another process differ"]
        said = next((line.split("|", 3)[-1] for line in ending.stderr.split("\n") if "| ERROR " in line), "")
        return Outcome(
            number=number,
            kind=case.kind,
            hostile=case.hostile,
            almost=case.almost,
            read=case.hostile if ending.status == 0 else _streams_read(ending) if case.hostile > 1 else 0,
            said=re.sub(r"[\d.]+|'[^']*'|\"[^\"]*\"|\(.*?\)|keys .*?\.", "…", said)[:120],
            seconds=ending.seconds,
            repeated=repeated,
            faults=faults,
        )


def _streams_read(ending: Ending) -> int:
    return sum("VERDICT: " in line and '"verdict": "complete"' in line for line in ending.stderr.split("\n"))


def _faults(case: Case, ending: Ending) -> list[str]:
    faults = oracle.faults_of(ending, plain=case.plain, mapped=case.mapped)
    with contextlib.suppress(RecursionError):  # deeper than Python reads: only the rules for all hold
        faults += case.judge(ending)
    return faults


def _alike(one: Ending, other: Ending) -> bool:
    texts = [VARYING.sub("…", ending.stdout.decode("utf-8", "replace")) for ending in (one, other)]
    errors = [sorted({line for line in ending.stderr.split("\n") if "| ERROR " in line}) for ending in (one, other)]
    return one.status == other.status and texts[0] == texts[1] and len(errors[0]) == len(errors[1])


def work(seed: int, numbers: Iterable[int]) -> None:
    """Run these cases, and print the outcome of each."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, hard))
    gc.freeze()  # what is imported stays
    with Bench(seed) as bench:
        for number in numbers:
            outcome = bench.judge(number, repeat=number % EVERY == 0)
            print(json.dumps(dataclasses.asdict(outcome)), flush=True)


def explain(seed: int, number: int) -> list[str]:
    """Run one case by the installed command, print what it was given and what came out, and return its faults."""
    with Bench(seed) as bench:
        case = bench.case(number)
        for name, content in case.files.items():
            print(f"--- {name}\n{_shown(content)}")
        body: list[Any] = []

        def listen(count: int, parameters: dict[str, str]) -> bytes:
            body.append(case.answer(count, parameters))
            return bytes(body[-1])

        ending = bench.run(dataclasses.replace(case, answer=listen), installed=True)
        for count, each in enumerate(body):
            print(f"--- answer {count}\n{_shown(each)}")
        print(f"--- stdout\n{_shown(ending.stdout)}\n--- stderr\n{_shown(ending.stderr.encode())}")
        print(f"--- status {ending.status}, {ending.seconds:.1f} s, {ending.peak >> 20} MiB")
        return _faults(case, ending)


def _shown(content: bytes) -> str:
    text = content.decode("utf-8", "backslashreplace")
    return text if len(text) < 2 * SHOWN else f"{text[:SHOWN]} … {len(text)} characters … {text[-SHOWN:]}"
