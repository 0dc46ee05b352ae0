"""Makes the records: the same ones for the same seed, as JSON text, a chunk at a time.

A record is told by its number, from 1. Making one takes about a microsecond, so records
are made when first asked for, and ten million need not fit into memory.
"""

from __future__ import annotations

import json
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from math import ceil
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

Shape = Literal["mixed", "flat", "wide"]
"""How much a record holds: ten fields, of which `metadata` may be an object; nine, none of
them an object; or thirty, of which `metadata` holds twenty-one in nested objects."""

CHUNK = 1000
"""Records made at a time."""

CHUNKS_KEPT = 1000
"""So that a million records are made once: some 400 MB."""

EQUAL = 3
"""So many neighbours share a `created_at`; no divisor of usual page sizes."""

STEP_S = 30
STEPS_A_DAY = 86400 // STEP_S
FIRST_DAY = date(2020, 1, 1)
FIRST_SECOND = (FIRST_DAY - date(1970, 1, 1)).days * 86400

LATEST_UPDATE = 1000
"""Steps from creation to the last update at most: under a day."""

VARIANTS = 1009
"""Prime, so that the variants never fall in step with pages."""

NAMES = [
    None,
    "report",
    "Jahresübersicht für Größen.pdf",
    "naïve façade",
    "写真アルバム",
    "档案 二〇二四",
    "holiday 🏖️ photos 👩‍👩‍👧",
    'the "final" version',
    "C:\\share\\old",
    "line\u2028separator",
    "tab\tand\nnewline",
    "100 % of it",
    "",
]
CONTENT_TYPES = {
    "application/pdf": "pdf",
    "image/jpeg": "jpg",
    "text/plain; charset=utf-8": "txt",
    "application/vnd.apache.parquet": "parquet",
}


class Variant(NamedTuple):
    """The part of a record that does not depend on its number.

    template: takes id, created_at, updated_at, checksum and number. updated_after: in
    steps, None for records never updated.
    """

    template: bytes
    updated_after: int | None


class RecordMaker:
    """Makes the records of a seed; id_type: "string" or "integer"."""

    def __init__(self, seed: int, id_type: str, shape: Shape = "mixed") -> None:
        self._integer_ids = id_type == "integer"
        self._salt = Random(seed).getrandbits(64)
        rng = Random(seed)
        identifier = "%d" if self._integer_ids else '"obj-%07d"'
        self._variants = [_variant(rng, identifier, METADATA[shape]) for _ in range(VARIANTS)]
        self.chunk = lru_cache(CHUNKS_KEPT)(self._make_chunk)

    def prepare(self, records: int) -> None:
        """Make the first records, as many as are kept, before they are asked for."""
        for index in range(min(ceil(records / CHUNK), CHUNKS_KEPT)):
            self.chunk(index)

    def identifier(self, number: int) -> str | int:
        """Return the record's `id`."""
        return number if self._integer_ids else f"obj-{number:07d}"

    def text(self, number: int) -> bytes:
        """Return the record as JSON."""
        index, place = divmod(number - 1, CHUNK)
        return self.chunk(index)[place]

    def dated(self, number: int, created_at: str) -> bytes:
        """Return the record as JSON, with another `created_at`, never updated."""
        return self._filled(number, json.dumps(created_at).encode(), b"null")

    def _make_chunk(self, index: int) -> list[bytes]:
        first = index * CHUNK + 1
        day = (first - 1) // EQUAL // STEPS_A_DAY
        moments = _moments(day) + _moments(day + 1)
        midnight = day * STEPS_A_DAY
        texts = []
        for number in range(first, first + CHUNK):
            step = (number - 1) // EQUAL - midnight
            after = self._variants[number % VARIANTS].updated_after
            updated_at = b"null" if after is None else moments[step + after]
            texts.append(self._filled(number, moments[step], updated_at))
        return texts

    def _filled(self, number: int, created_at: bytes, updated_at: bytes) -> bytes:
        checksum = (number * 0x9E3779B97F4A7C15 ^ self._salt) & 0xFFFFFFFFFFFFFFFF
        template = self._variants[number % VARIANTS].template
        return template % (number, created_at, updated_at, checksum, number)


@lru_cache(2)
def record_maker(seed: int, id_type: str, shape: Shape) -> RecordMaker:
    """Return the maker of this kind of records, which keeps what it made."""
    return RecordMaker(seed, id_type, shape)


def created(number: int) -> int:
    """Return when a made record says it was created, in seconds since 1970."""
    return FIRST_SECOND + (number - 1) // EQUAL * STEP_S


@lru_cache(4)
def _moments(day: int) -> list[bytes]:
    """Return the moments of a day as JSON, one each step."""
    midnight = datetime.combine(FIRST_DAY + timedelta(days=day), time.min)
    steps = (midnight + timedelta(seconds=s) for s in range(0, 86400, STEP_S))
    return [f'"{moment.isoformat()}Z"'.encode() for moment in steps]


def _variant(rng: Random, identifier: str, metadata: Callable[[Random], str]) -> Variant:
    content_type, ending = rng.choice(list(CONTENT_TYPES.items()))
    name = rng.choice(NAMES)
    size = rng.choice([None, 0, rng.randrange(1, 10**6), rng.randrange(1, 10**6), rng.getrandbits(40)])
    public = rng.choice(["true", "false", "null"])
    template = (
        f'{{"id":{identifier},"name":'
        + _escaped(json.dumps(name, ensure_ascii=rng.random() < 1 / 3))
        + ',"created_at":%b,"updated_at":%b,"size":'
        + json.dumps(size)
        + f',"content_type":"{content_type}","checksum":"%016x"'
        + f',"path":"/bucket-{rng.randrange(8)}/%08d.{ending}","is_public":{public}'
        + _escaped(metadata(rng))
        + "}"
    )
    updated_after = rng.randrange(LATEST_UPDATE) if rng.random() < 2 / 3 else None
    return Variant(template.encode(), updated_after)


def _mixed(rng: Random) -> str:
    """Return a member of a JSON object as text, because a decimal keeps its digits only there."""
    full = (
        f'{{"owner":{{"team":"team-{rng.randrange(20)}","contact":null}}'
        f',"tags":{json.dumps(rng.sample(["hot", "cold", "größe", "a/b"], k=2))}'
        f',"ratio":{rng.randrange(100)}.{rng.randrange(100):02d}}}'
    )
    return ',"metadata":' + rng.choice([full, full, full, "null", "{}"])


def _flat(_: Random) -> str:
    return ""


def _wide(rng: Random) -> str:
    metadata = {
        "owner": {
            "id": rng.randrange(10**6),
            "team": f"team-{rng.randrange(20)}",
            "email": f"owner{rng.randrange(500)}@example.com",
            "region": rng.choice(["eu-west", "us-east", None]),
        },
        "retention": {
            "policy": rng.choice(["keep", "archive", "delete"]),
            "days": rng.randrange(3650),
            "until": f"20{rng.randrange(30, 60)}-01-01T00:00:00Z",
            "locked": rng.random() < 1 / 2,
        },
        "digests": {
            "md5": f"{rng.getrandbits(128):032x}",
            "sha1": f"{rng.getrandbits(160):040x}",
            "crc32": rng.getrandbits(32),
        },
        "image": {
            "width": rng.randrange(10**4),
            "height": rng.randrange(10**4),
            "dpi": rng.choice([72, 300, None]),
            "colours": rng.choice(["RGB", "CMYK"]),
        },
        "origin": {
            "system": rng.choice(["scanner", "Büro", "写真"]),
            "batch": rng.randrange(10**5),
            "host": {"name": f"host-{rng.randrange(64)}", "address": f"10.0.0.{rng.randrange(256)}"},
        },
        "tags": rng.sample(["hot", "cold", "größe", "a/b"], k=2),
        "ratio": rng.randrange(10**4) / 100,
    }
    return ',"metadata":' + json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


METADATA: dict[Shape, Callable[[Random], str]] = {"mixed": _mixed, "flat": _flat, "wide": _wide}
