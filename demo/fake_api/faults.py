"""A fault: a data request that is answered wrongly, and when."""

from __future__ import annotations

import base64
from collections.abc import Mapping  # noqa: TC003 - annotations are read at run time
from dataclasses import dataclass, field
from typing import Literal

from demo.fake_api.schedule import due, one_of
from demo.fake_api.shapes import Duration, Positive, Refused

Kind = Literal[
    "status",  # `status`, with `headers` and `body`
    "retry_after",  # `status` (429) with Retry-After: `seconds`, `as` seconds or date
    "drop",  # the connection is closed without an answer
    "cut",  # the Content-Length of the whole, half of the body, then closed
    "unanswered",  # nothing is sent; closed after `seconds`, if given
    "trickle",  # the body comes a byte at a time, one each `interval_s`
    "trickle_headers",  # so does the head
    "garbage",  # 200 with bytes that are no JSON
    "html",  # 200 with a web page
    "envelope",  # 200 with {"error": …}
    "null_data",  # the list of records is null
    "data_object",  # the list of records is an object
    "scalars",  # the records are numbers
    "empty",  # a valid page without records
    "echo",  # `status` (500), the body repeats the request's URL and headers
    "redirect",  # `status` (302) to `location`, "{query}" in it is the request's
    "raw",  # 200 with exactly `body`, or the bytes of `body_base64`
]


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and with which data requests.

    on: that data request, or those (a list), counted from 1 since the last reset; or
    every: each so-manieth; or from: that one and all later ones. times: only the first
    so many of them.
    """

    kind: Kind
    on: Positive | tuple[Positive, ...] | None = None
    every: Positive | None = None
    from_: Positive | None = None
    times: Positive | None = None
    status: Positive | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    body_base64: str | None = None
    seconds: Duration | None = None
    as_: Literal["seconds", "date"] = "seconds"
    interval_s: Duration = 0.05
    location: str = ""

    def __post_init__(self) -> None:
        """Refuse a fault without a time, or with two, and bytes that are not base64."""
        one_of(on=self.on, every=self.every, **{"from": self.from_})
        try:
            base64.b64decode(self.body_base64 or "", validate=True)
        except ValueError as error:
            message = f"body_base64: {error}"
            raise Refused(message) from None

    def due(self, number: int) -> bool:
        """Tell whether data request `number` meets the fault."""
        return due(number, on=self.on, every=self.every, first=self.from_, times=self.times)
