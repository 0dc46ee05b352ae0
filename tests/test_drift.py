"""Records that the schema does not foresee: converted where nothing is lost, else refused, and never without a word."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as some
from jsonschema import FormatChecker
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage.conform import NOUNS, Conformer, MisfitError
from tap_storage.conversions import FORMATS
from tests.running import settings
from tests.test_schema import VALUES

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap


def own(**fields: Any) -> dict[str, Any]:
    """Return a schema with these fields beside the keys."""
    keys = {"id": {"type": ["integer", "string"]}, "created_at": {"type": ["string", "null"], "format": "date-time"}}
    return {"type": "object", "properties": {**keys, **fields}}


def read(tap: Tap, api: FakeAPI, field: Any, value: str, **more: Any) -> Run:
    """Read one record with this value, given as JSON, in a field with this schema."""
    api.replace(f'[{{"id": 1, "field": {value}}}]')
    return tap(settings(api, schema=own(field=field), **more))


DATES = FormatChecker(formats=())
for form, is_in in FORMATS.items():
    DATES.checks(form)(lambda text, is_in=is_in: not isinstance(text, str) or is_in(text))

WHOLE, NUMBER, TRUTH, TEXT = ({"type": [kind, "null"]} for kind in ("integer", "number", "boolean", "string"))
MOMENT, DAY = ({"type": ["string", "null"], "format": form} for form in ("date-time", "date"))
SMALL = {"type": ["integer", "null"], "maximum": 9}
INNER = {"type": ["object", "null"], "properties": {"n": WHOLE}}
LISTED = {"type": ["array", "null"], "items": WHOLE}
EITHER = {"anyOf": [WHOLE, {"type": "string", "format": "date-time"}]}

VARIANTS = {
    "anyOf": [
        {"type": "object", "properties": {"kind": TEXT}},
        {"type": "object", "properties": {"kind": TEXT, "n": WHOLE}},
    ]
}
PATTERNS = {"type": "object", "properties": {"a": WHOLE}, "patternProperties": {"^x_": WHOLE}}
UUID = "0197d0e1-9a3b-7c00-8000-0123456789ab"
LOSSLESS: list[tuple[Any, str, Any]] = [
    (WHOLE, '"12"', 12),
    (WHOLE, "12.0", 12),
    (WHOLE, "1.2e3", 1200),
    (WHOLE, "-18446744073709551617", -18446744073709551617),
    (NUMBER, '"1.50"', Decimal("1.50")),
    (NUMBER, "12", 12),
    (TRUTH, "1", True),
    (TRUTH, "0.0", False),
    (TRUTH, '"false"', False),
    (TEXT, "12.50", "12.50"),
    (TEXT, "true", "true"),
    (TEXT, '{"a": [1.10, null]}', '{"a":[1.10,null]}'),
    (MOMENT, '"2024-01-31 10:00"', "2024-01-31 10:00"),
    (DAY, '"2024-01-31"', "2024-01-31"),
    (INNER, '{"n": "5", "new": 1}', {"n": 5}),
    (LISTED, '[1, "2", null]', [1, 2, None]),
    (SMALL, '"9"', 9),
    (EITHER, '"7"', 7),
    (VARIANTS, '{"kind": "b", "n": "12"}', {"kind": "b", "n": 12}),
    (VARIANTS, '{"kind": "b", "n": 12}', {"kind": "b", "n": 12}),
    (PATTERNS, '{"x_1": 1, "a": "5"}', {"x_1": 1, "a": 5}),
    ({"type": ["string", "null"], "format": "uuid"}, f'"{UUID}"', UUID),
    ({"type": ["string", "null"], "format": "time"}, '"10:00:00"', "10:00:00"),
    (EITHER, '"2024-01-31T10:00:00Z"', "2024-01-31T10:00:00Z"),
    ({}, '{"any": 1}', {"any": 1}),
]


@pytest.mark.parametrize(("field", "value", "expected"), LOSSLESS, ids=str)
def test_a_value_is_converted_where_nothing_is_lost(
    tap: Tap, api: FakeAPI, field: Any, value: str, expected: Any
) -> None:
    """A vendor that writes numbers as texts could not be read, or a destination would fail on them."""
    run = read(tap, api, field, value)
    assert (run.status, run.records) == (0, [{"id": 1, "field": expected}])
    assert [type(record["field"]) for record in run.records] == [type(expected)]


MISFITS: list[tuple[Any, str, str]] = [
    (WHOLE, '"twelve"', "is a text, and the schema has a whole number or null"),
    (WHOLE, '"012"', "is a text, and the schema has a whole number or null"),
    (WHOLE, "1.5", "is a number, and the schema has a whole number or null"),
    (WHOLE, "1e999999999", "is a number, and the schema has a whole number or null"),
    (WHOLE, "true", "is true or false, and the schema has a whole number or null"),
    (TRUTH, "2", "is a whole number, and the schema has true or false or null"),
    (TRUTH, '"yes"', "is a text, and the schema has true or false or null"),
    (MOMENT, '"soon"', "is a text, and the schema has a text (date-time) or null"),
    (MOMENT, '""', "is a text, and the schema has a text (date-time) or null"),
    (MOMENT, "1704067200", "is a whole number, and the schema has a text (date-time) or null"),
    (MOMENT, '"1710101512345"', "is a text, and the schema has a text (date-time) or null"),
    ({"type": "string", "format": "uuid"}, '"nope"', "is a text, and the schema has a text (uuid)"),
    ({"type": "string", "format": "time"}, '"soon"', "is a text, and the schema has a text (time)"),
    (DAY, '"2024-01-31T00:00:00Z"', "is a text, and the schema has a text (date) or null"),
    (INNER, '"x"', "is a text, and the schema has an object or null"),
    (SMALL, "10", "does not fit what the schema says of it beyond its type"),
]


@pytest.mark.parametrize(("field", "value", "why"), MISFITS, ids=str)
def test_a_value_that_does_not_fit_is_an_error_with_the_yaml_that_mends_it(
    tap: Tap, api: FakeAPI, field: Any, value: str, why: str
) -> None:
    """The destination would fail far from the cause, or keep something else than the API has."""
    run = read(tap, api, field, value)
    assert (run.status, run.records, run.bookmark, len(run.errors)) == (1, [], None, 1)
    (error,) = run.errors
    assert error.startswith(f"Field field of record {{'id': 1}} {why}. ")
    assert 'or set on_misfit: "null"' in error
    mended = json.loads(error.split("schema: ")[-1].split(")")[0])["storage_data"]["field"]
    again = read(tap, api, mended, value)
    assert (again.status, len(again.records)) == (0, 1)


@pytest.mark.parametrize(("field", "value", "why"), MISFITS[:2] + MISFITS[7:8] + MISFITS[-2:], ids=str)
def test_a_value_that_does_not_fit_is_null_if_one_wants_that(
    tap: Tap, api: FakeAPI, field: Any, value: str, why: str
) -> None:
    """One bad value would keep a million good records from their destination."""
    del why
    api.replace(json.dumps([{"id": n, "field": json.loads(value) if n % 2 else None} for n in range(250)]))
    run = tap(settings(api, schema=own(field=field), on_misfit="null"))
    assert (run.status, {record["field"] for record in run.records}, len(run.records)) == (0, {None}, 250)
    assert (run.verdict["values_nulled"], run.verdict["verdict"]) == (125, "complete")
    assert [line for line in run.warnings if "Field field" in line] == [
        "Field field does not fit the schema, and is null in such records, as on_misfit says: {'id': 1} for one"
    ]


def test_inside_an_object_only_the_value_that_does_not_fit_is_null(tap: Tap, api: FakeAPI) -> None:
    """A whole object would be lost for one of its fields."""
    nested = {"type": ["object", "null"], "properties": {"n": WHOLE, "rest": LISTED}}
    run = read(tap, api, nested, '{"n": "x", "rest": [1, "y", 3]}', on_misfit="null")
    assert run.records == [{"id": 1, "field": {"n": None, "rest": [1, None, 3]}}]
    assert run.verdict["values_nulled"] == 2


def test_a_conversion_that_loses_nothing_tells_of_nothing(tap: Tap, api: FakeAPI) -> None:
    """A warning of what did not happen would have someone look for it."""
    run = read(tap, api, VARIANTS, '{"kind": "b", "n": 12}')
    left_out = [line for line in run.warnings if line.startswith("Left out")]
    assert (left_out, run.verdict["values_nulled"]) == ([], 0)


def test_a_primary_key_is_never_made_null(tap: Tap, api: FakeAPI) -> None:
    """Records would lose what tells them apart, and overwrite each other."""
    schema = own()
    schema["properties"]["id"] = {"type": ["integer", "null"]}
    api.replace('[{"id": 1}, {"id": "x1"}, {"id": "x2"}]')
    run = tap(settings(api, schema=schema, on_misfit="null"))
    assert (run.status, run.ids) == (1, [1])


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", "é", "", "a.b"])
def test_a_field_may_have_any_name(tap: Tap, api: FakeAPI, name: str) -> None:
    """A run would fail because the vendor added a field."""
    records = [{"id": 1, name: 1, "metadata": {name: 2}}]
    api.replace(json.dumps(records))
    run = tap(settings(api))
    assert (run.status, run.records) == (0, records)


def test_a_field_that_comes_with_the_newest_records_is_told_of(tap: Tap, api: FakeAPI) -> None:
    """In a collection in the order of creation, a new field begins at the end."""
    api.replace(json.dumps([{"id": n, **({"late": 1} if n > 430 else {})} for n in range(450)]))
    run = tap(settings(api, limit=50))
    assert (run.status, run.verdict["page_lane"]) == (0, 1)
    assert [line for line in run.warnings if "does not have them: late." in line]


@pytest.mark.parametrize("field", [{"type": "integer"}, {"enum": [1, 2]}, {"type": "integer", "minimum": 1}], ids=str)
def test_a_field_that_may_not_be_null_is_an_error_all_the_same(tap: Tap, api: FakeAPI, field: Any) -> None:
    """The destination would refuse the null."""
    run = read(tap, api, field, '"x"', on_misfit="null")
    assert (run.status, run.records) == (1, [])


def test_a_field_that_the_schema_requires_and_a_record_lacks_is_an_error(tap: Tap, api: FakeAPI) -> None:
    """The destination would refuse the record."""
    api.replace('[{"id": 1, "field": 1}, {"id": 2}]')
    run = tap(settings(api, schema={**own(field=WHOLE), "required": ["id", "field"]}))
    assert run.status == 1
    assert "Field field of record {'id': 2} is not there, and the schema requires it" in run.errors[0]
    api.replace('[{"id": 1, "field": 1}, {"id": 2, "field": null}]')
    good = tap(settings(api, schema={**own(field=WHOLE), "required": ["id", "field"]}))
    assert (good.status, len(good.records), good.verdict["page_lane"]) == (0, 2, 1)


def test_a_deselected_field_may_hold_anything(tap: Tap, api: FakeAPI) -> None:
    """A run would fail at a value that nobody wants."""
    config = settings(api, schema=own(field=WHOLE, other=TEXT))
    api.replace('[{"id": 1, "field": "x", "other": 5}]')
    catalog = tap.discover(config)
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "field"]:
            entry["metadata"]["selected"] = False
    run = tap(config, catalog=catalog)
    assert (run.status, run.records) == (0, [{"id": 1, "other": "5"}])


def test_a_field_that_appears_later_is_told_of_once_and_ends_nothing(tap: Tap, api: FakeAPI) -> None:
    """A run would fail because the vendor added a field, or keep silent about it."""
    records: list[dict[str, Any]] = [{"id": n, "meta": {"a": 1}} for n in range(100)]
    records += [{"id": n, "colour": "red", "meta": {"b": 2}} for n in range(100, 300)]
    api.replace(json.dumps(records))
    catalog = tap.discover(settings(api))
    api.insert(records=[{"id": 300, "size": "12"}])  # a misfit, so that its page takes the SDK's path
    api.replace(json.dumps([*records[:100], *[{**r, "size": "12"} for r in records[100:]]]))
    run = tap(settings(api), catalog=catalog)
    assert (run.status, len(run.records)) == (0, 300)
    assert [line for line in run.warnings if "colour" in line] == [
        (
            "Left out, as the schema does not have them: colour. To have them, discover again (with Meltano: "
            "--refresh-catalog), or add them to schema"
        )
    ]
    assert {json.dumps(record["meta"]) for record in run.records} == {'{"a": 1}', '{"b": 2}'}
    assert {record.get("size") for record in run.records} == {None, 12}


TYPES = some.lists(some.sampled_from([*NOUNS]), min_size=1, max_size=3, unique=True)
SCHEMAS = some.recursive(
    some.builds(
        lambda kinds, form: {"type": kinds, **({"format": form} if form else {})},
        TYPES,
        some.sampled_from([None, None, "date", "date-time"]),
    ),
    lambda inner: (
        some.builds(
            lambda fields, more, need: {
                "type": ["object", "null"],
                "properties": fields,
                "additionalProperties": more,
                "required": need,
            },
            some.dictionaries(some.sampled_from("ab"), inner, max_size=2),
            some.booleans(),
            some.lists(some.just("a"), max_size=1),
        )
        | some.builds(lambda items: {"type": ["array"], "items": items}, inner)
        | some.builds(lambda branches: {"anyOf": branches}, some.lists(inner, min_size=1, max_size=2))
        | some.builds(lambda branch: {**branch, "enum": [1, "2", None]}, inner)
    ),
    max_leaves=3,
)


@examples(max_examples=500, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(SCHEMAS, VALUES, some.booleans())
def test_what_is_emitted_fits_the_schema_or_is_refused(field: dict[str, Any], value: Any, nulls: bool) -> None:  # noqa: FBT001
    """A destination that does not check would store what its columns were not made for."""
    conformer = Conformer({"type": "object", "properties": {"f": field}}, selects=lambda _: True, nulls=nulls)
    try:
        fitted = conformer.fit({"f": value})
    except MisfitError:
        return
    validator = DEFAULT_JSONSCHEMA_VALIDATOR(field, format_checker=DATES)
    assert list(validator.iter_errors(json.loads(json.dumps(fitted["f"], default=float)))) == []
    again = conformer.fit(fitted)
    assert (again, json.dumps(again, default=str)) == (fitted, json.dumps(fitted, default=str))
