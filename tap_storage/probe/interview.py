"""What is known so far in a probe, and how the next question is put in its terms."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from singer_sdk.exceptions import FatalAPIError

from tap_storage.records import select_records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from tap_storage.probe.asking import Answer, Asker
    from tap_storage.probe.findings import Finding


@dataclasses.dataclass(frozen=True)
class Credential:
    """One way to send the API key. prefix: what the API wants to read before it."""

    location: str
    name: str
    prefix: str = ""

    def __str__(self) -> str:
        if self.location == "none":
            return "not sent"
        kind = "query parameter" if self.location == "query" else "header"
        return f"{kind} {self.name}" + (f" after '{self.prefix.strip()} '" if self.prefix else "")


NO_CREDENTIAL = Credential("none", "")


@dataclasses.dataclass(frozen=True)
class Page:
    """An answer and its records. offset: what was asked for, None if nothing was. sound: whether it has a list."""

    answer: Answer
    records: Sequence[Mapping[str, Any]]
    limit: int | None
    offset: int | None
    sound: bool


class Interview:
    """The settings that are believed, the pages that were seen, and what was found.

    config: resolved. explicit: the settings that the user gave.
    """

    def __init__(self, asker: Asker, config: Mapping[str, Any], explicit: Iterable[str]) -> None:
        self.asker = asker
        self.believed = dict(config)
        self.explicit = frozenset(explicit)
        self.findings: list[Finding] = []
        self.credential = NO_CREDENTIAL
        self.base: Page
        """The first page of records."""
        self.pages: list[Page] = []
        """Pages in the order of their offsets, which were heeded."""
        self.seen: list[Page] = []
        """Every answer that had a list of records."""
        self.total: int | None = None
        self.heeds_limit = False
        self.moves = False
        self.whole = False
        """Whether the first page is all there is."""

    def add(self, finding: Finding) -> None:
        """Take in a finding, and believe its settings."""
        self.findings.append(finding)
        self.believed.update(finding.settings)

    @property
    def url(self) -> str:
        """Where the collection is believed to be."""
        return self.place(self.believed["base_url"], self.believed["path"])

    @staticmethod
    def place(base_url: str, path: str) -> str:
        """Join an address and a path as the tap does."""
        base = base_url.rstrip("/")
        return f"{base}/{path.lstrip('/')}" if path else base

    def ask(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        extra: Mapping[str, Any] | None = None,
        url: str | None = None,
        credentials: Sequence[Credential] | None = None,
    ) -> Answer:
        """Ask for a page. limit, offset: None to send none. extra: more parameters. url: where else."""
        settings = self.believed
        paging = {settings["limit_param"]: limit, settings["offset_param"]: offset}
        query = [(name, str(value)) for name, value in paging.items() if name and value is not None]
        for name, value in {**settings["params"], **(extra or {})}.items():
            query += [(name, str(each)) for each in (value if isinstance(value, list) else [value])]
        headers = {"Accept": "application/json", "User-Agent": settings["user_agent"], **settings["headers"]}
        for credential in [self.credential] if credentials is None else credentials:
            value = credential.prefix + settings.get("api_key", "")
            if credential.location == "header":
                headers[credential.name] = value
            elif credential.location == "query":
                query.append((credential.name, value))
        return self.asker.get(url or self.url, query, headers)

    def page(self, *, limit: int | None = None, offset: int | None = None, **more: Any) -> Page:
        """Ask for a page, and find its records where they are believed to be."""
        return self.read(self.ask(limit=limit, offset=offset, **more), limit, offset)

    def read(self, answer: Answer, limit: int | None, offset: int | None) -> Page:
        """Find the records of an answer where they are believed to be."""
        try:
            records = select_records(answer.document, self.believed["data_selector"]) if answer.good else None
        except FatalAPIError:
            records = None
        page = Page(answer, records or [], limit, offset, records is not None)
        self.seen += [page] if page.sound else []
        return page

    def identity(self, record: Mapping[str, Any]) -> str:
        """Return what tells a record from others: its primary key if that is known, else all of it."""
        keys = self.believed["primary_keys"]
        return repr([record[key] for key in keys]) if keys and all(key in record for key in keys) else repr(record)

    def position(self, page: Page) -> int | None:
        """Return where in the first page another one begins, None for elsewhere."""
        if not page.records:
            return None
        first = self.identity(page.records[0])
        return next((i for i, record in enumerate(self.base.records) if self.identity(record) == first), None)

    @property
    def first_offset(self) -> int:
        """The offset of the first record."""
        offset: int = self.believed["initial_offset"]
        return offset


def narrow(names: Sequence[Any], works: Callable[[Sequence[Any]], bool], *, first: int = 0) -> Any:
    """Return one of the names that work, of which together it is known; asks about half of what is left each time.

    first: how many to ask about in the first place, 0 for half of them.
    """
    while len(names) > 1:
        cut = first if 0 < first < len(names) else (len(names) + 1) // 2
        first = 0
        names = names[:cut] if works(names[:cut]) else names[cut:]
    return names[0]


def origin(url: str) -> str:
    """Return an address without its path."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
