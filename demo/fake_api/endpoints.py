"""The control endpoints, under `/_fake/`: no key needed, never journalled as requests.

    POST behaviour {…}                merged into the present one; returns the whole
    POST reset     {"records": N}     behaviour, journal, count of requests; collection
    POST insert    {"count", "at", "created_at"} | {"records": […]} | {"raw": ["…"]}
    POST delete    {"ids": […]} | {"count", "at"}
    POST replace   {"raw": "[…]"}     the whole collection, each record's text as given
    GET  records                      the collection as inserted, without hidden records
    GET  journal?since=n&ids=1        entries after number n; with all ids served

A body that is not understood is answered with 400 and the reason.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from demo.fake_api.answers import Answer, error, json_answer
from demo.fake_api.behaviour import Behaviour, Place
from demo.fake_api.collection import split_array
from demo.fake_api.shapes import AtLeast, Positive, Refused, as_json, read

if TYPE_CHECKING:
    from collections.abc import Callable

    from demo.fake_api.incoming import Request
    from demo.fake_api.service import Service

PREFIX = "/_fake/"


@dataclass(frozen=True)
class Reset:
    """Body of `reset`."""

    records: Annotated[int, AtLeast(0)] | None = None


@dataclass(frozen=True)
class Insert:
    """Body of `insert`: made records, or those of `records`, or the texts in `raw`."""

    count: Positive = 1
    at: Place = "back"
    created_at: str | None = None
    records: tuple[object, ...] | None = None
    raw: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Delete:
    """Body of `delete`: by ids, or so many at a place."""

    ids: tuple[str | int, ...] | None = None
    count: Positive = 1
    at: Place = "back"


@dataclass(frozen=True)
class Replace:
    """Body of `replace`: the text of a JSON array."""

    raw: str


def control(service: Service, request: Request) -> Answer:
    """Answer a request to a control endpoint; 400 says what is wrong with its body."""
    name = request.path.removeprefix(PREFIX)
    endpoint = ENDPOINTS.get((request.method, name))
    if endpoint is None:
        known = ", ".join(f"{method} {PREFIX}{name}" for method, name in ENDPOINTS)
        return error(404, f"no such control endpoint; there are {known}")
    try:
        return endpoint(service, request)
    except ValueError as refusal:
        return error(400, str(refusal))


def _behaviour(service: Service, request: Request) -> Answer:
    told = _body(request)
    if not isinstance(told, dict):
        message = "behaviour: expected an object"
        raise Refused(message)
    merged = {**as_json(service.behaviour), **told}
    service.behave(read(Behaviour, merged, "behaviour"))
    return json_answer(200, as_json(service.behaviour))


def _reset(service: Service, request: Request) -> Answer:
    service.reset(read(Reset, _body(request), "reset").records)
    return json_answer(200, {})


def _insert(service: Service, request: Request) -> Answer:
    told = read(Insert, _body(request), "insert")
    if told.raw is not None:
        ids = service.insert_texts(told.at, told.raw)
    elif told.records is not None:
        texts = [json.dumps(record, ensure_ascii=False) for record in told.records]
        ids = service.insert_texts(told.at, texts)
    else:
        ids = service.insert(told.at, told.count, told.created_at)
    return json_answer(200, {"ids": ids})


def _delete(service: Service, request: Request) -> Answer:
    told = read(Delete, _body(request), "delete")
    if told.ids is None:
        numbers = service.chosen(told.at, told.count)
    else:
        wanted = set(told.ids)
        order = service.collection.order
        numbers = [n for n in order if service.collection.identifier(n) in wanted]
    return json_answer(200, {"ids": service.delete(numbers)})


def _replace(service: Service, request: Request) -> Answer:
    texts = split_array(read(Replace, _body(request), "replace").raw)
    service.delete(service.collection.order[:])
    return json_answer(200, {"ids": service.insert_texts("back", texts)})


def _records(service: Service, _: Request) -> Answer:
    numbers = service.visible(service.collection.order)
    return Answer(200, b"[%b]" % b",".join(service.collection.texts(numbers)))


def _journal(service: Service, request: Request) -> Answer:
    parameters = request.parameters
    entries = service.journal.told(
        since=int(parameters.get("since", 0)),
        all_ids=parameters.get("ids") == "1",
    )
    return json_answer(200, entries)


def _body(request: Request) -> object:
    return json.loads(request.body or b"{}")


ENDPOINTS: dict[tuple[str, str], Callable[[Service, Request], Answer]] = {
    ("POST", "behaviour"): _behaviour,
    ("POST", "reset"): _reset,
    ("POST", "insert"): _insert,
    ("POST", "delete"): _delete,
    ("POST", "replace"): _replace,
    ("GET", "records"): _records,
    ("GET", "journal"): _journal,
}
