"""What the fake API can be told to do: every key, its type, default and meaning."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - annotations are read at run time
from dataclasses import dataclass, field
from typing import Literal

from demo.fake_api.faults import Fault  # noqa: TC001 - likewise
from demo.fake_api.records import Shape  # noqa: TC001 - likewise
from demo.fake_api.schedule import due, one_of
from demo.fake_api.shapes import Duration, Positive  # noqa: TC001 - likewise

Sort = Literal["created_at", "-created_at", "id", "unstable"]
Place = Literal["front", "back", "read", "random"]


@dataclass(frozen=True)
class Capped:
    """A total that counts no further than `capped`."""

    capped: int


@dataclass(frozen=True)
class Value:
    """A total that is always `value`, whatever it is."""

    value: object


@dataclass(frozen=True)
class MultiplesOf:
    """Offsets are rounded down to a multiple of `multiples_of`."""

    multiples_of: Positive


@dataclass(frozen=True)
class Status:
    """The answer is an error with this HTTP status."""

    status: int


@dataclass(frozen=True)
class Ceiling:
    """From `offset` on (as in the request), records are out of reach."""

    offset: Positive
    answer: Literal["empty"] | Status = "empty"


@dataclass(frozen=True)
class Filters:
    """Query parameters that keep the records with `created_at` in [start, end).

    exclusive: records at `start` itself are left out too.
    resolution_s: bounds and records are compared rounded down to so many seconds.
    """

    start: str = "created_from"
    end: str = "created_to"
    exclusive: bool = False
    resolution_s: Duration = 0


@dataclass(frozen=True)
class Auth:
    """Where the API key must be: the query parameter or header called `name`."""

    in_: Literal["query", "header", "none"] = "query"
    name: str = "api_key"


@dataclass(frozen=True)
class Params:
    """The names of the paging parameters."""

    limit: str = "limit"
    offset: str = "offset"


@dataclass(frozen=True)
class Change:
    """Records that come or go right after the answer to a data request was made.

    after: that data request, or those (a list); or every: each so-manieth; only the
    first `times` of them. at: "read" is the place of a random record served before.
    move: the records at `at` go to `to`, as an update moves them where the order is by
    a field that it changes.
    created_at: of inserted records; without it no record made before is newer.
    """

    op: Literal["insert", "delete", "move"]
    at: Place = "back"
    to: Place = "front"
    count: Positive = 1
    created_at: str | None = None
    after: Positive | tuple[Positive, ...] | None = None
    every: Positive | None = None
    times: Positive | None = None

    def __post_init__(self) -> None:
        """Refuse a change without a time, or with two."""
        one_of(after=self.after, every=self.every)

    def due(self, number: int) -> bool:
        """Tell whether the change follows data request `number`."""
        return due(number, on=self.after, every=self.every, first=None, times=self.times)


@dataclass(frozen=True)
class Behaviour:
    """How data requests are answered; the defaults are a well-behaved API."""

    paths: tuple[str, ...] = ("/v1/resource",)
    """The data endpoints; all serve the same collection."""
    id_type: Literal["string", "integer"] = "string"
    """Ids of made records: "obj-0000001", or 1."""
    cap: Positive | None = None
    """The most records in a page, whatever was asked for."""
    shape: Shape = "mixed"
    """What made records hold: ten fields; nine flat ones; or thirty, most in nested objects."""
    latency_ms: Duration = 0
    """How long each answer takes, in milliseconds."""
    jitter_ms: Duration = 0
    """Up to so many milliseconds more, at random (seeded)."""
    total: Literal["exact", "absent", "null", "string", "nested", "page", "unfiltered"] | Capped | Value = "exact"
    """The record count: as text, at `meta.total`, of the page, blind to filters …"""
    offset: Literal["honoured", "ignored"] | MultiplesOf = "honoured"
    """What is made of the offset; ignored, it may also be missing."""
    past_end: Literal["empty", "repeat"] | Status = "empty"
    """The answer at an offset past the end; "repeat" is the last page again."""
    ceiling: Ceiling | None = None
    """The offset that the API does not serve, nor any beyond."""
    hidden_every: Positive | None = None
    """Every so-manieth record made is cut from its page, but counted in the total."""
    short_every: Positive | None = None
    """Every so-manieth data request gets half of the records that it asked for."""
    envelope: str = "data"
    """Dotted path of the list of records; "$": the list alone."""
    sort: Sort | None = None
    """The order; null: as inserted; "unstable": shuffled anew for each request.

    The request's parameter `sort` overrides it.
    """
    filters: Filters | None = field(default_factory=Filters)
    """The filters understood; null: none, their parameters are ignored."""
    auth: Auth = field(default_factory=Auth)
    """Where the API key is looked for."""
    params: Params = field(default_factory=Params)
    """What the paging parameters are called."""
    first_offset: int = 0
    """The offset of the first record."""
    gzip: bool = False
    """Whether bodies are compressed, even if the client does not ask for it."""
    chunked: bool = False
    """Whether bodies are sent in the chunked transfer encoding."""
    bom: bool = False
    """Whether bodies begin with a byte order mark."""
    close: bool = False
    """Whether the connection is closed after each answer."""
    date_skew_s: float = 0
    """How many seconds the server's clock, the Date header, is ahead."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Extra headers of each answer."""
    faults: tuple[Fault, ...] = ()
    """Data requests that are answered wrongly; the first fault that is due counts."""
    changes: tuple[Change, ...] = ()
    """Records that come and go while they are read."""
