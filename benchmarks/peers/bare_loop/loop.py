"""`python loop.py URL API_KEY LIMIT`: the least that a program can do here, the floor of the comparison.

Asks for offsets 0, LIMIT, 2 LIMIT … until a page is short, decodes each with msgspec, and writes a RECORD message for
each record, a page at a time. No schema, no state, no retries, and no thought for records that move.
"""

from __future__ import annotations

import sys
from datetime import datetime, timezone
from typing import Any

import msgspec
import requests


class Page(msgspec.Struct):
    """An answer of the API."""

    data: list[dict[str, Any]]


class Message(msgspec.Struct, tag_field="type", tag="RECORD"):
    """A Singer message."""

    stream: str
    record: dict[str, Any]
    time_extracted: str


def main(url: str, api_key: str, limit: int) -> None:
    """Copy the collection to stdout."""
    session = requests.Session()
    decode = msgspec.json.Decoder(Page).decode
    encode_lines = msgspec.json.Encoder().encode_lines
    offset, more = 0, True
    while more:
        parameters: dict[str, str | int] = {"api_key": api_key, "limit": limit, "offset": offset}
        response = session.get(f"{url}/v1/resource", params=parameters, timeout=60)
        response.raise_for_status()
        records = decode(response.content).data
        now = datetime.now(timezone.utc).isoformat()
        sys.stdout.buffer.write(encode_lines([Message("storage_data", record, now) for record in records]))
        offset += limit
        more = len(records) == limit


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
