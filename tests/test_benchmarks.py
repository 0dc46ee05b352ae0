"""The benchmark's figures are what its runs were, and no run counts that lost a record."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from benchmarks import contenders, delivered, pipelines
from benchmarks.cells import CELLS, Cell, chosen
from benchmarks.contender import PEERS, Contender, LostError, Task
from benchmarks.environments import DISTRIBUTIONS, environment
from benchmarks.measure import Outcome, measure
from benchmarks.plot import plot
from benchmarks.report import report
from benchmarks.results import Measured, Results, Run, load
from benchmarks.rounds import Effort, checked, run
from benchmarks.targets import targets
from demo.control import FakeAPI
from demo.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 250
WRITTEN = ROOT / "benchmarks"


def plain_loop(task: Task) -> list[str]:
    """Start the bare loop with this process's Python, as its own environment is not installed here."""
    return [sys.executable, str(PEERS / "bare_loop" / "loop.py"), task.url, task.api_key, str(task.limit)]


def installed_tap(task: Task) -> list[str]:
    """Start the tap of this environment."""
    settings = task.write("config.json", contenders.tap_storage()(task))
    return [str(Path(sys.executable).with_name("tap-storage")), "--config", settings]


PLAIN_LOOP = Contender("bare loop", "bare_loop", plain_loop, delivered.of_singer)
INSTALLED_TAP = Contender("tap-storage", "tap_storage", installed_tap, delivered.of_singer)


def outcome(records: int = RECORDS, *, status: int = 0, distinct: int | None = None, wall_s: float = 1.0) -> Outcome:
    """Return an outcome with these deliveries."""
    told = records if distinct is None else distinct
    return Outcome(status, wall_s, cpu_s=0.5, rss_mib=50, server_cpu_s=0.1, delivered=records, distinct=told, log="why")


def cell_of(key: str, figures: dict[str, list[float]], figure: str, records: int = 1_000_000) -> Measured:
    """Return a cell whose runs have these figures; the others are 1."""
    runs = [
        Run(name, **{"wall_s": 1.0, "cpu_s": 1.0, "rss_mib": 1.0, "server_cpu_s": 0.0, figure: value})
        for name, values in figures.items()
        for value in values
    ]
    return Measured(key, "flat", 20, 100, records, database=False, runs=runs)


def results_of(*cells: Measured) -> Results:
    """Return the results of these cells."""
    machine = {"processor": "P", "cores": "2", "memory": "4 GiB", "system": "Linux", "Python": "3.11.7"}
    return Results("2026-01-01T00:00:00+00:00", machine, {"dlt, extract alone": "dlt 1.0"}, list(cells))


@pytest.fixture(scope="module")
def api() -> Iterator[FakeAPI]:
    """One process for all tests of this file, which caps its pages at 50 records."""
    with FakeAPI(RECORDS, cap=50) as running:
        yield running


def test_a_contender_meets_whatever_the_api_is_told_to_do(api: FakeAPI) -> None:
    """The same contenders are to be held against each hazard, where losing records is the result, not an accident."""
    lost = measure(PLAIN_LOOP, api, limit=100, records=RECORDS)
    kept = measure(INSTALLED_TAP, api, limit=100, records=RECORDS)
    assert [(each.status, each.delivered, each.distinct) for each in (lost, kept)] == [(0, 50, 50), (0, 250, 250)]
    assert all(each.cpu_s > 0 and each.wall_s > 0 and each.rss_mib > 1 for each in (lost, kept))


@pytest.mark.parametrize(
    "wrong", [outcome(RECORDS - 1), outcome(RECORDS + 1, distinct=RECORDS), outcome(status=1), outcome(distinct=249)]
)
def test_a_run_that_lost_or_doubled_a_record_or_failed_counts_for_nothing(wrong: Outcome) -> None:
    """Reading half of the records takes half of the time."""
    with pytest.raises(LostError, match=r"(?s)dlt: exit status .* of 250\. .*why"):
        checked("dlt", RECORDS, wrong)


def test_contenders_take_turns_until_they_have_used_up_their_time() -> None:
    """A disturbance would hit one of them alone; a slow one would take the whole day."""
    slow, quick = (Contender(name, "", plain_loop, delivered.of_singer) for name in ("slow", "quick"))
    cell = Cell("cell", "flat", 0, 100, RECORDS, [slow, quick])
    seconds = {"slow": 20.0, "quick": 1.0}
    made = run(cell, Effort(repeats=3, budget_s=30), lambda each: outcome(wall_s=seconds[each.name]))
    assert [each.contender for each in made.runs] == ["slow", "quick", "slow", "quick", "quick"]


def test_figures_are_medians_per_record_and_second() -> None:
    """One disturbed run would be the figure."""
    cell = cell_of("cell", {"tap": [2.0, 9.0, 1.0]}, "wall_s", records=1000)
    assert (cell.median("tap", "wall_s"), cell.rate("tap"), cell.cpu_us("tap")) == (2.0, 500.0, 1000.0)


def test_targets_are_computed_from_the_medians() -> None:
    """A target that is met by assertion is none."""
    tap, dlt, bare = contenders.TAP_STORAGE.name, contenders.DLT.name, contenders.BARE_LOOP.name
    results = results_of(
        cell_of("instant-1000-flat", {tap: [1.0, 2.0, 3.0], dlt: [5.0], bare: [2.0]}, "cpu_s"),
        cell_of("20ms-100-flat", {tap: [2.0], contenders.TAP_STORAGE_16.name: [0.5], dlt: [7.0]}, "wall_s"),
        cell_of("memory-100k", {tap: [70.0]}, "rss_mib"),
        cell_of("memory-1m", {tap: [76.0]}, "rss_mib"),
        cell_of("postgres", {pipelines.TAP_RECORD.name: [2.0], pipelines.DLT_APPEND.name: [2.2]}, "wall_s"),
    )
    told = {target.text: (target.value(results), target.verdict(results)) for target in targets()}
    assert {text: verdict for text, verdict in told.items() if verdict != (None, "not measured")} == {
        "CPU per record, limit 1,000: of the bare loop's": (1.0, "met"),
        "CPU per record, limit 1,000: less than dlt, extract alone": (2.5, "not met"),
        "records/s at 20 ms, limit 100, concurrency 16: of dlt, extract alone": (14.0, "met"),
        "records/s at 20 ms, limit 100, default settings: of dlt, extract alone": (3.5, "met"),
        "peak RSS at 1,000,000 records": (76.0, "met"),
        "the same, above that at 100,000 records": (6.0, "not met"),
        "records/s into PostgreSQL, tap-storage, RECORD: of dlt, append": (1.1, "not met"),
    }
    assert len(told) == 15


def test_a_target_is_not_met_with_fewer_records_than_it_speaks_of() -> None:
    """A quick run would show the memory of a small collection as that of a million records."""
    results = results_of(cell_of("memory-1m", {contenders.TAP_STORAGE.name: [50.0]}, "rss_mib", records=999_999))
    verdicts = {target.text: target.verdict(results) for target in targets()}
    assert verdicts["peak RSS at 1,000,000 records"] == "too few records"


def test_batches_that_were_not_written_are_not_measured(tmp_path: Path) -> None:
    """The same figure as by RECORD would stand there as that of BATCH."""
    (tmp_path / "batches").mkdir()
    with pytest.raises(LostError, match="batch_config had no effect"):
        next(pipelines.of_batches(Task("", "", 100, 3, tmp_path, tmp_path)))


def test_the_report_says_what_was_reached_and_what_was_not() -> None:
    """A table that leaves out the bad figures is advertising."""
    tap, bare = contenders.TAP_STORAGE.name, contenders.BARE_LOOP.name
    text = report(results_of(cell_of("instant-1000-flat", {bare: [1.0], tap: [1.5]}, "cpu_s")))
    assert "| CPU per record, limit 1,000: of the bare loop's | ≤ 1 × | 1.50 × | **not met** |" in text
    assert "| peak RSS at 1,000,000 records | ≤ 80 MiB |  | not measured |" in text
    assert "| bare loop | 1,000,000 | 1.00 | 1.00 | 1.0 | 0.67 | 1 | 1 |" in text


def test_a_picture_has_a_bar_for_each_contender() -> None:
    """The README shows it."""
    figures = {contenders.TAP_STORAGE.name: [0.5], "a < b": [1.0]}
    drawn = plot(results_of(cell_of("20ms-100-flat", figures, "wall_s")))
    assert drawn.count('rx="3"') == 2
    assert "a &lt; b 1,000,000" in drawn
    assert "2,000,000" in drawn


@pytest.mark.skipif(not (WRITTEN / "results.json").exists(), reason="nothing has been measured yet")
def test_table_and_picture_are_of_the_same_results() -> None:
    """Someone would have edited a figure, or forgotten to write one of them."""
    results = load(WRITTEN / "results.json")
    assert (WRITTEN / "results.md").read_text(encoding="utf-8") == report(results)
    assert (WRITTEN / "results.svg").read_text(encoding="utf-8") == plot(results)


def test_cells_and_contenders_are_chosen_by_parts_of_their_names() -> None:
    """`--only` would measure everything, or nothing."""
    cells = chosen(["20ms", "dlt"], records=None, share=50)
    assert {cell.key for cell in cells} == {cell.key for cell in CELLS if "20ms" in cell.key}
    assert {each.name for cell in cells for each in cell.contenders} == {contenders.DLT.name}
    assert [cell.records for cell in cells] == [2000, 2000, 400, 1000]
    assert [cell.key for cell in chosen([], records=None)] == [cell.key for cell in CELLS]
    assert chosen(["no such thing"], records=None) == []


def test_every_contender_says_what_to_install() -> None:
    """It would only show after an hour of measuring."""
    peers = {each.peer for cell in CELLS for each in cell.contenders}
    assert peers == set(DISTRIBUTIONS) == {path.parent.name for path in PEERS.glob("*/requirements.txt")}


def test_what_slows_python_down_or_configures_a_contender_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """PYTHONUNBUFFERED alone doubles the time of some of them."""
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "TAP_STORAGE_LIMIT", "MELTANO_PROJECT_ROOT"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("OTHER", "kept")
    variables = environment({"DLT_DATA_DIR": "here"})
    assert not {name for name in variables if name.startswith(("PYTHONUN", "PYTHONDONT", "TAP_STORAGE_", "MELTANO_"))}
    assert (variables["OTHER"], variables["DLT_DATA_DIR"]) == ("kept", "here")


def test_meltano_runs_with_the_settings_of_this_repository() -> None:
    """The loader would be tuned for the benchmark, and for nobody else."""
    written = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    made = pipelines.project(written)
    (tap,), (loader,) = made["plugins"]["extractors"], made["plugins"]["loaders"]
    assert loader == next(each for each in written["plugins"]["loaders"] if each["name"] == "target-postgres")
    assert {**written["plugins"]["extractors"][0], "executable": tap["executable"]} == {**tap, "pip_url": "-e ."}
    assert [each["name"] for each in made["environments"]] == ["record", "batch"]


def test_records_are_found_in_whatever_form_they_were_delivered(tmp_path: Path) -> None:
    """A form that is misread looks like a loss, or hides one."""
    task = Task("", "", 100, 3, tmp_path, tmp_path)

    def ids(found: Any, *messages: Any) -> list[Any]:
        task.stdout.write_text("".join(f"{json.dumps(each)}\n" for each in messages), encoding="utf-8")
        return list(found(task))

    state = {"type": "STATE", "value": {}}
    assert ids(delivered.of_singer, {"type": "RECORD", "record": {"name": "no id"}}, "no message") == []
    assert ids(delivered.of_singer, {"type": "RECORD", "record": {"id": "a", "type": "RECORD"}}, state) == ["a"]
    emitted = {"type": "RECORD", "record": {"stream": "s", "data": {"id": 1}}}
    assert ids(delivered.of_airbyte, {"type": "LOG", "log": {"message": '"RECORD"'}}, emitted) == [1]
    package = tmp_path / "pipelines" / "bench" / "normalize" / "extracted" / "1" / "new_jobs"
    package.mkdir(parents=True)
    (package / "storage_data.0.typed-jsonl").write_text('[{"id": "a"}, {"id": "b"}]\n', encoding="utf-8")
    with gzip.open(package / "storage_data.1.typed-jsonl.gz", "wt") as packed:
        packed.write('[{"id": "c"}]\n')
    assert list(delivered.of_dlt_extract(task)) == ["a", "b", "c"]
