"""The page lane: whatever the schema and the page, it writes what the SDK's path writes, or leaves the page to that."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_storage.emission import find_lane
from tap_storage.records import read_page
from tap_storage.streams import StorageDataStream
from tap_storage.tap import TapStorage
from tests.running import settings as config

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap

EXAMPLES = 600
PATHS = {"data_selector": "data", "total_path": "total"}
NUMBERS = ["0", "-0", "7", "-1.5", "1.10", "1e3", "9223372036854775808", "0.1234567890123456789012345678901", "1E-400"]


class Number(str):
    """A number as it is written."""

    __slots__ = ()


def write(value: Any, blank: str) -> str:
    """Write JSON with these blanks between everything, and numbers as they are."""
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, dict):
        inner = [f"{json.dumps(name)}{blank}:{blank}{write(each, blank)}" for name, each in value.items()]
        return f"{{{blank}{f',{blank}'.join(inner)}{blank}}}"
    if isinstance(value, list):
        return f"[{blank}{f',{blank}'.join(write(each, blank) for each in value)}]"
    return json.dumps(value, ensure_ascii=blank == " ")


TEXTS = st.sampled_from(["", "a", "ä\u2028", '"\\/', "line\nbreak", "\x00", "𝄞", "2024-01-01T00:00:00Z"])
SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXTS,
    "integer": st.sampled_from([Number(text) for text in NUMBERS if text.strip("-").isdigit()]),
    "number": st.sampled_from([Number(text) for text in NUMBERS]),
    "boolean": st.booleans(),
    "null": st.none(),
}
ANYTHING = st.recursive(
    st.one_of(*SCALARS.values()),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abx"), inner, max_size=2),
    max_leaves=4,
)


@st.composite
def schemas(draw: st.DrawFn, depth: int = 2) -> dict[str, Any]:
    """Draw what a schema says of a property."""
    kinds = draw(st.lists(st.sampled_from([*SCALARS][:-1]), min_size=1, max_size=2, unique=True))
    schema: dict[str, Any] = {}
    if depth and draw(st.booleans()):
        kinds = [draw(st.sampled_from(["object", "array"]))]
        if kinds == ["object"] and draw(st.booleans()):
            schema["properties"] = draw(st.dictionaries(st.sampled_from("abc"), schemas(depth - 1), min_size=1))
            schema |= draw(st.sampled_from([{}, {"additionalProperties": True}, {"additionalProperties": False}]))
        if kinds == ["array"] and draw(st.booleans()):
            schema["items"] = draw(schemas(0))
    kinds += draw(st.sampled_from([[], ["null"]]))
    return {"type": kinds[0] if len(kinds) == 1 else kinds, **schema}


@st.composite
def fitting(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Draw a value that fits a schema, as a rule."""
    if draw(st.integers(0, 30)) == 0:
        return draw(ANYTHING)
    kinds = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    kind = draw(st.sampled_from(kinds))
    if kind == "object":
        inner = schema.get("properties", {})
        named = {name: draw(fitting(each)) for name, each in inner.items() if draw(st.integers(0, 4))}
        return named | draw(st.dictionaries(st.sampled_from("xy"), ANYTHING, max_size=0 if inner else 2))
    if kind == "array":
        return draw(st.lists(fitting(schema["items"]) if "items" in schema else ANYTHING, max_size=3))
    return draw(SCALARS[kind])


@st.composite
def cases(draw: st.DrawFn) -> tuple[dict[str, Any], list[str], str]:
    """Draw a schema, the names of properties that are not selected, and a page."""
    properties = draw(st.dictionaries(st.sampled_from(["a", "b", "c d", "é", "class"]), schemas(), max_size=4))
    properties = {
        "id": {"type": draw(st.sampled_from([["string", "integer"], ["null", "string", "integer"]]))},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        **properties,
    }
    records = []
    for number in range(draw(st.integers(0, 5))):
        record = {"id": draw(st.sampled_from([str(number), Number(number)]))}
        for name, schema in properties.items():
            if name != "id" and draw(st.integers(0, 5)):
                record[name] = draw(fitting(schema))
        records.append(record | draw(st.dictionaries(st.sampled_from("xy"), ANYTHING, max_size=1)))
    document = {"total": draw(st.sampled_from([None, Number("3"), "12", True, [1]])), "data": records, "more": [1]}
    hidden = draw(st.lists(st.sampled_from([*properties]), max_size=2))
    blank = draw(st.sampled_from(["", "", " ", "\n  ", "\r\n\t"]))
    return properties, hidden, draw(st.sampled_from(["", "\ufeff"])) + write(document, blank)


def made(properties: dict[str, Any], hidden: list[str]) -> StorageDataStream:
    """Make the stream of a catalog."""
    crumbs = [{"breadcrumb": ["properties", name], "metadata": {"selected": False}} for name in hidden]
    entry = {
        "tap_stream_id": "storage_data",
        "stream": "storage_data",
        "key_properties": ["id"],
        "replication_key": "created_at",
        "replication_method": "INCREMENTAL",
        "schema": {"type": "object", "properties": properties},
        "metadata": [{"breadcrumb": [], "metadata": {"selected": True}}, *crumbs],
    }
    tap = TapStorage(
        config={"base_url": "http://localhost", "api_key": "k"}, catalog={"streams": [entry]}, setup_mapper=True
    )
    stream = tap.streams["storage_data"]
    assert isinstance(stream, StorageDataStream)
    return stream


def messages(stream: StorageDataStream, lines: bytes) -> list[dict[str, Any]]:
    """Return RECORD messages in the exact form, but for the moment that they name."""
    read = [json.loads(line, parse_float=Decimal) for line in lines.decode().split("\n") if line]
    assert all(message.pop("time_extracted").endswith("Z") for message in read)
    assert {message["stream"] for message in read} <= {stream.name}
    return read


def through_the_sdk(stream: StorageDataStream, body: bytes) -> list[dict[str, Any]]:
    """Return the messages that the SDK makes of a page."""
    records = [stream.post_process(record) for record in read_page(body, **PATHS).records]
    writer = stream._tap.message_writer  # noqa: SLF001 (as the SDK does)
    lines = [
        bytes(writer.format_message(message))
        for record in records
        for message in stream._generate_record_messages(record)  # noqa: SLF001
    ]
    return messages(stream, b"".join(lines))


def test_a_page_gives_the_same_messages_on_both_paths() -> None:
    """A field would be lost, altered or added, and only where the tap is fast."""
    taken = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(cases())
    def hold(case: tuple[dict[str, Any], list[str], str]) -> None:
        properties, hidden, text = case
        body = text.encode()
        stream = made(properties, hidden)
        lane = find_lane(stream, stream.resource)
        page = lane.read(body) if lane else None
        taken.append(page is not None)
        if page is None:
            return
        expected = read_page(body, **PATHS)
        surroundings = (b'{"type":"RECORD","stream":"storage_data","record":', b',"time_extracted":"Z"}')
        lines = b"".join(page.lines(range(len(page)), *surroundings))
        assert messages(stream, lines) == through_the_sdk(stream, body)
        assert lines.count(b"\n") == len(page) == len(expected)
        assert b"\r" not in lines
        assert page.total == expected.total
        assert page.column("id") == expected.column("id")
        assert page.column("created_at") == expected.column("created_at")
        assert page.records == expected.records

    hold()
    assert sum(taken) > EXAMPLES / 4
    assert not all(taken)


NEVER: dict[str, dict[str, Any]] = {
    "a stream map": {"stream_maps": {"storage_data": {"new": "id"}}},
    "flattening": {"flattening_enabled": True, "flattening_max_depth": 1},
    "no primary key": {"primary_keys": []},
}


@pytest.mark.parametrize("why", NEVER)
def test_what_the_lane_does_not_do_is_left_to_the_sdk(tap: Tap, api: FakeAPI, why: str) -> None:
    """What was asked for would not be done."""
    run = tap(config(api, **NEVER[why]))
    assert (run.status, len(run.ids), run.verdict["page_lane"]) == (0, 250, 0.0)
    if why == "a stream map":
        assert [record["new"] for record in run.records] == run.ids


@pytest.mark.parametrize("broken", [{"id": None}, {"name": "no key"}], ids=json.dumps)
def test_a_record_without_its_primary_key_is_an_error_where_the_lane_is_taken(
    tap: Tap, api: FakeAPI, broken: dict[str, Any]
) -> None:
    """It would be written without a key, where the schema allows for null."""
    catalog = tap.discover(config(api))
    api.replace(json.dumps([*api.records()[:3], broken]))
    catalog["streams"][0]["schema"]["properties"]["id"]["type"] = ["null", "string"]
    run = tap(config(api), catalog=catalog)
    assert (run.status, run.ids) == (1, [])
    assert "primary key id, number 4 on the page" in run.errors[0]


def test_a_page_that_does_not_fit_is_left_to_the_sdk(tap: Tap, api: FakeAPI) -> None:
    """One odd record would end the run, or slow all of it down."""
    records = api.records()
    records[120]["size"] = "12"
    api.replace(json.dumps(records))
    run = tap(config(api))
    assert (run.status, run.verdict["page_lane"], run.records[120]["size"]) == (0, 0.667, 12)
    assert run.ids == [record["id"] for record in records]


def test_fields_that_the_schema_does_not_have_are_told_of_once(tap: Tap, api: FakeAPI) -> None:
    """A field that the API adds would never be seen at the destination, and nobody know why."""
    api.replace(json.dumps([record | {"colour": "red"} for record in api.records()]))
    run = tap(config(api, infer_schema=False))
    assert (run.status, run.verdict["page_lane"], len([each for each in run.warnings if "colour" in each])) == (0, 1, 1)
    assert not any("colour" in record for record in run.records)


def test_the_metrics_are_those_of_the_sdk(tap: Tap, api: FakeAPI) -> None:
    """Whoever watches the counts of records would see none."""
    fast, slow = tap(config(api)), tap(config(api, **NEVER["flattening"]))
    for run in (fast, slow):
        points = [json.loads(line.split("METRIC: ")[1]) for line in run.stderr.splitlines() if "METRIC: " in line]
        counted = {point["metric"]: point["value"] for point in points if point["type"] == "counter"}
        assert counted == {"record_count": 250, "http_request_count": 4}
        assert [point["metric"] for point in points].count("http_request_duration") == 4


def test_a_trial_run_writes_as_many_records_as_it_says(tap: Tap, api: FakeAPI) -> None:
    """`--test` would read on, or fetch pages ahead."""
    run = tap(config(api), "--test")
    assert (run.status, len(api.requests())) == (0, 1)


def test_selection_is_heeded(tap: Tap, api: FakeAPI) -> None:
    """Fields that are kept from the destination on purpose would get there."""
    catalog = tap.discover(config(api))
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "checksum"]:
            entry["metadata"]["selected"] = False
    run = tap(config(api), catalog=catalog)
    assert (run.status, run.verdict["page_lane"]) == (0, 1.0)
    assert {"checksum" in record for record in run.records} == {False}
