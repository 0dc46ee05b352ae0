"""The fake storage API does what its behaviour says, or no test built on it means a thing."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode, urlsplit

import pytest

from demo.control import ROOT, FakeAPI
from demo.fake_api.collection import split_array
from demo.fake_api.instants import instant
from demo.fake_api.schedule import due
from demo.fake_api.shapes import Refused

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

RECORDS = 250


class Response(NamedTuple):
    """An answer as the client sees it; body as sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)

    @property
    def ids(self) -> list[Any]:
        """The ids of the records in `data`."""
        return [record["id"] for record in self.json["data"]]


@pytest.fixture(scope="module")
def server() -> Iterator[FakeAPI]:
    """One process for all tests of this file."""
    with FakeAPI(records=RECORDS) as api:
        yield api


@pytest.fixture
def api(server: FakeAPI) -> FakeAPI:
    """The server as if just started, with 250 records."""
    server.reset(records=RECORDS)
    return server


def ask(api: FakeAPI, path: str = "/v1/resource", *, method: str = "GET", **query: object) -> Response:
    """Ask with the key and offset 0, unless told otherwise; a parameter that is None is not sent."""
    parameters = {"api_key": api.api_key, "limit": 100, "offset": 0, **query}
    sent = urlencode({name: value for name, value in parameters.items() if value is not None})
    return send(api, f"{path}?{sent}", method=method)


def send(
    api: FakeAPI, target: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, timeout: float = 10
) -> Response:
    """Send one request over a connection of its own."""
    with closing(http.client.HTTPConnection(urlsplit(api.url).netloc, timeout=timeout)) as connection:
        connection.request(method, target, headers=headers or {})
        response = connection.getresponse()
        return Response(response.status, dict(response.headers), response.read())


def ids(first: int, last: int) -> list[str]:
    """Return the ids of the made records from the first to the last number."""
    return [f"obj-{number:07d}" for number in range(first, last + 1)]


# A well-behaved API


def test_pages_follow_each_other_to_the_end(api: FakeAPI) -> None:
    """Without a plain, correct API to compare with, no fault proves anything."""
    pages = [ask(api, offset=offset) for offset in (0, 100, 200, 300)]
    assert [page.ids for page in pages] == [ids(1, 100), ids(101, 200), ids(201, 250), []]
    assert {page.json["total"] for page in pages} == {RECORDS}


def test_a_page_holds_a_hundred_records_if_no_limit_is_given(api: FakeAPI) -> None:
    """A tap that forgot its limit parameter would go unnoticed."""
    assert len(ask(api, limit=None).ids) == 100


def test_many_requests_share_a_connection(api: FakeAPI) -> None:
    """Without keep-alive a benchmark would measure connecting."""
    with closing(http.client.HTTPConnection(urlsplit(api.url).netloc)) as connection:
        for offset in range(50):
            connection.request("GET", f"/v1/resource?api_key=demo-key&limit=2&offset={offset}")
            page = json.loads(connection.getresponse().read())["data"]
            assert [record["id"] for record in page] == ids(offset + 1, offset + 2)
        assert connection.sock is not None


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"api_key": "wrong"}, 401),
        ({"api_key": None}, 401),
        ({"offset": "x"}, 400),
        ({"offset": -1}, 400),
        ({"limit": 0}, 400),
        ({"limit": "many"}, 400),
        ({"sort": "size"}, 400),
        ({"created_from": "yesterday"}, 400),
        ({"path": "/v2"}, 404),
        ({"method": "POST"}, 405),
    ],
)
def test_what_the_api_does_not_take_is_refused_without_the_key(
    api: FakeAPI, query: dict[str, Any], status: int
) -> None:
    """A tap that sends nonsense would look healthy."""
    answer = ask(api, **query)
    assert answer.status == status
    assert list(answer.json) == ["error"]
    assert b"wrong" not in answer.body.replace(b"missing or wrong", b"")


def test_records_show_every_oddity_a_field_can_have(api: FakeAPI) -> None:
    """A tap that trips over nulls, wide text or long integers would pass every test."""
    api.reset(records=2000)
    records = api.records()
    assert {len(record) for record in records} == {10}
    for field in ("name", "updated_at", "size", "is_public", "metadata"):
        assert any(record[field] is None for record in records)
        assert any(record[field] is not None for record in records)
    names = "".join(record["name"] or "" for record in records)
    assert set('üïç写🏖"\\\u2028\n%') <= set(names)
    assert any((record["size"] or 0) > 2**31 for record in records)
    assert {record["is_public"] for record in records} == {True, False, None}
    metadata = [record["metadata"] for record in records]
    assert {} in metadata
    assert any(isinstance(each["ratio"], float) and each["tags"] and each["owner"] for each in metadata if each)
    assert len({record["checksum"] for record in records}) == 2000


def test_creation_ascends_in_steps_with_equals_over_page_seams(api: FakeAPI) -> None:
    """Equal instants over a seam are where a bookmark loses records."""
    moments = [record["created_at"] for record in api.records()]
    assert moments == sorted(moments)
    assert len(set(moments)) == -(-RECORDS // 3)
    assert moments[99] == moments[100]
    assert max(moments) < "2021"


def test_the_seed_alone_decides_the_records() -> None:
    """Two runs that read other records could not be compared."""
    with FakeAPI(records=20) as one, FakeAPI(records=30) as same, FakeAPI(records=20, seed=1) as other:
        assert one.records() == same.records()[:20]
        assert one.records() != other.records()


# Behaviour


def test_cap_bounds_the_page_and_not_the_total(api: FakeAPI) -> None:
    """The hazard that makes peers lose half of the records."""
    api.behave(cap=50)
    page = ask(api, offset=10)
    assert (page.ids, page.json["total"]) == (ids(11, 60), RECORDS)


def test_latency_and_jitter_delay_every_answer(api: FakeAPI) -> None:
    """Look-ahead cannot be shown to help against an API that answers at once."""
    api.behave(latency_ms=30, jitter_ms=10)
    began = time.monotonic()
    ask(api)
    ask(api)
    assert time.monotonic() - began >= 0.06


@pytest.mark.parametrize(
    ("total", "told"),
    [
        ("exact", {"total": 249}),
        ("absent", {}),
        ("null", {"total": None}),
        ("string", {"total": "249"}),
        ("nested", {"meta": {"total": 249}}),
        ("page", {"total": 100}),
        ("unfiltered", {"total": 250}),
        ({"capped": 120}, {"total": 120}),
        ({"capped": 1000}, {"total": 249}),
        ({"value": {"about": 3}}, {"total": {"about": 3}}),
    ],
)
def test_the_total_is_told_in_every_way(api: FakeAPI, total: object, told: dict[str, object]) -> None:
    """A total that lies must not end a walk."""
    api.behave(total=total)
    answer = ask(api, created_to="2020-01-01T00:41:30Z").json
    del answer["data"]
    assert answer == told


@pytest.mark.parametrize(
    ("offset", "first"), [("honoured", 131), ("ignored", 1), ({"multiples_of": 100}, 101), ({"multiples_of": 20}, 121)]
)
def test_the_offset_is_honoured_ignored_or_rounded(api: FakeAPI, offset: object, first: int) -> None:
    """Page 1 again and again is endless, or a silent loss."""
    api.behave(offset=offset)
    assert ask(api, offset=130).ids == ids(first, first + 99)


def test_an_ignored_offset_need_not_be_sent(api: FakeAPI) -> None:
    """APIs that do not page have no offset."""
    api.behave(offset="ignored")
    assert ask(api, offset=None, limit=2).ids == ids(1, 2)


@pytest.mark.parametrize("past_end", ["empty", "repeat", {"status": 404}])
def test_past_the_end_there_is_nothing_the_last_page_or_an_error(api: FakeAPI, past_end: object) -> None:
    """The end looks different from one API to the next."""
    api.behave(past_end=past_end)
    answer = ask(api, offset=300)
    seen = answer.ids if answer.status == 200 else answer.status
    assert seen == {"empty": [], "repeat": ids(201, 250)}.get(str(past_end), 404)
    assert ask(api, offset=249).ids == ids(250, 250)


@pytest.mark.parametrize(("answer", "status"), [("empty", 200), ({"status": 400}, 400)])
def test_nothing_is_served_from_the_ceiling_on(api: FakeAPI, answer: object, status: int) -> None:
    """A ceiling must not be taken for the end."""
    api.behave(ceiling={"offset": 200, "answer": answer})
    assert ask(api, offset=199).ids == ids(200, 250)
    beyond = ask(api, offset=200)
    assert beyond.status == status
    assert not beyond.json.get("data")


def test_hidden_records_shorten_their_page_and_count_in_the_total(api: FakeAPI) -> None:
    """Short pages anywhere, and a total that is never reached."""
    api.behave(hidden_every=10)
    page = ask(api, limit=20)
    visible = [each for each in ids(1, 20) if not each.endswith("0")]
    assert (page.ids, page.json["total"]) == (visible, RECORDS)
    assert len(api.records()) == RECORDS * 9 // 10
    assert "obj-0000010" not in api.ever() | api.survivors()


def test_every_so_manieth_page_is_short(api: FakeAPI) -> None:
    """A short page is no end."""
    api.behave(short_every=2)
    assert [len(ask(api).ids) for _ in range(4)] == [100, 50, 100, 50]


@pytest.mark.parametrize("envelope", ["data", "a.b", "$"])
def test_the_list_sits_where_the_envelope_says(api: FakeAPI, envelope: str) -> None:
    """`data_selector` could not be tried out."""
    api.behave(envelope=envelope)
    answer = ask(api).json
    found = {"data": lambda: answer["data"], "a.b": lambda: answer["a"]["b"], "$": lambda: answer}[envelope]()
    assert [record["id"] for record in found] == ids(1, 100)


def test_a_nested_list_and_a_nested_total_share_their_parent(api: FakeAPI) -> None:
    """One must not overwrite the other."""
    api.behave(envelope="meta.records", total="nested")
    assert set(ask(api).json["meta"]) == {"records", "total"}


@pytest.mark.parametrize(("shape", "fields", "nested"), [("mixed", 10, None), ("flat", 9, 0), ("wide", 30, 21)])
def test_records_are_small_or_large_as_told(api: FakeAPI, shape: str, fields: int, nested: int | None) -> None:
    """A benchmark of one kind of record says little of another."""
    api.behave(shape=shape)
    page = ask(api).json["data"]
    assert [record["id"] for record in page] == ids(1, 100)
    if nested is None:
        assert {len(record) for record in page} == {fields}
    else:
        assert {(leaves(record), leaves(record.get("metadata", {}))) for record in page} == {(fields, nested)}


def leaves(value: dict[str, Any]) -> int:
    """Count the fields that hold no object, at any depth."""
    return sum(leaves(each) if isinstance(each, dict) else 1 for each in value.values())


def test_the_order_is_as_told_or_as_the_request_asks(api: FakeAPI) -> None:
    """Sorting is what keeps a walk stable, or does not."""
    api.delete(["obj-0000002"])
    api.insert(at="front")
    assert ask(api, limit=3).ids == ["obj-0000251", *ids(1, 1), *ids(3, 3)]
    for sort, first in [("created_at", ids(1, 1)), ("-created_at", ids(251, 251)), ("id", ids(1, 1))]:
        assert ask(api, limit=1, sort=sort).ids == first
        api.behave(sort=sort)
        assert ask(api, limit=1).ids == first


def test_integer_ids_sort_as_numbers(api: FakeAPI) -> None:
    """An integer key that sorts as text would be a fault nobody asked for."""
    api.behave(id_type="integer", sort="id")
    api.insert(at="front")
    assert ask(api, offset=248).ids == [249, 250, 251]


def test_an_unstable_order_is_another_one_each_time(api: FakeAPI) -> None:
    """A walk over it must fail, not lose records."""
    api.behave(sort="unstable")
    first, second = ask(api, limit=RECORDS).ids, ask(api, limit=RECORDS).ids
    assert first != second
    assert sorted(first) == sorted(second) == ids(1, RECORDS)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2020-01-01T00:01:00Z", "2020-01-01T00:02:00Z"),
        ("2020-01-01T01:01:00.0000+01:00", "2020-01-01 00:02:00"),
        ("1577836860", "1577836920"),
        ("1577836860000", "1577836920000"),
    ],
)
def test_filters_keep_creation_from_start_to_before_end(api: FakeAPI, start: str, end: str) -> None:
    """`start_param` and `end_param` need an API that heeds them."""
    page = ask(api, created_from=start, created_to=end)
    assert (page.ids, page.json["total"]) == (ids(7, 12), 6)


def test_filters_find_the_same_records_after_a_change(api: FakeAPI) -> None:
    """Where records come and go they are looked for one by one, else by halves."""
    bounds = {"created_from": "2020-01-01T00:01:00Z", "created_to": "2020-01-01T00:02:00Z"}
    made = ask(api, **bounds).ids
    api.delete(["obj-0000250"])
    assert ask(api, **bounds).ids == made == ids(7, 12)
    api.reset()
    assert ask(api, created_from="2021-01-01").ids == ask(api, created_to="2019-01-01").ids == []
    assert ask(api, created_from="2019-01-01", created_to="2021-01-01").json["total"] == RECORDS - 1


def test_filters_can_have_other_names_or_be_exclusive_or_coarse(api: FakeAPI) -> None:
    """Bounds that differ by one unit lose records at the bookmark."""
    api.behave(filters={"start": "since", "end": "until", "exclusive": True})
    assert ask(api, since="2020-01-01T00:01:00Z", until="2020-01-01T00:02:00Z").ids == ids(10, 12)
    assert ask(api, created_from="2020-01-01T00:01:00Z").json["total"] == RECORDS
    api.behave(filters={"resolution_s": 60})
    assert ask(api, created_from="2020-01-01T00:01:30Z", limit=1).ids == ids(7, 7)
    api.behave(filters=None)
    assert ask(api, created_from="nonsense").json["total"] == RECORDS


def test_the_key_is_looked_for_where_told(api: FakeAPI) -> None:
    """`auth_location` and `auth_param` could not be tried out."""
    api.behave(auth={"in": "header", "name": "X-Key"})
    assert ask(api).status == 401
    assert send(api, "/v1/resource?offset=0", headers={"x-key": api.api_key}).status == 200
    api.behave(auth={"name": "token"})
    assert [ask(api).status, ask(api, token=api.api_key).status] == [401, 200]
    api.behave(auth={"in": "none"})
    assert ask(api, api_key=None).status == 200


def test_parameters_paths_and_the_first_offset_have_other_names(api: FakeAPI) -> None:
    """Settings for them could not be tried out."""
    api.behave(params={"limit": "take", "offset": "skip"}, first_offset=1, paths=["/a", "/b"])
    assert ask(api, "/a", take=3, skip=1).ids == ask(api, "/b", take=3, skip=1).ids == ids(1, 3)
    assert [ask(api, "/a", skip=0).status, ask(api).status] == [400, 404]
    assert [(entry["limit"], entry["offset"]) for entry in api.requests()] == [(3, 1), (3, 1), (None, 0)]


def test_bodies_come_compressed_chunked_or_with_a_mark(api: FakeAPI) -> None:
    """What a proxy does to bodies must not cost records."""
    plain = ask(api).body
    api.behave(chunked=True)
    chunked = ask(api)
    assert (chunked.body, chunked.headers["Transfer-Encoding"]) == (plain, "chunked")
    api.behave(gzip=True, bom=True)
    packed = ask(api)
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == b"\xef\xbb\xbf" + plain


def test_headers_the_clock_and_closing_are_as_told(api: FakeAPI) -> None:
    """The bookmark's ceiling reads the server's clock."""
    api.behave(close=True, date_skew_s=-3600, headers={"X-Extra": "1"})
    headers = ask(api).headers
    assert (headers["Connection"], headers["X-Extra"]) == ("close", "1")
    assert parsedate_to_datetime(headers["Date"]).timestamp() == pytest.approx(time.time() - 3600, abs=5)


# Faults


@pytest.mark.parametrize(
    ("fault", "status", "body"),
    [
        ({"kind": "status"}, 500, b'{"error": "the fake API was told to answer 500"}'),
        ({"kind": "status", "status": 403, "body": "no"}, 403, b"no"),
        ({"kind": "html"}, 200, b"<!DOCTYPE html><title>Sign in</title><p>Please sign in."),
        ({"kind": "garbage"}, 200, b'{"data": [{"id": "obj-\xff\xfe\x00'),
        ({"kind": "envelope"}, 200, b'{"error": "the storage is being moved"}'),
        ({"kind": "null_data"}, 200, b'{"data":null,"total":250}'),
        ({"kind": "data_object"}, 200, b'{"data":{"id":"obj-0000001","name":"no list"},"total":250}'),
        ({"kind": "scalars"}, 200, b'{"data":[1,2,3],"total":250}'),
        ({"kind": "empty"}, 200, b'{"data":[],"total":250}'),
        ({"kind": "raw", "body": '{"data": [1e400, "ü"]}'}, 200, '{"data": [1e400, "ü"]}'.encode()),
        ({"kind": "raw", "body_base64": base64.b64encode(b"\x00\xff").decode()}, 200, b"\x00\xff"),
    ],
)
def test_a_fault_answers_in_place_of_the_page(api: FakeAPI, fault: dict[str, object], status: int, body: bytes) -> None:
    """Each of these is a hazard that a tap must survive, or name."""
    api.behave(faults=[{"on": 1, "headers": {"X-Fault": "yes"}, **fault}])
    answer = ask(api)
    assert (answer.status, answer.body, answer.headers["X-Fault"]) == (status, body, "yes")
    assert ask(api).ids == ids(1, 100)
    assert [(e["fault"], e["status"], e["served"]) for e in api.requests()] == [
        (fault["kind"], status, 0),
        (None, 200, 100),
    ]


def test_retry_after_comes_as_seconds_or_as_a_date(api: FakeAPI) -> None:
    """A tap that asks earlier than told gets locked out."""
    api.behave(
        faults=[
            {"on": 1, "kind": "retry_after", "seconds": 7},
            {"on": 2, "kind": "retry_after", "status": 503, "seconds": 60, "as": "date"},
        ]
    )
    soon, later = ask(api), ask(api)
    assert (soon.status, soon.headers["Retry-After"]) == (429, "7")
    assert later.status == 503
    wait = parsedate_to_datetime(later.headers["Retry-After"]) - parsedate_to_datetime(later.headers["Date"])
    assert 60 <= wait.total_seconds() <= 62


@pytest.mark.parametrize(
    ("fault", "error", "status"),
    [
        ({"kind": "drop"}, http.client.RemoteDisconnected, None),
        ({"kind": "cut"}, http.client.IncompleteRead, 200),
        ({"kind": "unanswered"}, TimeoutError, None),
        ({"kind": "unanswered", "seconds": 0.05}, http.client.RemoteDisconnected, None),
        ({"kind": "trickle", "interval_s": 1}, TimeoutError, 200),
        ({"kind": "trickle_headers", "interval_s": 1}, TimeoutError, 200),
    ],
)
def test_a_fault_leaves_the_client_without_a_whole_answer(
    api: FakeAPI, fault: dict[str, object], error: type[Exception], status: int | None
) -> None:
    """Half an answer must be asked again, and an endless one given up."""
    api.behave(faults=[{"on": 1, **fault}])
    with pytest.raises(error):
        send(api, "/v1/resource?api_key=demo-key&offset=0", timeout=0.5)
    assert ask(api).ids == ids(1, 100)
    assert api.requests()[0]["status"] == status


@pytest.mark.parametrize("kind", ["trickle", "trickle_headers"])
def test_a_trickle_is_whole_in_the_end(api: FakeAPI, kind: str) -> None:
    """Only slowness is at fault, the bytes are right."""
    api.behave(faults=[{"on": 1, "kind": kind, "interval_s": 0}])
    assert ask(api, limit=2).ids == ids(1, 2)


def test_an_echo_repeats_the_url_and_the_headers(api: FakeAPI) -> None:
    """The key in an error body would end up in a log."""
    api.behave(faults=[{"on": 1, "kind": "echo", "status": 400}])
    target = "/v1/resource?api_key=a%2Fb&offset=0"
    echo = send(api, target, headers={"X-Secret": "s3"})
    assert (echo.status, echo.json["url"], echo.json["headers"]["x-secret"]) == (400, api.url + target, "s3")


def test_a_redirect_can_carry_the_query_elsewhere(api: FakeAPI) -> None:
    """The key must not follow a redirect to another host."""
    api.behave(faults=[{"on": 1, "kind": "redirect", "status": 307, "location": "http://other.example/?{query}"}])
    answer = ask(api)
    location = "http://other.example/?api_key=demo-key&limit=100&offset=0"
    assert (answer.status, answer.headers["Location"]) == (307, location)


@pytest.mark.parametrize(
    ("schedule", "meant"),
    [
        ({"on": 2}, [2]),
        ({"on": [1, 4]}, [1, 4]),
        ({"every": 3}, [3, 6]),
        ({"every": 2, "times": 2}, [2, 4]),
        ({"from": 5}, [5, 6]),
        ({"from": 2, "times": 3}, [2, 3, 4]),
    ],
)
def test_faults_meet_the_requests_they_are_meant_for(
    api: FakeAPI, schedule: dict[str, object], meant: list[int]
) -> None:
    """A fault on another request tests another thing."""
    api.behave(faults=[{"kind": "empty", **schedule}, {"from": 1, "kind": "html"}])
    for _ in range(6):
        ask(api)
        ask(api, "/elsewhere")
    assert [entry["request"] for entry in api.requests() if entry["fault"] == "empty"] == meant


def test_a_list_of_requests_can_be_cut_short() -> None:
    """`times` would be ignored for lists."""
    meant = [n for n in range(9) if due(n, on=[7, 3, 5], every=None, first=None, times=2)]
    assert meant == [3, 5]


# Changes


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"op": "delete", "at": "front", "count": 2}, ids(3, 250)),
        ({"op": "delete", "at": "back"}, ids(1, 249)),
        ({"op": "insert", "at": "front", "count": 2}, ids(251, 252) + ids(1, 250)),
        ({"op": "insert"}, ids(1, 251)),
        ({"op": "move", "count": 2}, ids(249, 250) + ids(1, 248)),
        ({"op": "move", "at": "front", "to": "back"}, ids(2, 250) + ids(1, 1)),
    ],
)
def test_records_come_and_go_after_the_answer(api: FakeAPI, change: dict[str, object], expected: list[str]) -> None:
    """A collection that moves under a reader is the whole point."""
    api.behave(changes=[{"after": 2, **change}])
    before = [ask(api, limit=RECORDS).ids for _ in range(2)]
    after = ask(api, limit=300).ids
    assert [*before, after] == [ids(1, 250), ids(1, 250), expected]
    (entry,) = api.changes()
    assert (entry["kind"], entry["request"]) == (change["op"], 2)


def test_a_change_can_be_in_ground_already_read(api: FakeAPI) -> None:
    """Deletions behind the reader are what shifts unread records away."""
    api.behave(changes=[{"every": 1, "times": 2, "op": op, "at": "read", "count": 2} for op in ("delete", "insert")])
    for _ in range(3):
        ask(api, limit=10)
    gone = {each for entry in api.changes() if entry["kind"] == "delete" for each in entry["ids"]}
    assert len(gone) == 4
    present = [record["id"] for record in api.records()]
    assert gone < {*ids(1, 12), *ids(251, 254)}
    assert all(present.index(each) < 10 for each in ids(251, 254) if each in present)


def test_a_change_can_be_anywhere_and_say_when_it_was_created(api: FakeAPI) -> None:
    """Late records, with an old date, are what the look-back window is for."""
    api.behave(changes=[{"after": [1, 3], "op": "insert", "at": "random", "created_at": "2019-05-01T00:00:00Z"}])
    api.behave(changes=[*api.behave()["changes"], {"after": 1, "op": "delete", "at": "random"}])
    for _ in range(3):
        ask(api)
    late = [record for record in api.records() if record["created_at"] < "2020"]
    assert sorted(record["id"] for record in late) == ids(251, 252)
    assert ask(api, created_to="2020-01-01").json["total"] == 2
    assert len(api.records()) == RECORDS + 1


def test_survivors_lived_through_all_requests(api: FakeAPI) -> None:
    """The yardstick of every loss test."""
    api.delete(["obj-0000001"])
    early = api.insert(2)
    assert api.survivors() == {*ids(2, 250), *early}
    ask(api)
    api.delete(["obj-0000002"])
    api.insert(1)
    ask(api)
    api.delete(["obj-0000003"])
    assert api.survivors() == {*ids(3, 250), *early}
    assert api.ever() == {*ids(1, 250), *early, "obj-0000253"}


# Control endpoints and the journal


def test_given_records_are_served_as_they_are_written(api: FakeAPI) -> None:
    """Exact numbers could not be told from rounded ones."""
    odd = '{"id": 7, "n": 123456789012345678901234567890.10, "e": 1e400, "s": "\\u2028 ü"}'
    assert api.insert(at="front", raw=[odd]) == [7]
    assert api.insert(at="front", records=[{"id": "x", "created_at": "2020-01-01T00:01:00.5Z"}, {}]) == ["x", None]
    body = ask(api, limit=3).body
    assert odd.encode() in body
    assert ask(api, created_from="2020-01-01T00:01:00.2Z", limit=1).ids == ["x"]
    assert api.delete([7, "x", "missing"]) == ["x", 7]


def test_a_whole_collection_can_be_replaced(api: FakeAPI) -> None:
    """Records of any shape, exactly as written."""
    assert api.replace(' [ {"id":1.50}, {"id":"b", "x":[1, {"y":"],["}]},3 ] ') == [None, "b", None]
    body = ask(api).body
    assert body == b'{"data":[{"id":1.50},{"id":"b", "x":[1, {"y":"],["}]},3],"total":3}'
    assert api.replace("[]") == []
    assert api.records() == []
    assert api.ever() == {*ids(1, 250), "b"}


@pytest.mark.parametrize(
    ("text", "parts"),
    [("[]", []), (" [ 1 , 2 ]", ["1", "2"]), (r'["a\"],["]', [r'"a\"],["']), ("[" * 10**4 + "]" * 10**4, None)],
)
def test_an_array_is_split_by_its_text(text: str, parts: list[str] | None) -> None:
    """Decoding would round numbers, and refuse deep nesting."""
    assert split_array(text) == ([text[1:-1]] if parts is None else parts)


@pytest.mark.parametrize(
    ("behaviour", "message"),
    [
        ({"capp": 1}, "behaviour: unknown key 'capp', expected paths, id_type, cap"),
        ({"cap": 0}, "behaviour.cap: expected a whole number from 1 or null, not 0"),
        ({"gzip": 1}, "behaviour.gzip: expected true or false, not 1"),
        ({"total": "some"}, 'behaviour.total: expected "exact" or "absent"'),
        ({"headers": {"a": 1}}, "behaviour.headers: expected an object of strings"),
        ({"paths": "/a"}, "behaviour.paths: expected a list of a string"),
        ({"latency_ms": -1}, "behaviour.latency_ms: expected at least 0, not -1"),
        ({"faults": [{"on": 1, "kind": "odd"}]}, 'behaviour.faults[0].kind: expected "status" or'),
        ({"faults": [{"kind": "drop"}]}, "behaviour.faults[0]: give exactly one of on, every, from"),
        ({"faults": [{"on": 1}]}, "behaviour.faults[0]: missing key 'kind'"),
        ({"faults": [{"on": 1, "kind": "raw", "body_base64": "?"}]}, "behaviour.faults[0]: body_base64: "),
        ({"changes": [{"op": "insert"}]}, "behaviour.changes[0]: give exactly one of after, every"),
    ],
)
def test_a_behaviour_that_is_not_understood_is_refused(
    api: FakeAPI, behaviour: dict[str, object], message: str
) -> None:
    """A misspelt behaviour would test nothing, and pass."""
    with pytest.raises(Refused) as refusal:
        api.behave(**behaviour)
    assert str(refusal.value).startswith(message)


def test_the_other_endpoints_refuse_what_they_do_not_know(api: FakeAPI) -> None:
    """A misspelt step of a test would be skipped."""
    with pytest.raises(ValueError, match="expected the text of a JSON array"):
        api.replace("{}")
    with pytest.raises(Refused, match="unknown key 'capp'"):
        FakeAPI(capp=1)
    assert send(api, "/_fake/nothing").status == 404


def test_behaviour_merges_and_can_be_told_again(api: FakeAPI) -> None:
    """What the server says it does must be what it can be told."""
    api.behave(faults=[{"from": 3, "kind": "retry_after", "as": "date"}], ceiling={"offset": 5}, total={"capped": 4})
    whole = api.behave(cap=10)
    assert (whole["cap"], whole["faults"][0]["from"], whole["ceiling"]["answer"]) == (10, 3, "empty")
    assert api.behave(**whole) == whole


def test_reset_forgets_everything_but_the_collection(api: FakeAPI) -> None:
    """One test would leak into the next."""
    start = api.behave()
    api.behave(cap=1)
    api.delete(at="front")
    ask(api)
    api.reset()
    assert api.journal() == []
    assert api.behave() == start
    assert ask(api).ids == ids(2, 101)
    assert api.requests()[0]["request"] == 1
    api.reset(records=5)
    assert ask(api).ids == ids(1, 5)


def test_the_journal_tells_requests_and_changes_in_order(api: FakeAPI) -> None:
    """The server's own log is the evidence in every test of requests."""
    send(api, "/v1/resource?api_key=demo-key&limit=2&offset=1", headers={"X-One": "1"})
    api.insert()
    ask(api, "/nowhere", offset="far")
    first, change, second = api.journal(ids=True)
    assert first.pop("at") == pytest.approx(time.time(), abs=10)
    assert first.pop("headers")["x-one"] == "1"
    assert first == {
        "n": 1,
        "kind": "request",
        "request": 1,
        "fault": None,
        "method": "GET",
        "path": "/v1/resource",
        "query": "api_key=demo-key&limit=2&offset=1",
        "offset": 1,
        "limit": 2,
        "status": 200,
        "served": 2,
        "ids": ids(2, 3),
        "all_ids": ids(2, 3),
    }
    assert (change["n"], change["kind"], change["request"], change["ids"]) == (2, "insert", 1, ids(251, 251))
    assert (second["n"], second["request"], second["status"], second["offset"]) == (3, None, 404, None)
    assert [entry["n"] for entry in api.journal(since=1)] == [2, 3]
    assert [entry["n"] for entry in api.requests()] == [1]


def test_the_journal_is_also_written_to_a_file(tmp_path: Path) -> None:
    """A benchmark reads it after the server is gone."""
    with FakeAPI(records=5, journal=tmp_path / "journal.jsonl") as api:
        ask(api)
        api.delete()
        journal = api.journal()
    assert [json.loads(line) for line in (tmp_path / "journal.jsonl").read_text().splitlines()] == journal


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0),
        ("1970-01-01T00:00:01.1234567Z", 1.123456),
        ("1970-01-01T02:00:00.5+02:00", 0.5),
        ("-5", -5),
        ("1600000000000", 1.6e9),
    ],
)
def test_instants_are_read_in_every_spelling(text: str, seconds: float) -> None:
    """A filter that misreads its bound hides records."""
    assert instant(text) == pytest.approx(seconds)


# The process


def test_thousands_of_requests_over_several_connections_are_all_counted(api: FakeAPI) -> None:
    """A server that loses count under load proves nothing about look-ahead."""
    address = urlsplit(api.url)
    request = b"GET /v1/resource?api_key=demo-key&limit=1&offset=%d HTTP/1.1\r\nHost: a\r\n\r\n"
    connections = [socket.create_connection((str(address.hostname), int(address.port or 0))) for _ in range(4)]
    for offset in range(500):
        for connection in connections:
            connection.sendall(request % (offset % RECORDS))
        for connection in connections:
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 OK\r\n")
    for connection in connections:
        connection.close()
    assert [entry["request"] for entry in api.requests()] == list(range(1, 2001))


def test_what_is_no_http_is_answered_and_closed(api: FakeAPI) -> None:
    """A client's mistake must not hang."""
    address = urlsplit(api.url)
    with socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=5) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"".join(iter(lambda: connection.recv(4096), b"")).startswith(b"HTTP/1.1 400 Bad Request")


@pytest.mark.parametrize("end", ["SIGTERM", "SIGINT", "stdin"])
def test_the_server_ends_cleanly_even_with_a_request_open(end: str) -> None:
    """Servers that outlive their test use up the machine."""
    fault = json.dumps({"faults": [{"from": 1, "kind": "unanswered"}]})
    command = [sys.executable, "-m", "demo.fake_api", "--until-stdin-closes", "--behaviour", fault]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        address = urlsplit(json.loads(process.stdout.readline())["url"])
        with socket.create_connection((str(address.hostname), int(address.port or 0))) as connection:
            connection.sendall(b"GET /v1/resource HTTP/1.1\r\n\r\n")
            time.sleep(0.1)
            if end == "stdin":
                process.stdin.close()
            else:
                process.send_signal(signal.Signals[end])
            assert process.wait(timeout=10) == 0
            assert process.stderr.read() == b""


def test_a_wrong_behaviour_ends_the_program_with_2() -> None:
    """A server that starts with a misspelt behaviour tests nothing."""
    command = [sys.executable, "-m", "demo.fake_api", "--behaviour", '{"capp": 1}']
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "unknown key 'capp'" in ended.stderr
