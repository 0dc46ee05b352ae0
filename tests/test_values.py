"""Values arrive exactly as the API serves them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

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
    assert f'"metadata":{{"n":{number}}}' in run.stdout


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
    run = tap(settings(api))
    assert (run.status, run.records) == (0, [{"id": "a"}, {"id": "b"}])
    assert ["colour" in line for line in run.warnings if "catalog schema" in line] == [True]


def test_integer_ids_stay_integers(tap: Tap, api: FakeAPI) -> None:
    """Ids would no longer match those of other tables."""
    api.behave(id_type="integer")
    assert tap(settings(api)).ids == list(range(1, 251))


@pytest.mark.parametrize("value", ['"false"', "[]", "{}", "2", "0.5"])
def test_what_is_no_truth_value_in_a_boolean_field_is_an_error(tap: Tap, api: FakeAPI, value: str) -> None:
    """The SDK turns the text "false" into true."""
    api.replace(f'[{{"id": "a", "is_public": {value}}}]')
    run = tap(settings(api))
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
