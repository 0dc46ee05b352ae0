"""From the API into PostgreSQL with Meltano: every value, twice, with nothing missing and nothing doubled."""

from __future__ import annotations

import json
import subprocess
import tempfile
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import psycopg
import pytest
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads

from demo.control import ROOT, FakeAPI
from demo.postgres import libpq_url, postgres
from tests.running import BIN, environment

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE_S = 300
COLUMNS = {
    "id": "text",
    "name": "text",
    "created_at": "timestamp without time zone",
    "updated_at": "timestamp without time zone",
    "size": "bigint",
    "content_type": "text",
    "checksum": "text",
    "path": "text",
    "is_public": "boolean",
    "metadata": "jsonb",
}

exactly = partial(json.loads, parse_float=Decimal)


class Pipeline:
    """`meltano run tap-storage …`, from an API into a database, with a state of its own."""

    def __init__(self, api: FakeAPI, database: str, directory: Path) -> None:
        self.api = api
        self._database = database
        self._env = environment(
            TAP_STORAGE_BASE_URL=api.url,
            TAP_STORAGE_API_KEY=api.api_key,
            TARGET_POSTGRES_SQLALCHEMY_URL=database,
            TARGET_JSONL_DESTINATION_PATH=str(directory),
            MELTANO_HUB_URL="http://127.0.0.1:9",
            MELTANO_DATABASE_URI=f"sqlite:///{directory}/meltano.db",
        )

    def meltano(self, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run Meltano in the project of this repository."""
        return subprocess.run(
            [BIN / "meltano", *arguments],
            cwd=ROOT,
            env=self._env | extra,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )

    def run(self, loader: str = "target-postgres", **extra: str) -> str:
        """Copy once; return the log."""
        completed = self.meltano("run", "tap-storage", loader, **extra)
        assert completed.returncode == 0, completed.stderr
        return completed.stderr

    def rows(self) -> list[dict[str, Any]]:
        """Return the table, by id."""
        with psycopg.connect(libpq_url(self._database), row_factory=dict_row) as connection:
            set_json_loads(exactly, connection)
            names = ", ".join(COLUMNS)
            return connection.execute(f"select {names} from storage.storage_data order by id").fetchall()  # noqa: S608

    def json_rows(self, table: str) -> list[dict[str, Any]]:
        """Return a table of any columns, by id, as PostgreSQL writes JSON."""
        with psycopg.connect(libpq_url(self._database)) as connection:
            set_json_loads(exactly, connection)
            query = f"select to_jsonb(t) from storage.{table} t order by id"  # noqa: S608
            return [row for (row,) in connection.execute(query.encode())]

    def count(self, condition: str) -> int:
        """Return how many rows fulfil a condition."""
        query = f"select count(*) from storage.storage_data where {condition}"  # noqa: S608
        with psycopg.connect(libpq_url(self._database)) as connection:
            (number,) = connection.execute(query).fetchone() or (0,)
            return int(number)

    def kill_tap(self, *, after: int, **extra: str) -> int:
        """Copy, and kill the tap once the API has had so many requests; return Meltano's exit status."""
        before = len(self.api.requests())
        with subprocess.Popen(
            [BIN / "meltano", "run", "tap-storage", "target-postgres"],
            cwd=ROOT,
            env=self._env | extra,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as process:
            while len(self.api.requests()) < before + after:
                assert process.poll() is None
            for child in psutil.Process(process.pid).children(recursive=True):
                if any(part.endswith("tap-storage") for part in child.cmdline()):
                    child.kill()
            return process.wait(PATIENCE_S)

    def columns(self) -> dict[str, str]:
        """Return the types of the table's columns, but for the loader's own."""
        query = "select column_name, data_type from information_schema.columns where table_name = 'storage_data'"
        with psycopg.connect(libpq_url(self._database)) as connection:
            return {name: kind for name, kind in connection.execute(query) if not name.startswith("_sdc_")}

    def served(self) -> list[dict[str, Any]]:
        """Return what the API holds, by id, as the table should have it."""
        records = exactly(json.dumps(self.api.records()))
        for record in records:
            for name in ("created_at", "updated_at"):
                record[name] = record[name] and datetime.fromisoformat(record[name].removesuffix("Z"))
        return sorted(records, key=lambda record: str(record["id"]))


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    """Start an API that caps its pages, and an empty database.

    That is not in pytest's own directory: run by root, PostgreSQL is another user, whom pytest shuts out again.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tap-storage-", ignore_cleanup_errors=True) as data,
        FakeAPI(records=600, cap=50) as api,
        postgres(Path(data) / "data") as database,
    ):
        yield Pipeline(api, database, tmp_path)


def test_every_value_arrives_in_postgres_and_a_second_run_doubles_nothing(pipeline: Pipeline) -> None:
    """Rows would be missing, doubled or changed where people work with them."""
    pipeline.run()
    assert pipeline.columns() == COLUMNS
    assert pipeline.rows() == pipeline.served()
    new = pipeline.api.insert(70)
    before = len(pipeline.api.requests())
    pipeline.run()
    assert pipeline.rows() == pipeline.served()
    assert len(pipeline.rows()) == 600 + len(new)
    assert len(pipeline.api.requests()) > before


def test_the_bookmark_makes_the_round_trip_through_meltano(pipeline: Pipeline) -> None:
    """Every scheduled run would load the whole collection again."""
    pipeline.run("target-jsonl")
    stored = pipeline.meltano("state", "get", "demo:tap-storage-to-target-jsonl").stdout
    newest = max(record["created_at"] for record in pipeline.api.records())
    bookmark = {"replication_key": "created_at", "replication_key_value": newest.replace("Z", ".000000Z")}
    assert json.loads(stored) == {"singer_state": {"bookmarks": {"storage_data": bookmark}}}


def test_a_failing_run_fails_in_meltano_without_the_key(pipeline: Pipeline) -> None:
    """A scheduler would report success, or keep the key in its log."""
    wrong = "a-wrong-key+/="
    completed = pipeline.meltano("--log-level=debug", "run", "tap-storage", "target-jsonl", TAP_STORAGE_API_KEY=wrong)
    assert completed.returncode == 1
    assert "401 Unauthorized: check api_key" in completed.stderr
    assert [text for text in (wrong, "a-wrong-key%2B%2F%3D") if text in completed.stderr + completed.stdout] == []


def test_a_full_table_is_chosen_by_metadata(pipeline: Pipeline) -> None:
    """A scheduled full refresh could not be set up without code."""
    method = json.dumps({"storage_data": {"replication-method": "FULL_TABLE"}})
    log = pipeline.run("target-jsonl", TAP_STORAGE__METADATA=method)
    assert "in full_table mode" in log


def test_a_pipeline_whose_tap_is_killed_goes_on_where_it_was(pipeline: Pipeline) -> None:
    """A large collection would never be copied to its end, or with gaps."""
    api = pipeline.api
    api.reset(records=20_000)
    state: dict[str, Any] = {}
    for _ in range(3):  # on a busy machine, Meltano may end the loader before that has written a state
        if not state:
            assert pipeline.kill_tap(after=320) != 0
            state = json.loads(pipeline.meltano("state", "get", "demo:tap-storage-to-target-postgres").stdout)
    assert "walk" in state["singer_state"]["bookmarks"]["storage_data"]
    before = len(api.requests())
    pipeline.run()
    again = api.requests()[before:]
    assert again[0]["offset"] == 0  # the sample for the catalog
    assert min(request["offset"] for request in again[1:]) > 9_000
    assert pipeline.rows() == pipeline.served()
    stored = json.loads(pipeline.meltano("state", "get", "demo:tap-storage-to-target-postgres").stdout)
    assert set(stored["singer_state"]["bookmarks"]["storage_data"]) == {"replication_key", "replication_key_value"}


def test_a_full_refresh_drops_what_is_gone_and_nothing_else(pipeline: Pipeline) -> None:
    """Rows that are gone at the source would stay for ever, or a failing run empty the table."""
    api = pipeline.api
    refresh = {"TAP_STORAGE_REPLICATION_KEY": "", "TAP_STORAGE_EMIT_ACTIVATE_VERSION_MESSAGES": "true"}
    gone = "_sdc_deleted_at is not null"
    pipeline.run(**refresh)
    assert (pipeline.count("true"), pipeline.count(gone)) == (600, 0)
    (deleted,) = api.delete(at="front")
    api.behave(latency_ms=20)
    assert pipeline.kill_tap(after=5, **refresh) != 0
    api.behave(latency_ms=0)
    assert pipeline.count(gone) == 0
    window = {"TAP_STORAGE_START_DATE": "2020-01-01T00:30:00Z", "TAP_STORAGE_REPLICATION_KEY": "created_at"}
    pipeline.run(**refresh | window)
    assert pipeline.count(gone) == 0
    pipeline.run(**refresh)
    assert (pipeline.count("true"), pipeline.count(gone)) == (600, 1)
    assert pipeline.count(f"{gone} and id = '{deleted}'") == 1
    api.delete(at="front", count=599)
    pipeline.run(**refresh)
    assert pipeline.count(gone) == 1


def test_a_month_is_read_again_beside_the_daily_run(pipeline: Pipeline) -> None:
    """A backfill would move the daily run's bookmark, or begin at it."""
    pipeline.run("target-jsonl")
    daily = pipeline.meltano("state", "get", "demo:tap-storage-to-target-jsonl").stdout
    before = len(pipeline.api.requests())
    month = {"TAP_STORAGE_START_DATE": "2020-01-01T00:10:00Z", "TAP_STORAGE_END_DATE": "2020-01-01T00:20:00Z"}
    completed = pipeline.meltano("run", "--state-id-suffix=backfill", "tap-storage", "target-jsonl", **month)
    assert completed.returncode == 0, completed.stderr
    assert len(pipeline.api.requests()) > before
    assert pipeline.meltano("state", "get", "demo:tap-storage-to-target-jsonl").stdout == daily
    beside = pipeline.meltano("state", "get", "demo:tap-storage-to-target-jsonl:backfill").stdout
    bookmark = json.loads(beside)["singer_state"]["bookmarks"]["storage_data"]["replication_key_value"]
    assert bookmark == "2020-01-01T00:19:30.000000Z"


VENDORS: list[dict[str, Any]] = [
    {"id": 1, "any": 5, "dates": "2024-01-31", "list": [1, 2], "deep": {"a": [{"b": 1}]}, "big": 1, "odd": {"x": 1}},
    {"id": 2, "any": "x", "dates": "2024-02-01", "list": [], "deep": {"a": [], "c": True}, "big": 2**70, "odd": "text"},
    {"id": 3, "any": "y", "dates": None, "list": None, "deep": None, "big": None, "odd": [1, "y"]},
    {"id": 4, "any": 1.5, "made": "2024-01-31T08:00:00.5Z", "never": None, "none": []},
]


def test_another_vendors_fields_arrive_in_postgres(pipeline: Pipeline) -> None:
    """What a sample shows would be refused by the destination, or stored as something else."""
    resources = [{"name": "files", "path": "/v1/files"}, {"name": "folders", "path": "/v1/folders"}]
    pipeline.api.behave(paths=["/v1/files", "/v1/folders"], cap=None)
    pipeline.api.replace(json.dumps(VENDORS))
    pipeline.run(TAP_STORAGE_RESOURCES=json.dumps(resources), TAP_STORAGE_REPLICATION_KEY="")
    for table in ("files", "folders"):
        rows = pipeline.json_rows(table)
        assert [row["big"] for row in rows] == ["1", str(2**70), None, None]
        assert [row["any"] for row in rows] == ["5", "x", "y", "1.5"]
        assert [row["dates"] for row in rows] == ["2024-01-31", "2024-02-01", None, None]
        assert [row["list"] for row in rows] == [record.get("list") for record in VENDORS]
        assert [row["deep"] for row in rows] == [record.get("deep") for record in VENDORS]
        assert [row["odd"] for row in rows] == [record.get("odd") for record in VENDORS]
        assert [row["made"] for row in rows][3].startswith("2024-01-31T08:00:00.5")
