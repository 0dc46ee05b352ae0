"""The schema: a person's own, or the built-in one with what a sample page shows."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as some
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage import schema
from tap_storage.conform import Conformer
from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap

NULLABLE = [("integer", 1), ("number", "1.5"), ("boolean", "true"), ("string", '"x"')]


def schema_of(run: Run) -> dict[str, Any]:
    """Return the schema that the destination was told."""
    (message,) = (message for message in run.messages if message["type"] == "SCHEMA")
    properties: dict[str, Any] = message["schema"]["properties"]
    return properties


INFERRED: list[tuple[str, dict[str, Any]]] = [
    ("1, 2", {"type": ["integer", "null"]}),
    ("1, 2.5", {"type": ["number", "null"]}),
    ("1, 18446744073709551616", {"type": ["integer", "string", "null"]}),
    ("true, null", {"type": ["boolean", "null"]}),
    ('"x", null', {"type": ["string", "null"]}),
    ("null, null", {"type": ["string", "null"]}),
    ('"2024-01-31T10:00:00Z", "2024-01-31 10:00"', {"type": ["string", "null"], "format": "date-time"}),
    ('"2024-01-31", "2024-02-01"', {"type": ["string", "null"], "format": "date"}),
    ('"2024-01-31", "2024-02-01T00:00:00+02:00"', {"type": ["string", "null"], "format": "date-time"}),
    ('"2024-01-31", "soon"', {"type": ["string", "null"]}),
    ('"20240131", "20240201"', {"type": ["string", "null"]}),
    ("1, true", {"type": ["boolean", "integer", "string", "null"]}),
    ('1, "x"', {"type": ["integer", "string", "null"]}),
    ('1.5, "2024-01-31"', {"type": ["number", "string", "null"]}),
    ('{"a": 1}, "x"', {"type": ["object", "string", "null"], "additionalProperties": True}),
    ("[], [1, null]", {"type": ["array", "null"], "items": {"type": ["integer", "null"]}}),
    ("[], null", {"type": ["array", "null"], "items": {}}),
    (
        '{"a": 1}, {"b": null}',
        {
            "type": ["object", "null"],
            "additionalProperties": True,
            "properties": {"a": {"type": ["integer", "null"]}, "b": {}},
        },
    ),
]


@pytest.mark.parametrize(("values", "expected"), INFERRED, ids=str)
def test_a_sample_page_shows_the_types_of_fields(tap: Tap, api: FakeAPI, values: str, expected: dict[str, Any]) -> None:
    """Fields of another vendor's records would be lost, or be of no type that a destination knows."""
    first, second = json.loads(f"[{values}]", parse_float=Decimal, parse_int=Decimal), values
    assert len(first) == 2
    rows = ",".join(f'{{"id": {number}, "field": {text}}}' for number, text in enumerate(_split(second)))
    api.replace(f"[{rows}]")
    (stream,) = tap.discover(settings(api))["streams"]
    assert stream["schema"]["properties"]["field"] == expected
    run = tap(settings(api))
    assert (run.status, len(run.records)) == (0, 2)


def _split(values: str) -> list[str]:
    """Return the texts of the two values."""
    decoder = json.JSONDecoder()
    _, end = decoder.raw_decode(values)
    return [values[:end], values[end:].lstrip(", ")]


def test_a_sample_takes_the_place_of_built_in_types_and_leaves_the_rest(tap: Tap, api: FakeAPI) -> None:
    """A vendor whose sizes are texts could not be read, or a built-in field that is null today would be lost."""
    api.replace('[{"id": 1, "size": "12 kB", "name": null, "created_at": "2024-01-31T00:00:00Z"}]')
    (stream,) = tap.discover(settings(api))["streams"]
    properties = stream["schema"]["properties"]
    assert properties["id"]["type"] == ["integer"]
    assert properties["size"]["type"] == ["string", "null"]
    assert properties["name"]["type"] == ["string", "null"]
    assert properties["created_at"]["format"] == "date-time"
    assert properties["checksum"] == schema.built_in()["properties"]["checksum"]


def test_a_replication_key_is_a_date_time_though_some_cannot_be_read(tap: Tap, api: FakeAPI) -> None:
    """One wrong date on the first page would make the stream a full table."""
    api.replace('[{"id": 1, "created_at": "soon"}, {"id": 2, "created_at": "2024-01-31T00:00:00Z"}, {"id": 3}]')
    run = tap(settings(api))
    assert (run.status, run.bookmark, run.ids) == (0, "2024-01-31T00:00:00.000000Z", [1, 2, 3])


def test_a_replication_key_in_a_form_of_its_own_is_a_text(tap: Tap, api: FakeAPI) -> None:
    """A destination would fail on dates that are none to it."""
    api.replace('[{"id": 1, "created_at": "31.01.2024 10:00"}, {"id": 2, "created_at": "01.02.2024 10:00"}]')
    run = tap(settings(api, datetime_format="%d.%m.%Y %H:%M"))
    assert (run.status, run.bookmark, len(run.records)) == (0, "2024-02-01T10:00:00.000000Z", 2)
    assert schema_of(run)["created_at"]["type"] == ["string", "null"]
    assert "format" not in schema_of(run)["created_at"]


@pytest.mark.parametrize("depth", [30, 300])
def test_a_deep_record_has_an_open_field(tap: Tap, api: FakeAPI, depth: int) -> None:
    """A record that can be copied would fail discovery, or every run after it."""
    nested = '{"a":' * depth + "1" + "}" * depth
    api.replace(f'[{{"id": 1, "deep": {nested}}}]')
    run = tap(settings(api), "--discover")
    if run.status == 0:
        assert tap(settings(api), catalog=json.loads(run.stdout)).status == 0
    assert "Traceback" not in run.stderr


def test_a_sync_costs_no_request_for_the_sample(tap: Tap, api: FakeAPI) -> None:
    """Every run would ask for its first page twice."""
    run = tap(settings(api))
    assert (run.status, len(api.requests()), run.verdict["requests"]) == (0, 4, 4)
    api.reset()
    tap(settings(api, infer_schema=False))
    assert len(api.requests()) == 4


def test_a_sync_with_a_catalog_takes_no_sample(tap: Tap, api: FakeAPI) -> None:
    """An incremental run would ask for a page that it does not need."""
    config = settings(api, start_param="created_from")
    first = tap(config)
    catalog = tap.discover(config)
    api.reset()
    tap(config, catalog=catalog, state=first.state)
    assert {"created_from" in parse_qs(entry["query"]) for entry in api.requests()} == {True}
    api.reset()
    tap(config, state=first.state)
    assert ["created_from" in parse_qs(entry["query"]) for entry in api.requests()][:2] == [False, True]


@pytest.mark.parametrize("broken", [{"api_key": "wrong"}, {"path": "/v2"}, {"data_selector": "rows"}], ids=str)
def test_a_sample_that_fails_fails_discovery(tap: Tap, api: FakeAPI, broken: dict[str, Any]) -> None:
    """A catalog with the built-in fields only would be kept, and drop the others for good."""
    run = tap(settings(api, **broken), "--discover")
    assert (run.status, run.stdout, len(run.errors)) == (1, "", 1)
    assert next(iter(broken)) in run.errors[0]


@pytest.mark.parametrize("config", [{"infer_schema": False}, {"api_key": ""}], ids=str)
def test_without_inference_or_a_key_discovery_asks_nothing(tap: Tap, api: FakeAPI, config: dict[str, Any]) -> None:
    """A catalog could not be made while the API is down, or before there is a key."""
    (stream,) = tap.discover(settings(api, **config))["streams"]
    assert stream["schema"]["properties"] == schema.built_in()["properties"]
    assert api.journal() == []


OWN = {
    "properties": {"id": {"type": "string"}, "created_at": {"$ref": "#/$defs/moment"}},
    "$defs": {"moment": {"type": ["string", "null"], "format": "date-time"}},
}


@pytest.mark.parametrize("form", ["object", "text", "file", "entry"])
def test_a_schema_of_ones_own_takes_the_place_of_the_built_in_one(tap: Tap, api: FakeAPI, form: str) -> None:
    """A person who knows better could not say so."""
    text = json.dumps(OWN)
    given = {"object": OWN, "text": text, "file": str(tap.write("own.json", text)), "entry": OWN}[form]
    more = {"resources": [{"name": "storage_data", "schema": given}]} if form == "entry" else {"schema": given}
    (stream,) = tap.discover(settings(api, **more))["streams"]
    assert api.journal() == []
    assert sorted(stream["schema"]["properties"]) == ["created_at", "id"]
    run = tap(settings(api, **more))
    assert (run.status, schema_of(run)["created_at"]["format"]) == (0, "date-time")
    assert {frozenset(record) for record in run.records} == {frozenset({"id", "created_at"})}
    assert run.verdict["page_lane"] == 1


WRONG = [
    ("no-such-file.json", "Setting schema: must be a JSON schema, or the path of a file that holds one"),
    ("{", "Setting schema: must be a JSON schema, and is no valid JSON"),
    ("[1]", "Setting schema: must be a JSON schema, or the path"),
    ({"type": "object"}, "Setting schema: must be the JSON schema of an object with properties"),
    ({"type": "array", "properties": {"id": {}}}, "Setting schema: must be the JSON schema of an object"),
    ({"properties": {"id": {"type": "text"}}}, "Setting schema: is no valid JSON schema at properties.id.type"),
    (
        {"properties": {"id": {"type": "string", "pattern": "["}}},
        "Setting schema: is no valid JSON schema at properties.id",
    ),
    ({"properties": {"id": {"$ref": "http://x/y"}}}, "Setting schema: is no valid JSON schema"),
    ({"properties": {"id": True}}, "Setting schema: must be the JSON schema of an object, each"),
    ({"properties": {"name": {"type": "string"}}}, "Setting primary_keys: id is not in the schema of storage_data"),
    ({"properties": {"id": {"type": "string"}}}, "Setting replication_key: created_at is not in the schema"),
]


@pytest.mark.parametrize(("own", "message"), WRONG, ids=str)
def test_a_wrong_schema_is_refused_before_any_request(tap: Tap, api: FakeAPI, own: Any, message: str) -> None:
    """The run would fail at the destination, or write a table without its key."""
    run = tap(settings(api, schema=own))
    assert (run.status, len(run.errors), api.journal()) == (1, 1, [])
    assert run.errors[0].startswith(message)


def test_without_records_to_sample_the_built_in_schema_stands(tap: Tap, api: FakeAPI) -> None:
    """An empty collection could not be set up before its first record comes."""
    api.replace("[]")
    run = tap(settings(api))
    assert (run.status, schema_of(run)) == (0, schema.built_in()["properties"])


def test_a_replication_key_that_no_record_has_is_told_of(tap: Tap, api: FakeAPI) -> None:
    """Every run would read and emit everything, for ever, without a word."""
    api.replace('[{"id": 1, "made": "2024-01-31T00:00:00Z"}]')
    run = tap(settings(api))
    assert run.status == 0
    assert "set replication_key to one of id, made" in run.warnings[0]


TEXTS = ["2024-01-31", "2024-01-31T10:00:00Z", "12", "1.5", "true"]
VALUES = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.text(max_size=3)
    | some.decimals(allow_nan=False, allow_infinity=False, places=2)
    | some.sampled_from(TEXTS),
    lambda inner: some.lists(inner, max_size=2) | some.dictionaries(some.sampled_from("ab"), inner, max_size=2),
    max_leaves=4,
)
RECORDS = some.lists(some.dictionaries(some.sampled_from(["a", "b", "created_at"]), VALUES), max_size=4)


@examples(derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(RECORDS)
def test_whatever_a_sample_holds_fits_the_schema_made_of_it(records: list[dict[str, Any]]) -> None:
    """The run would fail at a record of the very page that the schema was made of."""
    sampled = [{"id": number, **record} for number, record in enumerate(records)]
    made = schema.merge(
        schema.built_in(), sampled, keys=["id"], replication_key="created_at", reads=lambda value: value == "2024-01-31"
    )
    conformer = Conformer(made, selects=lambda _: True, keys=["id"], lenient=["created_at"])
    fitted = [conformer.fit(record) for record in sampled]
    validator = DEFAULT_JSONSCHEMA_VALIDATOR(made)
    plain = json.loads(json.dumps(fitted, default=float))
    assert ([list(validator.iter_errors(record)) for record in plain], conformer.unknown) == ([[]] * len(plain), [])
    for record, written in zip(sampled, fitted, strict=True):
        for name, value in record.items():
            same = written[name] == value or written[name] == json.dumps(value, default=str, separators=(",", ":"))
            assert same or isinstance(written[name], str) or isinstance(value, (dict, list)), (name, value, written)
