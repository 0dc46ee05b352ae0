"""How an API pages, by its own words: next links, what it echoes, what it complains of. Pure reading."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tap_storage.probe.lists import complaint, scalars

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from tap_storage.probe.asking import Answer

LIMITS = (
    "limit", "_limit", "take", "$top", "page_size", "per_page", "pageSize", "count", "size", "top", "max", "rows",
    "maxResults", "max_results", "perPage", "num",
)  # fmt: skip
OFFSETS = (
    "offset", "skip", "start", "_start", "from", "$skip", "startIndex", "startAt", "start_index", "first",
    "first_result", "firstResult", "begin", "_offset",
)  # fmt: skip
PARTNERS: Mapping[str, tuple[str, ...]] = {
    "limit": ("offset", "skip", "start", "from"),
    "_limit": ("_start", "_offset"),
    "take": ("skip",),
    "$top": ("$skip",),
    "top": ("skip",),
    "rows": ("start",),
    "size": ("from", "offset"),
    "count": ("startIndex", "offset", "start"),
    "maxResults": ("startAt", "firstResult"),
    "max": ("offset", "first"),
    "num": ("start",),
}
"""Names of an offset that usually come with a name of a limit."""
LIMIT_LIKE = re.compile(r"limit|size|count|per_?page|take|top|max|rows|results|^num$", re.IGNORECASE)
OFFSET_LIKE = re.compile(r"offset|skip|start|from|first|begin|position", re.IGNORECASE)
TOKEN_LIKE = re.compile(r"cursor|token|after|before|continu|marker|scroll", re.IGNORECASE)
NEXT_LIKE = re.compile(r"next", re.IGNORECASE)
WORD = re.compile(r"[$_A-Za-z][\w$]{2,24}")
LINK = re.compile(r'<([^>]*)>[^,]*rel="?next', re.IGNORECASE)


class Hints:
    """What an answer lets on. sent: the values that it was asked with. records: how many it holds."""

    def __init__(self, answer: Answer, selector: str, *, records: int, sent: Mapping[str, str]) -> None:
        self.limits: list[str] = []
        self.offsets: list[str] = []
        self.first = 0
        """The offset of the first record, where a link to the second page shows it."""
        self.pages: list[str] = []
        """Names of parameters that count pages."""
        self.tokens: list[str] = []
        """What points to the next page otherwise."""
        self.linked: list[str] = []
        for link in _links(answer, selector):
            self._read_link(link, records, sent)
        if not answer.fault:
            self._read_echo(answer.document, selector, records)

    def _read_link(self, link: str, records: int, sent: Mapping[str, str]) -> None:
        changed = {n: v for n, v in parse_qsl(urlsplit(link).query) if sent.get(n) != v}
        self.linked += list(changed)
        for name, value in changed.items():
            number = int(value) if value.isdecimal() else None
            if number in (2, 1) and re.search(r"page|^p$", name, re.IGNORECASE) and not LIMIT_LIKE.search(name):
                self.pages.append(name)
            elif number is not None and OFFSET_LIKE.search(name) and number in (records, records + 1):
                self.offsets.append(name)
            elif number == records and LIMIT_LIKE.search(name):
                self.limits.append(name)
            elif number == records:
                self.offsets.append(name)
            elif TOKEN_LIKE.search(name) or number is None:
                self.tokens.append(name)

    def _read_echo(self, document: Any, selector: str, records: int) -> None:
        for path, value in scalars(document, selector):
            name = path.rpartition(".")[2].strip("'")
            if isinstance(value, bool):
                continue
            if isinstance(value, int) and OFFSET_LIKE.search(name) and value in (0, 1):
                self.offsets.append(name)
            elif value == records and LIMIT_LIKE.search(name) and not re.search(r"total", name, re.IGNORECASE):
                self.limits.append(name)
            elif isinstance(value, str) and TOKEN_LIKE.search(name) and value:
                self.tokens.append(name)


def named(answer: Answer) -> tuple[list[str], list[str]]:
    """Return the names of limits and offsets that an error message mentions."""
    words = [] if answer.fault else WORD.findall(complaint(answer.document))
    likely = [word for word in words if "_" in word or word != word.lower() or word in (*LIMITS, *OFFSETS)]
    return [w for w in likely if LIMIT_LIKE.search(w)], [w for w in likely if OFFSET_LIKE.search(w)]


def unique(*groups: Collection[str], without: Collection[str] = ()) -> list[str]:
    """Return names in order, each once."""
    return [name for name in dict.fromkeys(name for group in groups for name in group) if name and name not in without]


def _links(answer: Answer, selector: str) -> Iterator[str]:
    yield from LINK.findall(answer.headers.get("Link", ""))
    if not answer.fault:
        for path, value in scalars(answer.document, selector):
            if isinstance(value, str) and "?" in value and NEXT_LIKE.search(path):
                yield value
