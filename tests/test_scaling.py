"""The model of scaling is held against what was measured, and the page has these figures."""

from __future__ import annotations

import json

import pytest

from benchmarks.scaling.__main__ import DOCS, FITTED, HELD_OUT, HERE, LARGEST_ERROR, main
from benchmarks.scaling.model import Measured, Point, bound, fit, predict
from benchmarks.scaling.runs import FailedError, measure


def recorded() -> list[Measured]:
    """Return the runs that the page is about."""
    content = json.loads((HERE / "runs.json").read_text(encoding="utf-8"))
    return [Measured(**{**run, "point": Point(**run["point"])}) for run in content["runs"]]


def test_predictions_hold_where_the_model_was_not_fitted() -> None:
    """A model that only repeats what it was told would advise wrongly."""
    assert not {*FITTED} & {*HELD_OUT}
    assert len({(point.latency, point.limit, point.concurrency, point.slices) for point in HELD_OUT}) == len(HELD_OUT)
    runs = {run.point: run for run in recorded()}
    assert set(runs) == {*FITTED, *HELD_OUT}
    costs = fit([runs[point] for point in FITTED], cores=2)
    errors = [runs[point].seconds / predict(point, costs) - 1 for point in HELD_OUT]
    assert max(map(abs, errors)) <= LARGEST_ERROR
    assert {bound(point, costs) for point in HELD_OUT} == {"latency", "rate", "one process", "cores"}


def test_the_page_has_these_figures() -> None:
    """A reader would rely on what was measured with another version."""
    before = [(DOCS / name).read_text(encoding="utf-8") for name in ("scaling.md", "scaling.svg")]
    assert main(["--render"]) == 0
    assert [(DOCS / name).read_text(encoding="utf-8") for name in ("scaling.md", "scaling.svg")] == before


def test_a_measurement_is_of_whole_copies() -> None:
    """Half a collection is read in half the time."""
    slow = measure(Point(latency=50, limit=100, concurrency=1, rate=0, slices=2, records=1000))
    assert slow.seconds >= 5 * 0.05
    assert 0 < slow.api_cpu < slow.tap_cpu
    with pytest.raises(FailedError, match="exit statuses"):
        measure(Point(latency=0, limit=0, concurrency=1, rate=0, slices=1, records=100))
