"""Answers as bytes on the wire: head, encoding of the body, framing."""

from __future__ import annotations

import gzip
import time
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from demo.fake_api.answers import Answer
    from demo.fake_api.behaviour import Behaviour

BOM = b"\xef\xbb\xbf"
CHUNK_BYTES = 4096


class Wire(NamedTuple):
    """The bytes to send: first the head, then the body as framed."""

    head: bytes
    body: bytes


def encode(answer: Answer, behaviour: Behaviour, *, closes: bool) -> Wire:
    """Return the answer's bytes; closes: say that the connection is closed after it."""
    headers = {
        "Date": _date(int(time.time() + behaviour.date_skew_s)),
        "Content-Type": answer.content_type,
        **behaviour.headers,
        **answer.headers,
    }
    body = BOM + answer.body if behaviour.bom else answer.body
    if behaviour.gzip:
        headers["Content-Encoding"] = "gzip"
        body = gzip.compress(body, compresslevel=1, mtime=0)
    if behaviour.chunked:
        headers["Transfer-Encoding"] = "chunked"
        body = _chunked(body)
    else:
        headers["Content-Length"] = str(len(body))
    if closes:
        headers["Connection"] = "close"
    lines = [f"HTTP/1.1 {answer.status} {_reason(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    head = "\r\n".join(lines) + "\r\n\r\n"
    return Wire(head.encode(), body)


def _chunked(body: bytes) -> bytes:
    parts = [body[at : at + CHUNK_BYTES] for at in range(0, len(body), CHUNK_BYTES)]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in [*parts, b""])


@lru_cache(8)
def _date(second: int) -> str:
    return formatdate(second, usegmt=True)


def _reason(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
