"""Values arrive exactly as the API serves them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


def test_every_value_of_every_record_is_copied(tap: Tap, api: FakeAPI) -> None:
    """Nulls, unicode or nested values would differ from the API's."""
    served = json.loads(json.dumps(api.records()), parse_float=Decimal)
    assert tap(settings(api)).records == served


NUMBERS = [
    "9223372036854775808",
    "123456789012345678901234567890",
    "-9223372036854775809",
    "0.1234567890123456789012345678901",
    "1.10",
    "1E+400",
    "1E-400",
]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_keeps_every_digit(tap: Tap, api: FakeAPI, number: str) -> None:
    """Large ids and amounts of money would be rounded."""
    api.replace(f'[{{"id": "a", "metadata": {{"n": {number}}}}}]')
    run = tap(settings(api))
    assert run.status == 0
    assert f'"metadata":{{"n":{number}}}' in run.stdout.replace('"n": ', '"n":')


TEXTS = ["\u2028\u2029\x85", "𝄞 🏖️", 'a "quoted" \\ text', "tab\tnewline\n", "\x00\x1f", "é e\u0301"]


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_text_stays_on_its_line_and_whole(tap: Tap, api: FakeAPI, text: str) -> None:
    """A line separator in a name would tear a message in two."""
    api.replace(json.dumps([{"id": "a", "name": text}, {"id": "b", "name": "next"}]))
    run = tap(settings(api))
    assert [record["name"] for record in run.records] == [text, "next"]


def test_a_field_that_the_schema_does_not_know_is_told_of_and_left_out(tap: Tap, api: FakeAPI) -> None:
    """A run would fail because the vendor added a field."""
    api.replace('[{"id": "a", "colour": "red"}, {"id": "b", "colour": "blue"}]')
    run = tap(settings(api, infer_schema=False))
    assert (run.status, run.records) == (0, [{"id": "a"}, {"id": "b"}])
    assert ["colour" in line for line in run.warnings if line.startswith("Left out")] == [True]


def test_integer_ids_stay_integers(tap: Tap, api: FakeAPI) -> None:
    """Ids would no longer match those of other tables."""
    api.behave(id_type="integer")
    assert tap(settings(api)).ids == list(range(1, 251))


@pytest.mark.parametrize("value", ['"no"', "[]", "{}", "2", "0.5"])
def test_what_is_no_truth_value_in_a_boolean_field_is_an_error(tap: Tap, api: FakeAPI, value: str) -> None:
    """The SDK turns the text "no" into true."""
    api.replace(f'[{{"id": "a", "is_public": {value}}}]')
    run = tap(settings(api, infer_schema=False))
    assert (run.status, run.records) == (1, [])
    assert "is_public" in run.errors[0]


@pytest.mark.parametrize("depth", [100, 400, 5_000, 100_000])
def test_deep_nesting_is_copied_or_refused_in_one_line(tap: Tap, api: FakeAPI, depth: int) -> None:
    """A hostile or broken record would end the run in a traceback."""
    nested = '{"a":' * depth + "1" + "}" * depth
    api.behave(
        faults=[{"from": 1, "kind": "raw", "body": f'{{"data": [{{"id": "a", "metadata": {nested}}}], "total": 1}}'}]
    )
    run = tap(settings(api, max_retries=0))
    if run.status:
        assert depth > 100
        assert ["nested too deeply" in line for line in run.errors] == [True]
        assert "Traceback" not in run.stderr
    else:
        assert nested in run.stdout


def test_a_large_page_is_read(tap: Tap, api: FakeAPI) -> None:
    """An API with large records could not be read."""
    name = "x" * 5_000_000
    api.replace(json.dumps([{"id": number, "name": name} for number in range(10)]))
    run = tap(settings(api, timeout=5))
    assert (run.status, run.ids) == (0, list(range(10)))


KEYLESS: list[tuple[dict[str, Any], list[str], int]] = [
    ({"name": "x"}, ["id"], 7),
    ({"id": None, "name": "x"}, ["id"], 7),
    ({"id": "a", "path": None}, ["id", "path"], 7),
    ({"path": "a"}, ["path", "id"], 7),
    ({"name": "x"}, ["id"], 150),
]


@pytest.mark.parametrize(("record", "primary_keys", "place"), KEYLESS, ids=str)
def test_a_record_without_its_primary_key_is_an_error_that_says_which(
    tap: Tap, api: FakeAPI, record: dict[str, Any], primary_keys: list[str], place: int
) -> None:
    """The destination would fail far from the cause, or keep one such record of many."""
    records: list[dict[str, Any]] = [{"id": f"id {number}", "path": "a"} for number in range(250)]
    records[place] = record
    api.replace(json.dumps(records))
    run = tap(settings(api, primary_keys=primary_keys))
    assert (run.status, run.bookmark) == (1, None)
    (missing,) = (name for name in primary_keys if record.get(name) is None)
    assert f"without its primary key {missing}," in run.errors[0]
    assert f"at offset {place}:" in run.errors[0]
    assert "primary_keys" in run.errors[0].split(f"at offset {place}:")[1]


@pytest.mark.parametrize("total", ["exact", "absent"])
@pytest.mark.parametrize("overlap", [0, 1, 3])
def test_records_without_primary_keys_are_all_copied_even_identical_ones(
    tap: Tap, api: FakeAPI, overlap: int, total: str
) -> None:
    """A log that says the same thing twice would be copied with gaps."""
    texts = [f"line {number // 7}" for number in range(230)] + ["the same"] * 120 + ["and on"] * 50
    api.replace(json.dumps([{"name": text} for text in texts]))
    api.behave(total=total)
    run = tap(settings(api, primary_keys="[]", page_overlap=overlap))
    assert (run.status, [record["name"] for record in run.records]) == (0, texts)


def test_records_without_primary_keys_are_all_copied_while_the_api_hiccups(tap: Tap, api: FakeAPI) -> None:
    """The seam could not be found again by content."""
    api.replace(json.dumps([{"name": f"line {number}"} for number in range(250)]))
    api.behave(cap=40, faults=[{"on": 3, "kind": "empty"}, {"on": 5, "kind": "status", "status": 503}])
    run = tap(settings(api, primary_keys="[]"))
    assert (run.status, [record["name"] for record in run.records]) == (0, [f"line {n}" for n in range(250)])


@pytest.mark.parametrize("total", ["exact", "absent"])
def test_a_primary_key_may_be_an_object_or_a_list(tap: Tap, api: FakeAPI, total: str) -> None:
    """An API with composite keys in one field could not be read."""
    keys: list[Any] = [{"tenant": number % 3, "n": number} if number % 2 else [number, "x"] for number in range(250)]
    api.replace(json.dumps([{"metadata": key} for key in keys]))
    api.behave(total=total)
    run = tap(settings(api, primary_keys=["metadata"]))
    assert (run.status, [record["metadata"] for record in run.records]) == (0, keys)


def test_different_records_with_the_same_key_are_refused(tap: Tap, api: FakeAPI) -> None:
    """All but one of them would be missing, wherever they stand on different pages."""
    api.replace(json.dumps([{"id": f"id {number // 2}", "name": f"{number}"} for number in range(250)]))
    run = tap(settings(api))
    assert (run.status, run.records) == (1, [])
    assert "numbers 1 and 2 on the page" in run.errors[0]
    assert "primary_keys" in run.errors[0]


def test_a_key_that_comes_again_on_another_page_fails_a_run_that_the_total_judges(tap: Tap, api: FakeAPI) -> None:
    """A record would be missing that shares its key with one read before."""
    api.replace(json.dumps([{"id": number % 150, "name": f"{number}"} for number in range(151)]))
    run = tap(settings(api))
    assert run.status == 1
    assert "primary_keys" in run.errors[0]


def test_a_page_of_many_megabytes_arrives_whole(tap: Tap, api: FakeAPI) -> None:
    """An API with long texts in its records could not be read."""
    texts = [f"{number} " + "€" * 40_000 for number in range(300)]
    api.replace(json.dumps([{"id": number, "name": text} for number, text in enumerate(texts)], ensure_ascii=False))
    run = tap(settings(api, limit=300))
    assert (run.status, [record["name"] for record in run.records]) == (0, texts)
    assert api.requests()[0]["served"] == 300
