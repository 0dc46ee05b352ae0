"""The ids of the records that a contender delivered, by the form in which it does: read after its run, at leisure.

Lines without an id, or that were cut off when a contender failed, deliver nothing.
"""

from __future__ import annotations

import gzip
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import psycopg

from demo.postgres import libpq_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from benchmarks.contender import Task


T = TypeVar("T")


class _Identified(msgspec.Struct):
    id: str | int


class _Emitted(msgspec.Struct):
    data: _Identified


class _Singer(msgspec.Struct):
    type: str
    record: _Identified | None = None


class _Airbyte(msgspec.Struct):
    type: str
    record: _Emitted | None = None


def of_singer(task: Task) -> Iterator[Any]:
    """Yield the id of each RECORD message on stdout."""
    for message in _decoded(task.stdout, _Singer):
        if message.type == "RECORD" and message.record:
            yield message.record.id


def of_airbyte(task: Task) -> Iterator[Any]:
    """Yield the id of each RECORD message of the Airbyte protocol on stdout."""
    for message in _decoded(task.stdout, _Airbyte):
        if message.type == "RECORD" and message.record:
            yield message.record.data.id


def of_dlt_extract(task: Task) -> Iterator[Any]:
    """Yield the id of each record in the load package that dlt has extracted, a list of records a line."""
    for path in sorted(task.directory.glob("pipelines/*/normalize/extracted/*/new_jobs/storage_data.*")):
        for page in _decoded(path, list[_Identified]):
            for record in page:
                yield record.id


def of_table(schema: str) -> Callable[[Task], Iterator[Any]]:
    """Return a function that yields the ids in the table storage_data of this schema of the database."""

    def ids(task: Task) -> Iterator[Any]:
        with psycopg.connect(libpq_url(task.database)) as connection:
            for row in connection.execute(f"SELECT id FROM {schema}.storage_data"):  # noqa: S608
                yield row[0]

    return ids


def _decoded(path: Path, form: type[T]) -> Iterator[T]:
    """Yield what the lines of a file say, where they have this form."""
    decode = msgspec.json.Decoder(form).decode
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as lines:
        for line in lines:
            with suppress(msgspec.DecodeError):
                yield decode(line)
