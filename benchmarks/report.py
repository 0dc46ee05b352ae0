"""The results as Markdown: a table for each cell, and one for the targets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.cells import JITTER_MS
from benchmarks.contenders import TAP_STORAGE
from benchmarks.pipelines import TAP_RECORD
from benchmarks.targets import targets

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from benchmarks.results import Measured, Results

HEAD = ("", "records/s", "×", "CPU s", "CPU µs/record", "×", "peak RSS, MiB", "runs")
SHAPES = {
    "flat": "records of 9 flat fields, some 250 bytes",
    "wide": "records of 30 fields in nested objects, some 750 bytes",
}
OPENING = """# Benchmark

Written by `make bench`. {date}, {where}.

![records per second, and CPU time per record](results.svg)

Versions: {versions}.

- Every run delivered each record exactly once; one that does not fails the benchmark.
- Figures are medians over runs; contenders take turns, and who has used up its time in a cell sits out further rounds.
  They cover the whole command, its start included. × is the ratio to {tap} in its default settings.
- CPU seconds are the contender's own, with its children, not the API's or the database's. Where the API answers at
  once, look at these: it is the API that is waited for there. Peak RSS is that of the largest process.
- "After 20 ms" is after {least} to {most} ms, at random, by the same seed for everybody. The API's process was busy for
  at most {busiest:.0%} of such a run.
- Output goes to a file in memory; dlt's into its load package, uncompressed. How each is configured is in `peers/`,
  `contenders.py` and `pipelines.py`."""

BOUND = {True: "≤", False: "≥"}


def report(results: Results) -> str:
    """Return the text of results.md."""
    parts = [_opening(results), *map(_cell, results.cells), _targets(results)]
    return "\n\n".join(parts) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table; all columns but the first are aligned to the right."""
    lines = [head, ["---", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _opening(results: Results) -> str:
    machine = results.machine
    where = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"
    return OPENING.format(
        date=results.date[:10],
        where=f"{where}, Python {machine['Python']}",
        versions="; ".join(sorted(set(results.versions.values()))),
        tap=TAP_STORAGE.name,
        least=20 - JITTER_MS // 2,
        most=20 + JITTER_MS // 2,
        busiest=max(
            (run.server_cpu_s / run.wall_s for cell in results.cells if cell.latency_ms for run in cell.runs), default=0
        ),
    )


def _cell(cell: Measured) -> str:
    rows = list(_rows(cell))
    if not rows:
        return ""
    answers = f"answers after {cell.latency_ms} ms" if cell.latency_ms else "answers at once"
    into = "Into PostgreSQL, " if cell.database else ""
    title = f"{into}{answers}, limit {cell.limit:,}, {cell.records:,} {SHAPES[cell.shape]}"
    return f"## {title[0].upper()}{title[1:]}\n\n{table(HEAD, rows)}"


def _rows(cell: Measured) -> Iterator[Sequence[str]]:
    standard = TAP_RECORD.name if cell.database else TAP_STORAGE.name
    known = standard in cell.contenders
    for name in cell.contenders:
        yield (
            name,
            f"{cell.rate(name):,.0f}",
            f"{cell.rate(name) / cell.rate(standard):.2f}" if known else "",
            f"{cell.median(name, 'cpu_s'):.2f}",
            f"{cell.cpu_us(name):.1f}",
            f"{cell.cpu_us(name) / cell.cpu_us(standard):.2f}" if known else "",
            f"{cell.median(name, 'rss_mib'):.0f}",
            str(len(cell.of(name))),
        )


def _targets(results: Results) -> str:
    rows = []
    for target in targets():
        value, verdict = target.value(results), target.verdict(results)
        rows.append(
            (
                target.text,
                f"{BOUND[target.at_most]} {target.bound:g} {target.unit}",
                "" if value is None else f"{value:.2f} {target.unit}",
                f"**{verdict}**" if verdict == "not met" else verdict,
            )
        )
    return "## Targets\n\n" + table(("tap-storage", "target", "reached", ""), rows)
