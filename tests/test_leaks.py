"""No failure prints a secret anywhere: some cells of the matrix that `python -m torture.leaks` runs whole."""

from __future__ import annotations

import base64
import itertools
import json
from random import Random
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, urlsplit

import pytest

from demo.control import FakeAPI
from torture.leaks import bench, hostile
from torture.leaks.cells import FACTORS, Cell, cells
from torture.leaks.outputs import OUTPUTS, Output
from torture.leaks.setup import Places
from torture.leaks.shapes import SHAPES, make
from torture.leaks.spellings import leaks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CELLS = [
    Cell("sync", "echo in the location", "INFO", "file", "unicode", header=True),
    Cell("sync", "SIGTERM", "DEBUG", "file", "reserved", header=False),
    Cell("sync", "broken pipe", "DEBUG", "environment", "plain", header=False),
    Cell("sync", "config with a comma", "DEBUG", "file", "short", header=False),
    Cell("sync, structured log", "proxy refuses the tunnel", "DEBUG", "file", "long", header=False),
    Cell("sync, log files", "echo with 400", "DEBUG", ".env", "quotes", header=False),
    Cell("sync, no log", "echo in the names", "INFO", "file", "percent", header=False),
    Cell("--discover", "echo in the header", "DEBUG", "environment", "unicode", header=False),
    Cell("--test", "echo with 500", "DEBUG", "file", "digits", header=True),
    Cell("--about", "wrong types", "DEBUG", ".env", "spaces", header=False),
    Cell("probe", "query in the address", "DEBUG", "file", "reserved", header=False),
    Cell("probe", "trickle_headers", "INFO", "file", "plain", header=False),
    Cell("probe, JSON", "echo in the complaint", "DEBUG", "file", "spaces", header=False),
    Cell("import", "a token", "INFO", "file", "plain", header=False),
]
FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "percent": lambda text: quote(text, safe=""),
    "plus": quote_plus,
    "twice": lambda text: quote(quote(text, safe=""), safe=""),
    "JSON": json.dumps,
    "JSON, not ASCII": lambda text: json.dumps(text, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps({"message": json.dumps({"key": text})}),
    "repr": lambda text: str([text]),
    "bytes": lambda text: str([text.encode()]),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64 in a pair": lambda text: base64.urlsafe_b64encode(f"user:{text}".encode()).decode(),
    "mangled": lambda text: text.encode().decode("latin-1"),
    "mangled JSON": lambda text: json.dumps(text.encode().decode("latin-1")),
    "another blank": lambda text: text.replace("  ", "\n                "),
}
LEAKY = """
import os, pathlib, sys
key = os.environ["TAP_STORAGE_API_KEY"]
if place == "stdout": print('{"type":"STATE","value":"%s"}' % key)
if place == "stderr": print(key, file=sys.stderr)
if place == "tmp/left": pathlib.Path("tmp/left").write_text(key)
if place == "record": print('{"type":"RECORD","record":{"name":"%s"}}' % key)
"""


@pytest.fixture(scope="module")
def places() -> Iterator[tuple[Places, FakeAPI]]:
    """Serve what the cells ask."""
    with FakeAPI(records=150) as api, hostile.serving() as echoes, hostile.serving(tls=True) as tls:
        yield Places(urlsplit(api.url).netloc, echoes, tls), api


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.output}, {cell.failure}")
def test_no_failure_leaves_a_secret_anywhere(places: tuple[Places, FakeAPI], cell: Cell) -> None:
    """Whoever reads a log, a file or an issue would hold the key."""
    outcome = bench.run(cell, Random(f"{cell}"), *places)
    assert (outcome.found, outcome.quote) == ([], "")
    assert outcome.status is not None


@pytest.mark.parametrize("place", ["stdout", "stderr", "tmp/left", "record"])
def test_a_command_that_leaks_is_caught(
    places: tuple[Places, FakeAPI], monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A bench that looks in the wrong place would find nothing, and prove nothing."""
    leaky = Output("python", ("-c", f"place = {place!r}{LEAKY}"), {"nothing": lambda _: None})
    monkeypatch.setitem(OUTPUTS, "leaky", leaky)
    cell = Cell("leaky", "nothing", "INFO", "environment", "plain", header=False)
    outcome = bench.run(cell, Random(1), *places)
    assert outcome.status == 0
    assert [found for found in outcome.found if "key, raw" in found] == ([f"{place}: key, raw"] * (place != "record"))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_search_finds_a_secret_in_every_form(shape: str, form: str) -> None:
    """A search that misses a spelling would call a leak clean."""
    key = make(Random(1), shape, header=False).key
    text = f"GET /v1?a=1&key={FORMS[form](key)}&b=2"
    missed = form == "base64 in a pair" and shape == "short"  # which leaves four characters, that may be chance
    assert (leaks(text, {"key": key}) == []) == missed


def test_the_search_finds_nothing_in_ordinary_text() -> None:
    """A bench that cries wolf is switched off."""
    for seed, shape in itertools.product(range(20), SHAPES):
        secrets = make(Random(seed), shape, header=False)
        text = f"GET /v1?limit=100&offset=0&api_key=*** HTTP/1.1 200 {10**12} 3f2504e0-4f89-11d3-9a0c-0305e82c3301 ???"
        assert leaks(text, secrets.by_name()) == []


def test_each_failure_meets_each_output_level_source_and_shape() -> None:
    """A failure that leaks to one log at one level only would not be run there."""
    chosen = cells(Random(1))
    met = {(output, failure) for output, way in OUTPUTS.items() for failure in way.failures}
    assert {(cell.output, cell.failure) for cell in chosen} == met
    for one in ("output", "failure"):
        for other, values in FACTORS.items():
            pairs = {(getattr(cell, one), getattr(cell, other)) for cell in chosen}
            assert pairs == set(itertools.product({getattr(cell, one) for cell in chosen}, values))
