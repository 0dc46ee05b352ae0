"""Cases of hostile bodies: what is read to its end has to arrive, whatever else happens."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

from torture.fuzz import oracle, values
from torture.fuzz.cases import COLLECTION, FIELDS, IDS, SIZE, Case, config, page, paged, record
from torture.fuzz.mutations import TEXTS, broken_text, broken_tree, chance, dump, odd_value
from torture.fuzz.serving import PATH, answer

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.fuzz.files import Known
    from torture.fuzz.running import Ending

STREAMS = 6
"""Of a run: what a run costs before its first request is shared by so many bodies."""


def whole_bodies(random: Random, known: Known) -> Case:
    """Return a case of several streams, of each of which all is in one hostile body, and has to arrive."""
    infers, on_misfit = chance(random, 0.4), random.choice(("fail", "fail", "null"))
    entries = [_stream(random, f"s{number}") for number in range(STREAMS)]
    bodies, almost = {}, 0
    for entry in entries:
        count = random.randrange(7)
        tree = page([record(number) for number in range(count)], count, entry["data_selector"])
        valid = chance(random, 0.5)
        almost += valid
        bodies[entry["path"]] = _almost(random, tree) if valid else _made_up(random, entry["data_selector"])

    def judge(ending: Ending) -> list[str]:
        faults = []
        for entry in entries:
            own = oracle.of_stream(entry["name"], ending)
            faults += oracle.lost_from(bodies[entry["path"]], entry["data_selector"], own)
        return faults

    settings = config(known.url, offset_param="", infer_schema=infers, on_misfit=on_misfit, resources=entries)
    return Case(
        "body",
        {"config": json.dumps(settings).encode()},
        lambda _, parameters: answer(bodies.get(parameters[PATH], b"")),
        judge,
        hostile=STREAMS,
        almost=almost,
    )


def _stream(random: Random, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": name,
        "path": f"/{name}",
        "data_selector": random.choice(("data", "data", "data", "$", "result.items")),
        "primary_keys": random.choice((["id"], ["id"], ["id"], [], ["id", "name"])),
        "replication_key": random.choice(("created_at", "created_at", "", "updated_at")),
        "total_path": random.choice(("total", "total", "")),
    }
    if chance(random, 0.06):
        names = ("name", "created_at", "updated_at", "size", "metadata")
        known: dict[str, Any] = {"id": {"type": ["string", "integer"]}} | {
            key: {"type": ["string", "null"]} for key in names
        }
        known |= {key: {"type": ["string", "null"], "format": "date-time"} for key in names[1:3]}
        entry["schema"] = {"properties": known | FIELDS}
    return entry


def _almost(random: Random, tree: Any) -> bytes:
    """Return a valid answer with one, two or three things wrong, rarely none."""
    times = random.choice((0, *[1] * 12, *[2] * 5, 3, 3))
    trees = sum(chance(random, 0.65) for _ in range(times))
    body = dump(broken_tree(random, tree, times=trees)).encode("utf-8", "surrogatepass")
    for _ in range(times - trees):
        body = broken_text(random, body)
    return body


def _made_up(random: Random, selector: str) -> bytes:
    """Return a body that nobody would call a page, or a page whose records have values of all kinds."""
    short: dict[int, Callable[[], bytes]] = {
        0: lambda: random.randbytes(random.choice((0, 1, 10, 1000))),
        1: lambda: random.choice(
            (b"", b"<html>login</html>", b"OK", b"null", b"\xff\xfe[\x00]\x00", b"  ", b"[" * 9999)
        ),
        2: lambda: dump(odd_value(random)).encode("utf-8", "surrogatepass"),
    }
    if make := short.get(random.randrange(8)):
        return make()
    count = random.randrange(5)
    names = [*COLLECTION[0], *random.sample(TEXTS, 3)]
    records: list[Any] = []
    for number in range(count):
        chosen = random.sample(names, random.randrange(len(names)))
        made = {name: odd_value(random) if chance(random, 0.3) else COLLECTION[0].get(name) for name in chosen}
        records.append({"id": number, **made})
    return dump(page(records, random.choice((count, count, count, 10**9)), selector)).encode("utf-8", "surrogatepass")


def one_of_several(random: Random, known: Known) -> Case:
    """Return a case in which one answer of a walk is hostile; records that it did not touch have to arrive."""
    at, broken = random.randrange(4), random.randbytes(8)
    settings = config(
        known.url, max_retries=random.choice((0, 1, 1)), concurrency=1, page_overlap=random.choice((0, 1, 1, 2))
    )
    settings["infer_schema"] = False
    valid, body = b"", b""

    def serve(number: int, parameters: dict[str, str]) -> bytes:
        nonlocal valid, body
        if number != at:
            return answer(paged(parameters))
        valid = paged(parameters)
        body = _almost(Random(broken), json.loads(valid))
        return answer(body)

    def judge(ending: Ending) -> list[str]:
        try:
            held, total = values.records_of(body, "data") or [], values.find(values.read(body or b"{}"), "total")
        except ValueError:
            held, total = [], str(SIZE)
        whole = values.records_of(valid, "data") if valid else []
        touched = {each["id"] for each in whole or []} - {str(each.get("id")) for each in held}
        known = [values.read(dump(each).encode()) for each in COLLECTION]
        # Without an overlap, offsets go by how many records came: nothing shows that some did too often, or not at all.
        proven = total == str(SIZE) and (settings["page_overlap"] or len(held) in (0, len(whole or [])))
        lost = oracle.missing(set(IDS) - touched, ending) if proven or not valid else []
        return [*lost, *oracle.invented([*known, *held], ending)]

    return Case("body", {"config": json.dumps(settings).encode()}, serve, judge)
