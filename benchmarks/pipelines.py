"""Contenders that copy into PostgreSQL: `meltano run tap-storage target-postgres`, and dlt's whole pipeline."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import yaml

from benchmarks import contenders, delivered, environments
from benchmarks.contender import Contender, LostError
from benchmarks.environments import BENCH, bin_of
from demo.postgres import libpq_url
from demo.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.contender import Task

PROJECT = BENCH / "meltano"
LOADER = "target-postgres"
VENV = PROJECT / ".meltano" / "loaders" / LOADER / "venv"
SCHEMAS = ("storage", "dlt", "dlt_staging")
BATCH = {"encoding": {"format": "jsonl", "compression": "none"}, "storage": {"root": "file://$BENCH_BATCHES"}}


def clear(database: str) -> None:
    """Drop what a pipeline before has left, and have it off the disk."""
    with psycopg.connect(libpq_url(database), autocommit=True) as connection:
        for schema in SCHEMAS:
            connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
        connection.execute("CHECKPOINT")


def prepare() -> None:
    """Make a Meltano project like the repository's, with the tap that was installed for the benchmark."""
    shutil.rmtree(PROJECT, ignore_errors=True)
    (PROJECT / "plugins").mkdir(parents=True)
    shutil.copytree(ROOT / "plugins" / "loaders", PROJECT / "plugins" / "loaders")
    written = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (PROJECT / "meltano.yml").write_text(yaml.safe_dump(project(written)), encoding="utf-8")
    environments.call(
        str(bin_of("meltano") / "meltano"), "--log-level=warning", "install", "loader", LOADER, cwd=PROJECT
    )
    environments.call(str(VENV / "bin" / "python"), "-m", "compileall", "-q", str(VENV / "lib"))


def loader_version() -> str:
    """Return the version of the loader that is installed."""
    return environments.version_in(VENV, "meltanolabs-target-postgres")


def project(written: dict[str, Any]) -> dict[str, Any]:
    """Return the repository's meltano.yml for another directory: two environments, in which the tap alone differs."""
    plugins = written["plugins"]
    (tap,) = plugins["extractors"]
    tap = {**tap, "executable": str(bin_of("tap_storage") / "tap-storage")}
    del tap["pip_url"]
    loaders = [loader for loader in plugins["loaders"] if loader["name"] == LOADER]
    batch = {"plugins": {"extractors": [{"name": tap["name"], "config": {"batch_config": BATCH}}]}}
    return {
        **written,
        "plugins": {"extractors": [tap], "loaders": loaders},
        "environments": [{"name": "record"}, {"name": "batch", "config": batch}],
    }


def meltano(name: str) -> Callable[[Task], Sequence[str]]:
    """Return how Meltano is started in one of the environments."""

    def command(task: Task) -> Sequence[str]:
        # No state and no cached catalog from a run before: the first run of a new project, but for the installation.
        for made in ("meltano", "batches"):
            (task.directory / made).mkdir()
        (task.directory / "meltano" / "loaders").symlink_to(PROJECT / ".meltano" / "loaders")
        return [str(task.bin / "meltano"), f"--cwd={PROJECT}", f"--environment={name}", *RUN]

    return command


def of_batches(task: Task) -> Iterator[Any]:
    """Yield the ids in the table, if they came by batch files. Raises LostError if they did not."""
    if not any((task.directory / "batches").iterdir()):
        message = "tap-storage, BATCH: no batch files were written, batch_config had no effect"
        raise LostError(message)
    yield from delivered.of_table("storage")(task)


RUN = ("run", "--no-install", "tap-storage", LOADER)


def meltano_environment(task: Task) -> Mapping[str, str]:
    """Return the settings that differ from run to run."""
    return {
        "BENCH_BATCHES": str(task.directory / "batches"),
        "MELTANO_SYS_DIR_ROOT": str(task.directory / "meltano"),
        "TAP_STORAGE_BASE_URL": task.url,
        "TAP_STORAGE_API_KEY": task.api_key,
        "TAP_STORAGE_LIMIT": str(task.limit),
        "TARGET_POSTGRES_SQLALCHEMY_URL": task.database,
    }


def dlt(disposition: str) -> Callable[[Task], Sequence[str]]:
    """Return how dlt is started with a write disposition."""

    def command(task: Task) -> Sequence[str]:
        # dlt asks for a host, and for a password, which the server does not.
        host = quote(parse_qs(urlsplit(task.database).query)["host"][0], safe="")
        return contenders.dlt(task, f"postgresql://postgres:none@{host}/postgres", disposition)

    return command


TAP_RECORD = Contender(
    "tap-storage, RECORD", "meltano", meltano("record"), delivered.of_table("storage"), meltano_environment
)
TAP_BATCH = Contender("tap-storage, BATCH", "meltano", meltano("batch"), of_batches, meltano_environment)
DLT_APPEND = Contender("dlt, append", "dlt", dlt("append"), delivered.of_table("dlt"), contenders.dlt_environment)
DLT_MERGE = Contender("dlt, merge", "dlt", dlt("merge"), delivered.of_table("dlt"), contenders.dlt_environment)

PIPELINES = (TAP_RECORD, TAP_BATCH, DLT_APPEND, DLT_MERGE)
