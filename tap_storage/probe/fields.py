"""Which fields of records identify them, and which tell new ones: pure judgement of what was seen."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from tap_storage.bookmarks import Instants, Scale

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Records = Sequence[Mapping[str, Any]]

KEY_NAMES = ("id", "_id", "uuid", "guid", "uid", "oid", "key", "pk", "_key", "identifier", "number", "code", "slug")
CREATED = re.compile(
    r"creat|insert|add(ed|_?at|_?on)|publish|upload|regist|receiv|joined|ingest|^posted", re.IGNORECASE
)
UPDATED = re.compile(r"updat|modif|chang|edited|^last_?(seen|mod|upd|edit)|touched", re.IGNORECASE)
ANY_TIME = re.compile(
    r"(^|[_-])(date|time|datetime|timestamp|ts|at|on|epoch|when)$|(At|On|Date|Time|Timestamp)$|^[Dd]ate"
)
NEVER = re.compile(
    r"delet|expir|birth|due|(^|_)end|until|valid|clos|(^|_)start|begin|deadline|cancel|schedul", re.IGNORECASE
)
DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?")
EPOCHS = {"epoch": range(3 * 10**8, 5 * 10**9), "epoch_ms": range(3 * 10**11, 5 * 10**12)}
MOST_MISSING = 0.1


def primary_keys(records: Records) -> list[list[str]]:
    """Return the fields, or last the pairs of fields, by which all records differ; the likeliest first."""
    names = [name for name in _common(records) if all(_identifies(record[name]) for record in records)]
    names.sort(key=_unlikeliness)
    single = [[name] for name in names if differ(records, [name])]
    single = [keys for keys in single if _unlikeliness(keys[0]) < len(KEY_NAMES) + 2 or len(records) > 1]
    if single and _unlikeliness(single[0][0]) <= len(KEY_NAMES) + 1:
        return single
    pairs = [list(pair) for pair in itertools.combinations(names[:8], 2) if differ(records, pair)]
    likely = [pair for pair in pairs if all(_unlikeliness(name) <= len(KEY_NAMES) + 1 for name in pair)]
    return [*likely, *single] or pairs


def differ(records: Records, keys: Sequence[str]) -> bool:
    """Tell whether these fields identify the records."""
    values = [repr([record.get(key) for key in keys]) for record in records]
    present = all(_identifies(record.get(key)) for record in records for key in keys)
    return present and len(set(values)) == len(values)


def dates(records: Records) -> dict[str, str]:
    """Return those that can tell new records by their names, the likeliest first, with their datetime_format."""
    names = every_date(records)
    ranks = {name: rank for name in names if (rank := _rank(name)) is not None}
    return {name: names[name] for name in sorted(ranks, key=lambda name: (ranks[name], missing(records, name) > 0))}


def every_date(records: Records) -> dict[str, str]:
    """Return all fields that hold points in time, with their datetime_format."""
    return {name: form for name in _all(records) if (form := date_form(records, name))}


def date_form(records: Records, name: str) -> str:
    """Return the datetime_format of a field, empty if it holds no points in time."""
    values = [value for record in records if (value := record.get(name)) is not None]
    if not values or (missing(records, name) > MOST_MISSING and not UPDATED.search(name)):
        return ""
    if all(isinstance(value, str) and DATE.fullmatch(value) for value in values):
        return "iso" if all(Instants("iso").read(value) for value in values) else ""
    for form, known in EPOCHS.items():
        numeric = all(isinstance(value, int) and not isinstance(value, bool) and value in known for value in values)
        if numeric and any(pattern.search(name) for pattern in (CREATED, UPDATED, ANY_TIME)):
            return form
    return ""


def missing(records: Records, name: str) -> float:
    """Return the share of records without a value in a field."""
    return sum(record.get(name) is None for record in records) / max(1, len(records))


def direction(values: Sequence[Any]) -> str:
    """Return ascending, descending or unsorted; empty where the values are too few, or all the same."""
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:  # noqa: PLR2004 (one has no order)
        return ""
    steps = list(itertools.pairwise(known))
    if all(a <= b for a, b in steps):
        return "ascending"
    return "descending" if all(a >= b for a, b in steps) else "unsorted"


def column(records: Records, name: str, scale: Scale | None = None) -> list[Any]:
    """Return a field of each record as what can be compared, None where it cannot."""
    if scale:
        return list(scale.read_all([record.get(name) for record in records]))
    values = [record.get(name) for record in records]
    kinds = {type(value) for value in values}
    return values if len(kinds) == 1 and kinds <= {int, str} else [None] * len(values)


def _rank(name: str) -> int | None:
    if CREATED.search(name):
        return 0
    if UPDATED.search(name):
        return 1
    return 2 if ANY_TIME.search(name) and not NEVER.search(name) else None


def _unlikeliness(name: str) -> int:
    if name.lower() in KEY_NAMES:
        return KEY_NAMES.index(name.lower())
    if re.search(r"(_id|Id|ID|_key|_uuid|_no|_number)$", name):
        return len(KEY_NAMES)
    return len(KEY_NAMES) + (1 if re.search(r"url|href|self|name|email|path|sku", name, re.IGNORECASE) else 3)


def _identifies(value: Any) -> bool:
    return isinstance(value, (str, int)) and not isinstance(value, bool) and value != "" and not _is_date(value)


def _is_date(value: Any) -> bool:
    return isinstance(value, str) and bool(DATE.fullmatch(value)) and Instants("iso").read(value) is not None


def _all(records: Records) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record))


def _common(records: Records) -> list[str]:
    return [name for name in (records[0] if records else ()) if all(name in record for record in records)]
