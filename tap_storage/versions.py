"""Versions of a full refresh: rows that are gone at the source go at the destination, once nothing can be missing."""

from __future__ import annotations

import time
from typing import Any

TABLE_VERSION = "table_version"
"""Of the state of a stream: the version of the rows of the full refresh that was activated last."""


def next_version(state: dict[str, Any]) -> int:
    """Return a version that is higher than the last one activated."""
    last = state.get(TABLE_VERSION)
    return max(int(time.time()), last + 1 if isinstance(last, int) else 0)


def objection(*, whole: bool, records: int, resumed: bool, undisturbed: bool, batch: bool) -> str | None:
    """Return what speaks against dropping the rows of other versions; None for nothing.

    whole: whether all there is was read. records: how many that were. resumed: whether the run went on with another;
    undisturbed: and the collection was as that had left it. batch: whether the records are in files, without a version.
    """
    if batch:
        return "the records of BATCH messages have no version, and would be dropped with them"
    if not (whole and records):
        return "that takes a whole collection, and one that is not empty"
    if resumed and not undisturbed:
        return "some may have moved while the run was interrupted"
    return None
