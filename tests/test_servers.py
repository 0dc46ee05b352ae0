"""The three servers that the recipes read from: a recipe's test is worth what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.servers.drf import DrfServer
from tests.servers.json_server import JsonServer
from tests.servers.tastypie import TastypieServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.server import Server

RECORDS = 700
ENVELOPES: dict[type[Server], list[str] | None] = {
    DrfServer: ["count", "next", "previous", "results"],
    TastypieServer: ["meta", "objects"],
    JsonServer: None,
}


@pytest.fixture(scope="module", params=ENVELOPES)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Start one of them."""
    with request.param(tmp_path_factory.mktemp("server"), RECORDS) as running:
        yield running


def ask(server: Server, **query: Any) -> requests.Response:
    """Return the answer to a question with what the server wants in every one."""
    wanted = {**server.params, "api_key": server.api_key}
    return requests.get(server.url + server.path, params={**wanted, **query}, timeout=60)


def records(answer: requests.Response) -> list[dict[str, Any]]:
    """Return the records, wherever they are."""
    body = answer.json()
    found: list[dict[str, Any]] = body if isinstance(body, list) else body.get("results", body.get("objects"))
    return found


def page(server: Server, offset: int, limit: int) -> list[dict[str, Any]]:
    """Return a page, asked for in the words of all three: what one does not know it leaves aside."""
    return records(ask(server, offset=offset, limit=limit, _start=offset, _limit=limit))


def named(start: str, record: dict[str, Any]) -> str:
    """Return the one field whose name starts like this: products differ in what follows."""
    (name,) = (name for name in record if name.startswith(start))
    return name


def test_a_page_comes_in_the_products_own_envelope(server: Server) -> None:
    """Were the envelope ours, a recipe would show that the tap reads what we invented."""
    body = ask(server, limit=2, _limit=2).json()
    envelope = None if isinstance(body, list) else sorted(body)
    assert envelope == ENVELOPES[type(server)]


def test_pages_hold_each_record_once(server: Server) -> None:
    """A collection that cannot be read with plain requests could not be read by the tap."""
    read = [record["id"] for offset in range(0, RECORDS, 100) for record in page(server, offset, 100)]
    assert sorted(read) == sorted(server.ids())


def test_a_wrong_or_missing_key_is_refused_where_one_is_asked_for(server: Server) -> None:
    """A server that lets everyone in would not show whether the tap sent the key."""
    expected = 401 if server.api_key else 200
    assert [ask(server, api_key=key, _limit=1).status_code for key in ("wrong", None)] == [expected, expected]


def test_requests_for_the_collection_are_counted(server: Server) -> None:
    """Nobody could tell whether the probe kept to its number of requests."""
    before = server.requests()
    assert [len(page(server, 0, 1)) for _ in range(3)] == [1, 1, 1]
    assert ask(server, offset=RECORDS, limit=1, _start=RECORDS, _limit=1).status_code == 200
    assert before + 3 <= server.requests() <= before + 5  # each count may be a line behind the answers


def test_the_first_page_shows_nothing_of_a_field_that_later_pages_have(server: Server) -> None:
    """Inferring a schema from a sample would be easier than it is at vendors."""
    first = page(server, 0, 100)
    archived = named("archived", first[0])
    assert {record[archived] for record in first} == {None}
    assert {record[archived] for record in page(server, 300, 100)} > {None}


def test_added_records_are_newer_than_all_others(tmp_path: Path, server: Server) -> None:
    """An incremental run would have nothing to find."""
    with type(server)(tmp_path, 50) as other:
        before = {record["id"]: record for record in page(other, 0, 100)}
        other.add(5)
        after = {record["id"]: record for record in page(other, 0, 100)}
    created = named("created", before[1])
    added = [record[created] for identifier, record in after.items() if identifier not in before]
    assert len(added) == 5
    assert min(added) > max(record[created] for record in before.values())


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    """Each run of the tests would leave a process behind."""
    with JsonServer(tmp_path, 1) as server:
        url = server.url
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=60)
