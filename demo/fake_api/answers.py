"""Answers, good and bad: what a fault makes of the answer that was due."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from math import ceil
from typing import TYPE_CHECKING, Literal, cast

from demo.fake_api.pages import body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from demo.fake_api.behaviour import Behaviour
    from demo.fake_api.faults import Fault
    from demo.fake_api.incoming import Request
    from demo.fake_api.pages import Page

Manner = Literal["whole", "cut", "drop", "unanswered", "trickle", "trickle_headers"]


@dataclass(frozen=True)
class Answer:
    """An HTTP answer and the manner of sending it.

    page: the records in it, None if it holds none of the collection's. seconds: between
    two bytes of a trickle; until the connection of an unanswered request is closed,
    None: never.
    """

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    page: Page | None = None
    manner: Manner = "whole"
    seconds: float | None = None

    @property
    def arrives(self) -> bool:
        """Tell whether the client gets all of it, sooner or later."""
        return self.manner in ("whole", "trickle", "trickle_headers")


@dataclass(frozen=True)
class Situation:
    """What a fault meets: the request, and the answer that was due.

    now: the server's clock, in seconds since 1970.
    """

    request: Request
    behaviour: Behaviour
    answer: Answer
    now: float


def json_answer(status: int, value: object) -> Answer:
    """Return the value as a JSON answer."""
    return Answer(status, json.dumps(value).encode())


def error(status: int, message: str) -> Answer:
    """Return a JSON error."""
    return json_answer(status, {"error": message})


def spoiled(fault: Fault, situation: Situation) -> Answer:
    """Return the answer that the fault puts in place of the one that was due."""
    answer = FAULTS[fault.kind](fault, situation)
    return replace(answer, headers={**answer.headers, **fault.headers})


def _status(fault: Fault, _: Situation) -> Answer:
    status = fault.status or 500
    if fault.body is None:
        return error(status, f"the fake API was told to answer {status}")
    return Answer(status, fault.body.encode())


def _retry_after(fault: Fault, situation: Situation) -> Answer:
    seconds = 1 if fault.seconds is None else fault.seconds
    date = formatdate(ceil(situation.now + seconds), usegmt=True)
    headers = {"Retry-After": date if fault.as_ == "date" else str(seconds)}
    return replace(error(fault.status or 429, "too many requests"), headers=headers)


def _sent(fault: Fault, situation: Situation) -> Answer:
    trickles = fault.kind.startswith("trickle")
    return replace(
        situation.answer,
        manner=cast("Manner", fault.kind),
        seconds=fault.interval_s if trickles else fault.seconds,
    )


def _with_list(content: bytes) -> Callable[[Fault, Situation], Answer]:
    """Return a fault that has other content where the list of records belongs."""

    def spoil(_: Fault, situation: Situation) -> Answer:
        page = situation.answer.page
        if page is None:  # the request was turned down anyway
            return situation.answer
        return Answer(200, body(situation.behaviour, content, page.total))

    return spoil


def _echo(fault: Fault, situation: Situation) -> Answer:
    request = situation.request
    host = request.headers.get("host", "")
    echo = {
        "error": "cannot answer this request",
        "url": f"http://{host}{request.target}",
        "headers": request.headers,
    }
    return json_answer(fault.status or 500, echo)


def _redirect(fault: Fault, situation: Situation) -> Answer:
    location = fault.location.replace("{query}", situation.request.query)
    return Answer(fault.status or 302, b"", {"Location": location})


def _raw(fault: Fault, _: Situation) -> Answer:
    if fault.body_base64 is not None:
        return Answer(200, base64.b64decode(fault.body_base64))
    return Answer(200, (fault.body or "").encode(errors="surrogatepass"))


def _constant(answer: Answer) -> Callable[[Fault, Situation], Answer]:
    return lambda _fault, _situation: answer


FAULTS: dict[str, Callable[[Fault, Situation], Answer]] = {
    "status": _status,
    "retry_after": _retry_after,
    "drop": _sent,
    "cut": _sent,
    "unanswered": _sent,
    "trickle": _sent,
    "trickle_headers": _sent,
    "garbage": _constant(Answer(200, b'{"data": [{"id": "obj-\xff\xfe\x00')),
    "html": _constant(
        Answer(
            200,
            b"<!DOCTYPE html><title>Sign in</title><p>Please sign in.",
            content_type="text/html; charset=utf-8",
        )
    ),
    "envelope": _constant(error(200, "the storage is being moved")),
    "null_data": _with_list(b"null"),
    "data_object": _with_list(b'{"id":"obj-0000001","name":"no list"}'),
    "scalars": _with_list(b"[1,2,3]"),
    "empty": _with_list(b"[]"),
    "echo": _echo,
    "redirect": _redirect,
    "raw": _raw,
}
