"""Which hazards are put to whom: each is a behaviour of the fake API, the same for every contender.

The numbers are those of the design's table of hazards. Records are a thousand on ten full pages, so that no page is
short where nothing is wrong.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from benchmarks import contenders
from benchmarks.contender import PEERS, Contender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.contender import Task

RECORDS = 1000
LIMIT = 100
KILLED = 150
"""The request that stays unanswered until a contender is killed: late enough for those that write a state by then."""
KILLED_OF = 30_000
API_KEY = "hazardkey7f3a9c5e"
ODD_KEY = "hazard-key+7f3a/9c=x"
SPOILED = "6"
"""A field is spoiled where the id ends so: in each tenth record, neither the first of a page nor the last."""


@dataclasses.dataclass(frozen=True)
class Hazard:
    """number: in the design's table. best: what a reader can make of it at best. behaviour: keys of the fake API.

    field: a name, and the JSON text that some records have there; text "" leaves it out. refused: nothing listens
    at the address. api_key: the one to send. killed: at request KILLED, and then run again with its state.
    retry_after: seconds that one answer asks to wait.
    """

    number: int
    text: str
    best: str = "complete"
    behaviour: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    records: int = RECORDS
    field: tuple[str, str] | None = None
    refused: bool = False
    api_key: str = API_KEY
    killed: bool = False
    retry_after: float = 0


def _fault(number: int, text: str, best: str, retry_after: float = 0, **fault: Any) -> Hazard:
    return Hazard(number, text, best, {"faults": [fault]}, retry_after=retry_after)


def _total(text: str, total: object) -> Hazard:
    return Hazard(4, text, behaviour={"total": total})


def _change(number: int, text: str, best: str = "complete", **change: Any) -> Hazard:
    return Hazard(number, text, best, {"changes": [change]})


UNAUTHORIZED = {"faults": [{"kind": "status", "status": 401, "from": 1}]}
MOVED = {"op": "move", "at": "back", "to": "front", "every": 2, "times": 3}

HAZARDS = (
    Hazard(1, "asked for 100 records, the API gives 50 a page", behaviour={"cap": 50}),
    Hazard(2, "each third page is half empty", behaviour={"short_every": 3}),
    Hazard(3, "no total", behaviour={"total": "absent"}),
    _total("the total is null", "null"),
    _total("the total is text", "string"),
    _total("the total is no number", {"value": "about a thousand"}),
    _total("the total is that of the page", "page"),
    _total("the total counts up to 500 only", {"capped": 500}),
    _total("the total counts 500 more than there are", {"value": 1500}),
    Hazard(5, "the API ignores the offset", "an error", {"offset": "ignored"}),
    Hazard(6, "past the end, the last page again", behaviour={"past_end": "repeat"}),
    Hazard(6, "past the end, the last page again, and no total", behaviour={"past_end": "repeat", "total": "absent"}),
    _change(7, "records read are deleted while it pages", op="delete", at="read", count=3, every=2),
    _change(8, "records come in front while it pages", op="insert", at="front", count=5, every=2, times=4),
    Hazard(9, "each page in another order", "an error", {"sort": "unstable"}),
    _fault(10, "one empty page mid-way, once", "complete", kind="empty", on=4),
    _fault(10, "only empty pages from mid-way on", "an error", kind="empty", **{"from": 4}),
    _fault(11, "status 200 with an error for data, from page 4", "an error", kind="envelope", **{"from": 4}),
    _fault(11, "data is null, from page 4", "an error", kind="null_data", **{"from": 4}),
    _fault(11, "data is an object, from page 4", "an error", kind="data_object", **{"from": 4}),
    _fault(11, "records are numbers, from page 4", "an error", kind="scalars", **{"from": 4}),
    _fault(12, "a web page with status 200, once", "complete", kind="html", on=4),
    _fault(12, "bytes that are no JSON, once", "complete", kind="garbage", on=4),
    _fault(12, "an answer is cut off, once", "complete", kind="cut", on=4),
    _fault(12, "a connection is dropped, once", "complete", kind="drop", on=4),
    _fault(13, "429 with Retry-After: 5, once", "complete", 5, kind="retry_after", seconds=5, on=4),
    _fault(13, "503, once", "complete", kind="status", status=503, on=4),
    _fault(13, "503 from page 4 on", "an error", kind="status", status=503, **{"from": 4}),
    Hazard(14, "401", "an error", UNAUTHORIZED),
    _fault(14, "403 from page 4 on", "an error", kind="status", status=403, **{"from": 4}),
    Hazard(14, "401, and a key with signs in it", "an error", UNAUTHORIZED, api_key=ODD_KEY),
    Hazard(15, "nothing listens at the address", "an error", refused=True),
    Hazard(15, "nothing listens there, and a key with signs in it", "an error", refused=True, api_key=ODD_KEY),
    _fault(15, "500 that repeats the request", "an error", kind="echo", status=500, **{"from": 1}),
    _fault(15, "400 that repeats the request", "an error", kind="echo", status=400, **{"from": 1}),
    Hazard(19, "killed half-way, and run again", records=KILLED_OF, killed=True),
    Hazard(21, "integers of 23 digits", field=("size", "12345678901234567890123")),
    Hazard(21, "decimals of 31 digits", field=("metadata", '{"ratio":0.1234567890123456789012345678901}')),
    Hazard(22, "records without their primary key", "an error", field=("id", "")),
    Hazard(25, "offsets are rounded down to multiples of 100", behaviour={"offset": {"multiples_of": 100}}),
    Hazard(26, "each seventh record is hidden, but counted", behaviour={"hidden_every": 7}),
    Hazard(27, "only empty pages from offset 500 on", "an error", {"ceiling": {"offset": 500}}),
    _change(28, "unread records move to the front", "an error", **MOVED),
    Hazard(28, "unread records move to the front, no total", "cannot be seen", {"changes": [MOVED], "total": "absent"}),
)


def _dlt(end: str) -> Contender:
    """Return dlt with its whole pipeline. end: where it stops."""

    def command(task: Task) -> Sequence[str]:
        told = (task.url, task.api_key, str(task.limit), str(task.directory / "pipelines"), end)
        return [str(task.bin / "python"), str(PEERS / "dlt" / "hazards.py"), *told]

    return Contender(f"dlt, to {END[end]}", "dlt", command, contenders.DLT.ids, contenders.dlt_environment)


END = {"total": "the total", "empty": "an empty page"}

CAUTIOUS = {
    "    properties: {}": "    properties: { api_key: { type: string, airbyte_secret: true } }",
    "        http_method: GET": """        http_method: GET
        error_handler:
          type: DefaultErrorHandler
          backoff_strategies: [{ type: WaitTimeFromHeader, header: Retry-After }]""",
}
"""What its documentation advises, and speed has no need of: the key is a secret, and the API says when to retry.

https://docs.airbyte.com/platform/connector-development/config-based/understanding-the-yaml-file/error-handling
"""


def _airbyte(task: Task) -> Sequence[str]:
    """Return how Airbyte's low-code source is started, from the benchmark's manifest with what is CAUTIOUS."""
    path = PEERS / "airbyte" / "manifest.yaml"
    manifest = path.read_text(encoding="utf-8")
    for plain, cautious in CAUTIOUS.items():
        before, after = manifest.split(f"{plain}\n")
        manifest = f"{before}{cautious}\n{after}"
    own = task.directory / path.name
    own.write_text(manifest, encoding="utf-8")
    return [str(own) if each == str(path) else each for each in contenders.airbyte(task)]


CONTENDERS = (
    contenders.TAP_STORAGE,
    *map(_dlt, END),
    dataclasses.replace(contenders.AIRBYTE, command=_airbyte),
    contenders.MSDK,
    contenders.SDK_TEMPLATE,
)
"""Each as it is configured for the benchmark, retries as they come; dlt in both of its ways to end."""
