"""What a storage vendor's database might hold: files with times that tie, gaps, and names in many scripts."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

NAMES = (
    "Übersicht.pdf",
    "报告.xlsx",
    "📦 backup.tar.gz",
    "отчёт.csv",
    "مستند.docx",
    'it\'s "quoted".txt',
    "e\u0301clair\u2028menu.txt",
    "plain.txt",
)
OWNERS = ("Åsa Öberg", "Nguyễn Văn An", "山田 太郎", "Zoe")
TYPES = ("application/pdf", "text/csv", "image/png")
AGE = timedelta(days=90)
REST = timedelta(hours=1)
IMPORTED_EVERY = 37
IMPORTED_AGE = timedelta(days=20)


def past(count: int, *, imported: bool = False) -> list[dict[str, Any]]:
    """Make so many records of the last 90 days, but for the last hour, oldest first.

    imported: every 37th has the date that it had elsewhere, 20 days earlier.
    """
    end = datetime.now(timezone.utc) - REST
    records = make(count, end - AGE, end)
    for record in records[IMPORTED_EVERY::IMPORTED_EVERY] if imported else ():
        record["created_at"] -= IMPORTED_AGE
    return records


def present(count: int) -> list[dict[str, Any]]:
    """Make so many records of this instant."""
    now = datetime.now(timezone.utc)
    return make(count, now, now)


def make(count: int, begin: datetime, end: datetime) -> list[dict[str, Any]]:
    """Make so many records, the same ones each time but for their instants, which rise from begin to end.

    A fifth were created at the same instant as the one before, and a twentieth in one go. `archived_at` and cents
    in `cost` are only met in the middle, on the first page from either side they are not.
    """
    chance = random.Random(count)
    instants = _instants(chance, count, begin, end)
    return [_record(chance, place / count, created, end) for place, created in enumerate(instants)]


def _instants(chance: random.Random, count: int, begin: datetime, end: datetime) -> list[datetime]:
    """Return instants in order; a tenth of them are whole seconds."""
    instants: list[datetime] = []
    for place in range(count):
        tied = chance.random() < 0.2 or 0.3 <= place / count < 0.35
        if not instants or not tied:
            exact = begin + (end - begin) * ((place + chance.random()) / count)
            whole = exact.replace(microsecond=0)
            instants.append(whole if chance.random() < 0.1 and whole >= begin else exact)
        else:
            instants.append(instants[-1])
    return instants


def _record(chance: random.Random, position: float, created: datetime, end: datetime) -> dict[str, Any]:
    """Make one record; position is 0 for the oldest, and nearly 1 for the newest."""
    middle = 0.4 <= position < 0.6
    cost = chance.randrange(10_000)
    return {
        "name": f"{chance.randrange(1000):03} {chance.choice(NAMES)}",
        "content_type": chance.choice((*TYPES, None)),
        "size": None if chance.random() < 0.3 else chance.randrange(5 * 2**40),
        "cost": None if chance.random() < 0.3 else cost / 100 if middle else cost // 100,
        "created_at": created,
        "updated_at": created + (end - created) * chance.random() ** 4,
        "archived_at": end if middle and chance.random() < 0.5 else None,
        "metadata": {
            "owner": {"name": chance.choice(OWNERS), "team": chance.choice(("ops", None))},
            "tags": chance.sample(("2026", "été", "draft"), chance.randrange(3)),
            "retention": "forever" if chance.random() < 0.1 else chance.choice((30, 365)),
        },
    }
