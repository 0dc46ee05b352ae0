"""Where in a document the list of records is, and what else it says: pure search, no questions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from tap_storage.records import find_total, read_count, select_records

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DEEPEST = 5
USUAL = ("data", "results", "items", "records", "objects", "value", "values", "entries", "content", "rows", "hits")
NO_RECORDS = re.compile(r"err|warn|link|facet|column|field|header|meta|message|includ|sort|filter|param", re.IGNORECASE)
PLAIN = re.compile(r"(?!where)[A-Za-z_][A-Za-z0-9_]*")
SAYS_WRONG = re.compile(r"err|messag|msg|detail|reason|descri|fault|title", re.IGNORECASE)


def lists(document: Any) -> list[tuple[str, list[Any]]]:
    """Return the lists of objects in a document by their JSONPaths, the likeliest first."""
    found = [(path, value) for path, value in _walk(document, (), DEEPEST) if isinstance(value, list)]
    fit = [(way, value) for way, value in found if all(isinstance(record, dict) for record in value)]
    fit.sort(key=lambda each: _likelihood(*each), reverse=True)
    paths = [(path_of(way), value) for way, value in fit]
    return [(path, value) for path, value in paths if _selects(document, path, value)]


def scalars(document: Any, selector: str) -> Iterator[tuple[str, Any]]:
    """Yield the JSONPath and value of all that is neither list nor object, but for what the records hold."""
    for way, value in _walk(document, (), DEEPEST):
        path = path_of(way)
        if path != selector and not isinstance(value, (dict, list)):
            yield path, value


def counts(document: Any) -> dict[str, int]:
    """Return the numbers outside the records that can be a count, by JSONPath."""
    read = {path: read_count(value) for path, value in scalars(document, "") if not isinstance(value, bool)}
    return {path: n for path, n in read.items() if n is not None and find_total(document, path) == n}


def path_of(way: Sequence[str]) -> str:
    """Write the keys that lead to a place as a JSONPath."""
    return ".".join(name if PLAIN.fullmatch(name) else f"'{name}'" for name in way) or "$"


def complaint(document: Any) -> str:
    """Return what a document says is wrong, in the API's words; empty if it says nothing."""
    if isinstance(document, list):
        return "; ".join(filter(None, map(complaint, document[:3])))
    told = []
    for way, value in _walk(document, (), DEEPEST):
        if way and SAYS_WRONG.search(".".join(way)):
            told += [value] if isinstance(value, str) else _texts(value) if isinstance(value, list) else []
    return "; ".join(told)


def links(document: Any, url: str) -> dict[str, str]:
    """Return the names and addresses in an index of an API: an object that mostly says where its collections are."""
    if not isinstance(document, dict) or not document:
        return {}
    here = urlsplit(url)
    found = {}
    for name, value in document.items():
        address = value.get("href") or value.get("url") if isinstance(value, dict) else value
        if isinstance(address, str) and re.match(r"https?://|/", address) and "{" not in address:
            target = urlsplit(urljoin(url, address))
            if target.netloc == here.netloc and target.path.rstrip("/") != here.path.rstrip("/"):
                found[name] = f"{here.scheme}://{target.netloc}{target.path}"
    return found if 2 * len(found) >= len(document) else {}


def _walk(value: Any, way: tuple[str, ...], depth: int) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield all that objects hold, with the keys that lead there; lists are not gone into."""
    if isinstance(value, dict):
        for name, inner in value.items() if depth else ():
            yield from _walk(inner, (*way, name), depth - 1)
    else:
        yield way, value


def _likelihood(way: Sequence[str], records: Sequence[Any]) -> tuple[bool, int, bool]:
    name = way[-1] if way else "data"
    return not NO_RECORDS.search(name), len(records), name.lower() in USUAL


def _selects(document: Any, path: str, value: list[Any]) -> bool:
    try:
        return select_records(document, path) == value
    except Exception:  # noqa: BLE001 (a key that no JSONPath can name)
        return False


def _texts(values: Sequence[Any]) -> list[str]:
    return [each if isinstance(each, str) else complaint(each) for each in values[:3]]
