"""`python -m benchmarks.scaling`: measures runs, fits the model on some, and holds it against the others.

Writes runs.json beside this file, and the table and the plot into docs/scaling.md and docs/scaling.svg; `--render` does
that with the runs that are there. Exits 1 where a prediction is further off than 20 %.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import matplotlib as mpl
from matplotlib import pyplot as plt

from benchmarks.machine import facts
from benchmarks.scaling.model import Costs, Measured, Point, bound, fit, predict
from benchmarks.scaling.runs import measure
from demo.marks import publish
from demo.signals import exit_on_signals

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
REPEATS = 3
LARGEST_ERROR: Final = 0.2

FITTED: Final = (
    Point(latency=20, limit=100, concurrency=1, rate=0, slices=1, records=20_000),
    Point(latency=20, limit=100, concurrency=4, rate=0, slices=1, records=80_000),
    Point(latency=20, limit=100, concurrency=16, rate=0, slices=1, records=250_000),
    Point(latency=100, limit=100, concurrency=4, rate=0, slices=1, records=20_000),
    Point(latency=100, limit=1000, concurrency=4, rate=0, slices=1, records=200_000),
    Point(latency=5, limit=1000, concurrency=4, rate=0, slices=1, records=500_000),
    Point(latency=100, limit=100, concurrency=8, rate=20, slices=1, records=10_000),
    Point(latency=100, limit=100, concurrency=4, rate=0, slices=2, records=40_000),
    Point(latency=20, limit=100, concurrency=16, rate=0, slices=2, records=250_000),
)
HELD_OUT: Final = (
    Point(latency=50, limit=100, concurrency=1, rate=0, slices=1, records=10_000),
    Point(latency=50, limit=100, concurrency=4, rate=0, slices=1, records=40_000),
    Point(latency=50, limit=100, concurrency=16, rate=0, slices=1, records=150_000),
    Point(latency=200, limit=100, concurrency=8, rate=0, slices=1, records=20_000),
    Point(latency=200, limit=1000, concurrency=2, rate=0, slices=1, records=50_000),
    Point(latency=10, limit=500, concurrency=4, rate=0, slices=1, records=300_000),
    Point(latency=20, limit=500, concurrency=2, rate=0, slices=1, records=200_000),
    Point(latency=100, limit=500, concurrency=16, rate=0, slices=1, records=300_000),
    Point(latency=50, limit=100, concurrency=8, rate=50, slices=1, records=25_000),
    Point(latency=50, limit=100, concurrency=4, rate=20, slices=3, records=30_000),
    Point(latency=100, limit=100, concurrency=4, rate=0, slices=4, records=80_000),
    Point(latency=50, limit=500, concurrency=4, rate=0, slices=2, records=300_000),
    Point(latency=10, limit=1000, concurrency=8, rate=0, slices=2, records=600_000),
    Point(latency=20, limit=100, concurrency=8, rate=0, slices=4, records=250_000),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, fit, predict; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--render", action="store_true", help="measure nothing, but write the documents again")
    options = parser.parse_args(arguments)
    exit_on_signals()
    recorded = HERE / "runs.json"
    if not options.render:
        content = {"machine": facts(), "runs": [dataclasses.asdict(run) for run in _measured()]}
        recorded.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    content = json.loads(recorded.read_text(encoding="utf-8"))
    runs = [Measured(**{**run, "point": Point(**run["point"])}) for run in content["runs"]]
    fitted = [run for run in runs if run.point in FITTED]
    held_out = [run for run in runs if run.point in HELD_OUT]
    costs = fit(fitted, cores=int(content["machine"]["cores"]))
    publish("costs", _told(costs, content["machine"]), DOCS / "scaling.md")
    publish("fitted", _table(fitted, costs), DOCS / "scaling.md")
    publish("held out", _table(held_out, costs), DOCS / "scaling.md")
    _plot(fitted, held_out, costs, DOCS / "scaling.svg")
    print(_told(costs, content["machine"]), _table(fitted, costs), _table(held_out, costs), sep="\n\n")
    return int(max(abs(_error(run, costs)) for run in held_out) > LARGEST_ERROR)


def _measured() -> list[Measured]:
    """Measure all points, in turn and again: what disturbs the machine for a while spoils no point whole."""
    points = (*FITTED, *HELD_OUT)
    found: dict[Point, list[Measured]] = {point: [] for point in points}
    for number in range(REPEATS):
        for point in points:
            found[point].append(run := measure(point))
            print(f"{number + 1}/{REPEATS} {point}: {run.seconds:.1f} s", flush=True)
    return [_median(runs) for runs in found.values()]


def _median(runs: Sequence[Measured]) -> Measured:
    return Measured(
        runs[0].point,
        *(
            round(statistics.median(getattr(run, name) for run in runs), 3)
            for name in ("seconds", "tap_cpu", "api_cpu")
        ),
    )


def _error(run: Measured, costs: Costs) -> float:
    """Return by how much the predicted records a second are off."""
    return run.seconds / predict(run.point, costs) - 1


def _told(costs: Costs, machine: dict[str, str]) -> str:
    milliseconds, microseconds = 1e3, 1e6
    return (
        f"Start: {costs.start:.2f} s. CPU of the tap: {costs.tap_page * milliseconds:.2f} ms a page and "
        f"{costs.tap_record * microseconds:.2f} µs a record; of the fake API, on the same {machine['cores']} cores: "
        f"{costs.api_page * milliseconds:.2f} ms and {costs.api_record * microseconds:.2f} µs. ({machine['processor']})"
    )


def _table(runs: Sequence[Measured], costs: Costs) -> str:
    settings = ["latency, ms", "`limit`", "`concurrency`", "`requests_per_second`", "slices", "records"]
    names = [*settings, "bound by", "predicted, records/s", "measured", "off by"]
    rows = [f"| {' | '.join(names)} |", "|--:|--:|--:|--:|--:|--:|---|--:|--:|--:|"]
    for run in runs:
        point = run.point
        rows.append(
            f"| {point.latency} | {point.limit:,} | {point.concurrency} | {point.rate or ''} | {point.slices} | "
            f"{point.records:,} | {bound(point, costs)} | {point.records / predict(point, costs):,.0f} | "
            f"{point.records / run.seconds:,.0f} | {_error(run, costs):+.0%} |"
        )
    return "\n".join(rows)


def _plot(fitted: Sequence[Measured], held_out: Sequence[Measured], costs: Costs, path: Path) -> None:
    """Draw predicted against measured records a second."""
    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "tap-storage"
    figure, axes = plt.subplots(figsize=(6, 5), layout="constrained")
    for runs, mark, label in ((fitted, "o", "fitted on"), (held_out, "s", "held out")):
        axes.plot(
            [run.point.records / predict(run.point, costs) for run in runs],
            [run.point.records / run.seconds for run in runs],
            mark,
            fillstyle="none" if mark == "o" else "full",
            label=label,
        )
    ends = [500.0, 200_000.0]
    axes.plot(ends, ends, color="gray", linewidth=0.8)
    axes.fill_between(
        ends,
        [end * (1 - LARGEST_ERROR) for end in ends],
        [end * (1 + LARGEST_ERROR) for end in ends],
        alpha=0.15,
        label="20 %",
    )
    axes.set(
        xscale="log", yscale="log", xlabel="records/s, predicted", ylabel="records/s, measured", xlim=ends, ylim=ends
    )
    axes.legend()
    figure.savefig(path, format="svg", metadata={"Date": None})
    plt.close(figure)


if __name__ == "__main__":
    os.environ.pop("PYTHONUNBUFFERED", None)
    sys.exit(main())
