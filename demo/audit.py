"""Holds the table in PostgreSQL against the API: every record is there, once, with the values that the API has."""

from __future__ import annotations

import dataclasses
from collections import Counter
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.rows import dict_row

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

Row = dict[str, Any]


class Table:
    """The table that target-postgres fills. url: the database's, as psycopg takes it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rows(self) -> list[Row]:
        """Return all rows, in the order of creation."""
        with psycopg.connect(self._url, row_factory=dict_row) as connection:
            return connection.execute("SELECT * FROM storage.storage_data ORDER BY created_at, id").fetchall()


@dataclasses.dataclass(frozen=True)
class Audit:
    """How many records of the API the table misses, has twice, has but the API had never, has with other values."""

    missing: int
    twice: int
    unknown: int
    different: int

    @property
    def passed(self) -> bool:
        """Whether the table is what the API is."""
        return not any(dataclasses.astuple(self))


def audit(rows: Sequence[Row], records: Sequence[Mapping[str, Any]], ever: Collection[Any]) -> Audit:
    """Compare rows with the records that they should be. ever: the id of every record that the API has had."""
    counts = Counter(row["id"] for row in rows)
    by_id = {row["id"]: row for row in rows}
    return Audit(
        missing=len(set(ever) - counts.keys()),
        twice=sum(count - 1 for count in counts.values()),
        unknown=len(counts.keys() - set(ever)),
        different=sum(not _holds(by_id[record["id"]], record) for record in records if record["id"] in by_id),
    )


def _holds(row: Row, record: Mapping[str, Any]) -> bool:
    return all(name in row and _same(row[name], value) for name, value in record.items())


def _same(stored: Any, value: Any) -> bool:
    """Tell whether a column holds a value; date-times are stored in UTC, without a zone."""
    if isinstance(stored, datetime):
        moment = datetime.fromisoformat(str(value).replace("Z", "+00:00"))
        value = moment.astimezone(timezone.utc).replace(tzinfo=None)
    return type(stored) is type(value) and bool(stored == value)
