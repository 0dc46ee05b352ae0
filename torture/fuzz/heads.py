"""Cases of hostile heads: status lines and headers, before a body that is valid where its end can be told."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import TYPE_CHECKING

from torture.fuzz import oracle
from torture.fuzz.cases import COLLECTION, SIZE, Case, config, page
from torture.fuzz.mutations import NUMBERS, broken_text, chance, dump

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from random import Random

    from torture.fuzz.files import Known
    from torture.fuzz.running import Ending

HEADERS: Mapping[str, Sequence[bytes]] = {
    "Content-Type": [b"text/html", b"application/json; charset=utf-16", b"application/json; charset=\xff", b";;;", b""],
    "Content-Encoding": [
        b"gzip", b"deflate", b"br", b"zstd", b"identity", b"gzip, gzip", b"x-unknown", b"gzip" * 50, b"\x00",
    ],
    "Transfer-Encoding": [b"chunked", b"gzip, chunked", b"identity", b"chunked, chunked", b"CHUNKED\x00"],
    "Content-Length": [
        b"0", b"1", b"10", b"99999999", b"-1", b"1e3", b"\xb2", b"10, 10", b" 7", b"9" * 40, b"0x10", b"",
    ],
    "Retry-After": [
        b"0", b"-1", b"0.01", b"99", b"nan", b"inf", b"1e400", b"Wed, 31 Jan 2024 00:00:00 GMT", b"junk", b"9" * 400,
    ],
    "Date": [
        b"Wed, 31 Jan 2024 00:00:00 GMT", b"Fri, 31 Dec 9999 23:59:59 GMT", b"0", b"junk",
        b"Wed, 31 Jan 0001 00:00:00 +2400",
    ],
    "Location": [
        b"/", b"/v1/resource?offset=0", b"", b"//", b"http://[::1", b"https://other.invalid/", b"\xff\xfe",
        b"http://\x00", b"?" + b"a" * 5000, b"http://other.invalid:99999/", b"mailto:a@b", b"/%zz%00", b"javascript:1",
        b"//other.invalid/x",
    ],
    "Set-Cookie": [b"a=b", b"a=b; Max-Age=junk; Expires=9", b"\xff=\x00", b"=" * 3000, b"a=b; Domain=.invalid; Secure"],
    "Connection": [b"keep-alive", b"upgrade", b"\xff"],
}  # fmt: skip
STATUSES = [
    "200 OK", "200", "204 No Content", "206 Partial", "299 x", "100 Continue", "101 Switching", "199 x", "300 x",
    "301 x", "302 Found", "304 Not Modified", "307 x", "308 x", "400 x", "401 x", "403 x", "404 x", "407 x", "408 x",
    "418 \xff", "429 x", "500 x", "503 x", "599 x", "999 x", "000 x", "-1 x", "2OO OK", "", "1000 x",
]  # fmt: skip


def hostile_heads(random: Random, known: Known) -> Case:
    """Return a case in which the head of an answer is hostile, and its body valid for whoever can tell its end."""
    raw = dump(page(COLLECTION, SIZE)).encode()
    settings = config(known.url, offset_param="", infer_schema=False, max_backoff=0.05, max_retries=1, timeout=1)
    packed = gzip.compress(raw, mtime=0)
    coded = random.choice((raw, raw, packed, packed[:-9], zlib.compress(raw)))
    lines = [b"Content-Length: %d" % len(coded)] if chance(random, 0.6) else []
    if coded is not raw:
        lines.append(b"Content-Encoding: gzip")
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        name = random.choice(list(HEADERS))
        lines.append(name.encode() + b": " + random.choice([*HEADERS[name], random.choice(NUMBERS).encode()]))
    if chance(random, 0.2):
        coded = b"%x\r\n%b\r\n0\r\n\r\n" % (len(coded), coded)
        lines.append(b"Transfer-Encoding: chunked")
    status = random.choice(["200 OK", random.choice(STATUSES)])
    whole = f"HTTP/1.1 {status}\r\n".encode("latin-1") + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + coded
    if chance(random, 0.3):
        end = whole.index(b"\r\n\r\n")
        whole = broken_text(random, whole[:end]) + whole[end:]

    def judge(ending: Ending) -> list[str]:
        return oracle.lost_from(raw, "data", ending) if raw in whole or ending.status != 0 else []

    return Case("headers", {"config": json.dumps(settings).encode()}, lambda _, __: whole, judge)
