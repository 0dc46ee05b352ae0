"""From the bytes of a page to its records: the only place that decodes."""

from __future__ import annotations

import decimal
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from jsonpath_ng.ext.parser import parse
from singer_sdk.exceptions import FatalAPIError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jsonpath_ng import JSONPath

BOM = b"\xef\xbb\xbf"
KEYS_SHOWN = 10
LONGEST_KEY = 60
LONGEST_BLANK = 1000
PATHS_SHOWN = 3
DEEPEST_LIST = 4
"""Keys that lead to a list, at most, where one is searched for."""
NAME = re.compile(r"[A-Za-z_]\w{0,59}", re.ASCII)
"""A key that a path can have as it is."""
ERROR = re.compile(r"error|fault|message|detail|exception|problem", re.IGNORECASE)
"""Of the keys of an answer that says what went wrong."""
LARGEST_TOTAL = 10**15
"""No collection is larger; a bigger number is no count."""


class UnreadablePageError(ValueError):
    """The body is no JSON; asked again, the server may do better."""


class Page:
    """What one answer holds.

    total: the collection's size as the server states it, None where it states none. refused: it is an error status.
    """

    loose = True
    """Whether primary keys may be missing, or be of any type."""

    def __init__(self, records: list[dict[str, Any]], total: int | None, *, refused: bool = False) -> None:
        self._records = records
        self.total = total
        self.refused = refused

    def __len__(self) -> int:
        return len(self._records)

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records, in the order of the answer."""
        return self._records

    def column(self, name: str) -> list[Any]:
        """Return a field of each record, None where it is not there."""
        return [record.get(name) for record in self._records]


REFUSED_PAGE = Page([], None, refused=True)


def decode(body: bytes) -> Any:
    """Decode JSON exactly: integers of any size, and other numbers as decimals with every digit.

    Raises UnreadablePageError, which never quotes the body.
    """
    try:
        return exact_decoder().decode(without_bom(body))
    except RecursionError:
        msg = "is nested too deeply to be read"
    except (msgspec.DecodeError, UnicodeDecodeError, decimal.InvalidOperation):
        start = body[:LONGEST_BLANK].lstrip()[:1]
        kind = "empty" if not start else "HTML or XML" if start == b"<" else "no valid JSON"
        msg = f"is {kind}"
    raise UnreadablePageError(msg) from None


def without_bom(body: bytes) -> bytes | memoryview:
    """Return a text in UTF-8 without the mark that it may begin with."""
    return memoryview(body)[len(BOM) :] if body.startswith(BOM) else body


def read_page(body: bytes, *, data_selector: str, total_path: str) -> Page:
    """Find the records and the total in the body of an answer.

    data_selector: JSONPath of the list of records. total_path: JSONPath of the record count, or "" for none.
    Raises UnreadablePageError for what is no JSON, FatalAPIError for JSON without a list of objects at data_selector.
    """
    document = decode(body)
    return Page(select_records(document, data_selector), find_total(document, total_path))


def select_records(document: Any, data_selector: str) -> list[dict[str, Any]]:
    """Return the records at data_selector, joined where it matches several lists."""
    lists = _find(document, data_selector)
    if not lists or not all(isinstance(found, list) for found in lists):
        msg = f"has no list of records at data_selector '{data_selector}': {_describe(document)}. {_advise(document)}"
        raise FatalAPIError(msg)
    records: list[Any] = lists[0] if len(lists) == 1 else [record for found in lists for record in found]
    for position, record in enumerate(records):
        if not isinstance(record, dict):
            msg = (
                f"has a list at data_selector '{data_selector}' whose element {position} is not an object but "
                f"{_kind(record)}. {_advise(document)}"
            )
            raise FatalAPIError(msg)
    return records


def find_total(document: Any, total_path: str) -> int | None:
    """Return the count at total_path if there is one and it can be a count, else None."""
    if not total_path:
        return None
    found = _find(document, total_path)
    return read_count(found[0]) if len(found) == 1 else None


def read_count(value: Any) -> int | None:
    """Return the count that a value is, or names as a text; None for what can be none."""
    if isinstance(value, bool):
        return None
    try:
        number = decimal.Decimal(value)
        return int(number) if 0 <= number <= LARGEST_TOTAL and number == int(number) else None
    except (TypeError, ValueError, decimal.InvalidOperation):
        return None


def _find(document: Any, path: str) -> list[Any]:
    """Return what is at a path; a key that is written just so comes first, whatever it means as JSONPath."""
    if isinstance(document, dict) and path in document:
        return [document[path]]
    return [match.value for match in compile_path(path).find(document)]


@lru_cache
def compile_path(path: str) -> JSONPath:
    """Compile a JSONPath; a final `[*]` is left off, so that `data` and `data[*]` select the same list.

    Raises whatever jsonpath-ng makes of a wrong one: an Exception without a common type.
    """
    return parse(path.strip().removesuffix("[*]"))


@lru_cache
def exact_decoder(kind: Any = Any) -> msgspec.json.Decoder[Any]:
    """Return a decoder of values of this type that keeps each digit of a number."""
    return msgspec.json.Decoder(kind, float_hook=decimal.Decimal)


def _describe(document: Any) -> str:
    if not isinstance(document, dict):
        return f"the answer is {_kind(document)}"
    # A key is shown whole or not at all: half a secret would pass the masks.
    names = [key if len(key) <= LONGEST_KEY else f"one of {len(key)} characters" for key in document]
    keys = [f"{name} ({_kind(value)})" for name, value in zip(names, document.values(), strict=True)][:KEYS_SHOWN]
    more = ", …" if len(document) > KEYS_SHOWN else ""
    return f"the answer has the keys {', '.join(keys)}{more}" if keys else "the answer is an empty object"


def _advise(document: Any) -> str:
    """Say what data_selector should be, or where else to look where the answer has no list of objects."""
    lists = dict(_lists(document))
    if paths := [path for path, found in lists.items() if found] or list(lists):
        return f"Set data_selector to {' or '.join(map(repr, paths[:PATHS_SHOWN]))}, where there is a list of objects"
    if isinstance(document, dict) and any(ERROR.search(key) for key in document):
        return "It looks like an error of the API: check api_key, auth_param, auth_location and path"
    return "There is no list of objects near the top of it: check path, then data_selector"


def _lists(node: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, list[Any]]]:
    """Yield the paths of lists that may be of records, with the lists; those of other things are left out."""
    if isinstance(node, list) and all(isinstance(element, dict) for element in node):
        yield path or "$", node
    elif isinstance(node, dict) and depth < DEEPEST_LIST:
        for key, value in node.items():
            if NAME.fullmatch(key):
                yield from _lists(value, f"{path}.{key}" if path else key, depth + 1)


def _kind(value: Any) -> str:
    kinds = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "true or false",
        type(None): "null",
    }
    return kinds.get(type(value), "a number")
