"""The model: how long runs take, from what the API and the settings are, and five costs that are measured.

Pure. Times in seconds, CPU times per page and record.
"""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class Point:
    """What is run. latency: of an answer, in milliseconds. rate: requests a second of each process, 0 for any."""

    latency: int
    limit: int
    concurrency: int
    rate: float
    slices: int
    records: int


@dataclasses.dataclass(frozen=True)
class Measured:
    """What a run took: seconds from beginning to end, and the CPU time of the tap and of the API."""

    point: Point
    seconds: float
    tap_cpu: float
    api_cpu: float


@dataclasses.dataclass(frozen=True)
class Costs:
    """What the model knows of a machine. start: before the first request is answered; a page and a record, for each."""

    start: float
    tap_page: float
    tap_record: float
    api_page: float
    api_record: float
    cores: int

    def tap(self, limit: int) -> float:
        """Return the CPU time that a page takes in the tap."""
        return self.tap_page + self.tap_record * limit

    def api(self, limit: int) -> float:
        """Return the CPU time that a page takes in the API, which runs on the same machine here."""
        return self.api_page + self.api_record * limit


def bounds(point: Point, costs: Costs) -> dict[str, float]:
    """Return the pages a second that all slices together could read, by what bounds them; the least is what they do."""
    tap, api = costs.tap(point.limit), costs.api(point.limit)
    answer = point.latency / 1000 + tap + api
    return {
        "latency": point.slices * point.concurrency / answer,
        "rate": point.slices * point.rate if point.rate else math.inf,
        "one process": point.slices / tap,
        "the API": 1 / api,
        "cores": costs.cores / (tap + api),
    }


def predict(point: Point, costs: Costs) -> float:
    """Return how many seconds it takes until the last slice is read."""
    pages = point.records / point.slices / point.limit
    start = costs.start * max(1.0, point.slices / costs.cores)
    # The first pages are asked for one by one, and then one more at a time: so much longer than in full flight.
    in_flight = min(point.concurrency, max(1.0, pages))
    ramp = point.latency / 1000 * sum(1 / number for number in range(1, int(in_flight) + 1))
    return start + ramp + pages * point.slices / min(bounds(point, costs).values())


def bound(point: Point, costs: Costs) -> str:
    """Return what bounds these runs."""
    allowed = bounds(point, costs)
    return min(allowed, key=lambda name: allowed[name])


def fit(runs: Sequence[Measured], *, cores: int) -> Costs:
    """Return the costs that explain these runs best: CPU times by least squares, the start by what they leave."""
    pages = np.array([run.point.records / run.point.limit for run in runs])
    records = np.array([run.point.records for run in runs])
    processes = np.array([run.point.slices for run in runs])
    tap = _least_squares([processes, pages, records], [run.tap_cpu for run in runs])
    api = _least_squares([pages, records], [run.api_cpu for run in runs])
    costs = Costs(0.0, tap[1], tap[2], api[0], api[1], cores)
    left = [(run.seconds - predict(run.point, costs)) / max(1.0, run.point.slices / cores) for run in runs]
    return dataclasses.replace(costs, start=float(np.median(left)))


def _least_squares(columns: Sequence[np.ndarray], wanted: Sequence[float]) -> list[float]:
    """Return the factors, none below 0, by which columns add up to what is wanted, each row by its own size."""
    target = np.array(wanted)
    matrix = np.stack(columns, axis=1) / target[:, None]
    factors, *_ = np.linalg.lstsq(matrix, np.ones(len(target)), rcond=None)
    return [max(0.0, float(factor)) for factor in factors]
