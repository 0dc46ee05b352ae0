"""`python -m benchmarks.hazards`: puts the same hazards to tap-storage and its peers, and says what became of it.

Writes hazards.md and hazards.json: in this directory after a whole run, in `.bench/` after one that `--only` has
narrowed. Takes a quarter of an hour. What each wrote last to its standard error is in `.bench/hazards/`. Exits 0
whatever becomes of the contenders; 1 where one could not be installed.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from benchmarks import environments
from benchmarks.environments import SetupError
from benchmarks.hazards_judge import DEADLINE_S, TOO_MANY, Judged, put
from benchmarks.hazards_put import CONTENDERS, HAZARDS, KILLED_OF, LIMIT, RECORDS
from demo.signals import exit_on_signals
from demo.stage import step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.contender import Contender
    from benchmarks.hazards_put import Hazard

HERE = Path(__file__).parent
AT_A_TIME = 2

OPENING = """# The same hazards, put to tap-storage and its peers

Written by `python -m benchmarks.hazards`. {date}, Python {python}, {versions}.

Each cell is one run of the whole command against a fake API of its own, that has {records:,} records and behaves well
but for the hazard; {limit} records are asked for at a time. Judged are the records that came out, the exit status and
the API's own journal, never what a contender says of itself.

- **complete**: every record once, exit status 0. *fails*: an exit status other than 0, whatever had come by then.
- **loses n**: so many records never came, and the exit status was 0. Of a collection that changes while it is read,
  only records count that were there from the first request to the last.
- *n twice*: so many records came more than once; a destination that upserts by primary key makes one of them. For the
  run after a kill that is no fault, and not counted.
- **alters n**: so many values are not what the API sent, exit status 0. *n keyless*: so many records are handed on
  without their primary key, exit status 0: what becomes of them is up to the destination.
- **never ends**: asked {many} times as often as there are pages, or still ran after {deadline} s, and was ended.
- **prints the key**: the API key is in the output, as it is or percent-encoded.
- The best that a reader can do is in the third column. The numbers are those of the project's list of hazards.

How they are configured: tap-storage by default settings but for the page size. The peers as in the
[benchmark](results.md), retries as they come: `contenders.py`, `peers/`, `hazards_put.py`. dlt runs its whole pipeline,
into a destination that prints what is loaded, and in both of the ways to end that its documentation offers: at the
total of the API, its default, and at an empty page (`total_path: None`), for APIs without one. Airbyte's manifest also
declares the key a secret, and heeds Retry-After. A killed contender is run again with the last state that it wrote, or
in the directory that it left: "requests after it" are those of that run, of a collection of {killed:,} records.

Not measured: incremental runs (16 to 18), signals (20), an API that does not answer or trickles (12), what becomes of
records that are gone at the source (23).

To repeat it, in a quarter of an hour: `uv run python -m benchmarks.hazards`; `--only` and `--hazard` narrow it."""


@dataclasses.dataclass(frozen=True)
class Results:
    """What was judged. date: ISO 8601. versions: by contender."""

    date: str
    python: str
    versions: dict[str, str]
    judged: list[Judged]


def main(arguments: Sequence[str] | None = None) -> int:
    """Put them; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hazards", description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="TEXT", help="part of a contender's name")
    parser.add_argument("--hazard", action="append", default=[], metavar="TEXT", help="part of a hazard's text")
    parser.add_argument("--installed", action="store_true", help="leave the environments as they are")
    parser.add_argument("--render", action="store_true", help="only write the table anew from hazards.json")
    options = parser.parse_args(arguments)
    exit_on_signals()
    if options.render:
        write(load(HERE / "hazards.json"), HERE)
        return 0
    contenders = [each for each in CONTENDERS if _meant(each.name, options.only)]
    hazards = [each for each in HAZARDS if _meant(each.text, options.hazard)]
    try:
        results = hold(contenders, hazards, install=not options.installed)
    except SetupError as error:
        print(f"The peers could not be installed: {error}", file=sys.stderr)
        return 1
    directory = environments.BENCH if options.only or options.hazard else HERE
    write(results, directory)
    print(f"==> Written to {directory / 'hazards.md'}")
    return 0


def hold(contenders: Sequence[Contender], hazards: Sequence[Hazard], *, install: bool) -> Results:
    """Put each of these hazards to each of these contenders, two at a time. Raises SetupError."""
    peers = sorted({each.peer for each in contenders})
    environments.BENCH.mkdir(exist_ok=True)
    if install:
        with step("Installing the peers, each into an environment of its own"):
            environments.install(peers)
    versions = environments.versions(peers)
    logs = environments.BENCH / "hazards"
    logs.mkdir(exist_ok=True)
    judged, pairs = [], [(contender, hazard) for hazard in hazards for contender in contenders]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        for each in pool.map(lambda pair: put(pair[0], pair[1], logs), pairs):
            print(f"    {each.hazard:55} {each.contender:24} {told(each)}", flush=True)
            judged.append(each)
    return Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        python=environments.python_version(peers[0]),
        versions={each.name: versions[each.peer] for each in contenders},
        judged=judged,
    )


def load(path: Path) -> Results:
    """Read the results. Raises msgspec.ValidationError for what is none."""
    return msgspec.json.decode(path.read_bytes(), type=Results)


def write(results: Results, directory: Path) -> None:
    """Write both files."""
    content = msgspec.json.format(msgspec.json.encode(results), indent=1)
    (directory / "hazards.json").write_bytes(content + b"\n")
    (directory / "hazards.md").write_text(report(results), encoding="utf-8")


def report(results: Results) -> str:
    """Return the text of hazards.md: how to read it, one row a hazard, one column a contender, and their sums."""
    contenders = list(results.versions)
    found = {(each.hazard, each.contender): each for each in results.judged}
    rows = [
        [str(hazard.number), hazard.text, hazard.best, *(told(found[hazard.text, name]) for name in contenders)]
        for hazard in HAZARDS
        if any((hazard.text, name) in found for name in contenders)
    ]
    head = ["#", "hazard", "at best", *contenders]
    lines = [head, ["--:", *["---"] * (len(head) - 1)], *rows]
    opening = OPENING.format(
        date=results.date,
        python=results.python,
        versions=", ".join(dict.fromkeys(results.versions.values())),
        records=RECORDS,
        limit=LIMIT,
        many=TOO_MANY,
        deadline=DEADLINE_S,
        killed=KILLED_OF,
    )
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{opening}\n\n{table}\n\n{_sums(results)}\n"


def told(judged: Judged) -> str:
    """Return what a cell says."""
    words = {
        "complete": "complete",
        "fails loudly": "fails",
        "never ends": "**never ends**",
        "loses silently": f"**loses {judged.lost:,}**",
        "alters": f"**alters {judged.altered:,}**",
        "without key": f"{judged.keyless:,} keyless",
        "duplicates": f"{judged.twice:,} twice",
    }
    said = [words[judged.verdict]]
    if judged.verdict == "loses silently" and judged.twice:
        said.append(f"{judged.twice:,} twice")
    if judged.leaked:
        said.append("**prints the key**")
    if judged.waited is not None:
        said.append(f"asks again after {judged.waited:g} s")
    if judged.resumed is not None:
        said.append(f"{judged.resumed} requests after it")
    return ", ".join(said)


def _sums(results: Results) -> str:
    """Return how often each contender did what no reader should, of so many hazards."""
    lines = []
    for name in results.versions:
        own = [each for each in results.judged if each.contender == name]
        silent = sum(each.verdict in {"loses silently", "alters"} for each in own)
        endless = sum(each.verdict == "never ends" for each in own)
        lines.append(
            f"- {name}: of {len(own)} hazards, lost or altered records silently under {silent}, "
            f"never ended under {endless}, printed the key under {sum(each.leaked for each in own)}."
        )
    return "\n".join(lines)


def _meant(name: str, texts: Sequence[str]) -> bool:
    return not texts or any(text in name for text in texts)


if __name__ == "__main__":
    sys.exit(main())
