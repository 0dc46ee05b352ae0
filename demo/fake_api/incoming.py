"""HTTP requests, taken from the bytes that a connection has received."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import parse_qsl

MOST_HEADER_BYTES = 1 << 20


@dataclass(frozen=True)
class Request:
    """An HTTP request; header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    keeps_alive: bool

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The query as it was sent."""
        return self.target.partition("?")[2]

    @cached_property
    def parameters(self) -> dict[str, str]:
        """The query's parameters; the last counts of several with the same name."""
        return dict(parse_qsl(self.query, keep_blank_values=True))


def take(received: bytearray) -> Request | None:
    """Take the first whole request off the bytes received; None if there is none yet.

    Raises ValueError for what is no HTTP/1 request with a Content-Length or no body.
    """
    if not received[:1].isupper() and received:
        message = "this is not HTTP"
        raise ValueError(message)
    end = received.find(b"\r\n\r\n")
    if end < 0:
        if len(received) > MOST_HEADER_BYTES:
            message = "the request's head is too long"
            raise ValueError(message)
        return None
    first, *lines = received[:end].decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    if "transfer-encoding" in headers:
        message = "requests in the chunked transfer encoding are not understood"
        raise ValueError(message)
    length = int(headers.get("content-length", 0))
    if len(received) < end + 4 + length:
        return None
    body = bytes(received[end + 4 : end + 4 + length])
    del received[: end + 4 + length]
    connection = headers.get("connection", "").lower()
    keeps_alive = connection != "close" and version == "HTTP/1.1"
    return Request(method, target, headers, body, keeps_alive)
