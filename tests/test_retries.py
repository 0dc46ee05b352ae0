"""Asking again: what, how often, and after how long, by the server's own clock."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap


def waits(api: FakeAPI) -> list[float]:
    """Return the seconds between the requests that the server saw."""
    return [later["at"] - earlier["at"] for earlier, later in pairwise(api.requests())]


PASSING: list[dict[str, Any]] = [
    *({"kind": "status", "status": status} for status in (429, 500, 502, 503, 504)),
    {"kind": "retry_after", "seconds": 0},
    {"kind": "status", "status": 103},
    {"kind": "drop"},
    {"kind": "cut"},
    {"kind": "garbage"},
    {"kind": "html"},
    {"kind": "raw", "body": ""},
    {"kind": "raw", "body": '{"data": [NaN]}'},
    {"kind": "raw", "body": '{"data": ["\\ud800"]}'},
    {"kind": "raw", "body_base64": "/////w=="},
]


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_a_failure_that_passes_costs_nothing_but_time(tap: Tap, api: FakeAPI, fault: dict[str, Any]) -> None:
    """A hiccup of the server would fail the run, or lose or double a page."""
    api.behave(faults=[{"on": [2, 3], **fault}])
    run = tap(settings(api))
    assert (run.status, run.ids) == (0, [record["id"] for record in api.records()])
    assert [request["offset"] for request in api.requests()] == [0, 99, 99, 99, 198, 249]
    assert sum("asking again in" in line for line in run.warnings) == 2


@pytest.mark.parametrize("fault", PASSING, ids=str)
def test_a_failure_that_stays_is_asked_four_times_and_told_in_one_line(
    tap: Tap, api: FakeAPI, fault: dict[str, Any]
) -> None:
    """The run would hang, give up early, or end in a traceback."""
    api.behave(faults=[{"from": 2, **fault}])
    run = tap(settings(api))
    assert (run.status, len(run.records), len(api.requests())) == (1, 100, 5)
    assert ["at offset 99" in line and "(4 attempts)" in line for line in run.errors] == [True]
    assert "Traceback" not in run.stderr
    assert run.bookmark is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422, 501, 505, 599, 304, 600])
def test_any_other_status_is_fatal_at_once(tap: Tap, api: FakeAPI, status: int) -> None:
    """A wrong key would be sent again and again until it is locked."""
    api.behave(faults=[{"from": 1, "kind": "status", "status": status}])
    run = tap(settings(api))
    assert (run.status, len(api.requests())) == (1, 1)
    assert [f"answered with {status}" in line for line in run.errors] == [True]


def test_the_retried_statuses_are_exactly_those_configured(tap: Tap, api: FakeAPI) -> None:
    """An API with statuses of its own could not be accommodated."""
    api.behave(faults=[{"on": 1, "kind": "status", "status": 418}, {"on": 2, "kind": "status", "status": 503}])
    run = tap(settings(api, retry_statuses=[418]))
    assert (run.status, len(api.requests())) == (1, 2)
    assert "503 Service Unavailable" in run.errors[0]


@pytest.mark.parametrize("retries", [0, 1, 5])
def test_the_number_of_retries_is_configured(tap: Tap, api: FakeAPI, retries: int) -> None:
    """Patience could not be chosen."""
    api.behave(faults=[{"from": 1, "kind": "status", "status": 503}])
    assert tap(settings(api, max_retries=retries)).status == 1
    assert len(api.requests()) == retries + 1


def test_waits_double_from_two_seconds_by_default(tap: Tap, api: FakeAPI) -> None:
    """A server in trouble would be asked faster than the specification says."""
    api.behave(faults=[{"from": 1, "kind": "status", "status": 503}])
    config = settings(api)
    del config["backoff_factor"]
    assert tap(config).status == 1
    assert [wait >= base for wait, base in zip(waits(api), (2, 4, 8), strict=True)] == [True] * 3
    assert [wait < base + 1.5 for wait, base in zip(waits(api), (2, 4, 8), strict=True)] == [True] * 3


def test_a_wait_is_never_longer_than_max_backoff(tap: Tap, api: FakeAPI) -> None:
    """A run would sleep for hours."""
    api.behave(faults=[{"from": 1, "kind": "status", "status": 503}])
    assert tap(settings(api, backoff_factor=1000, max_backoff=0.2, max_retries=2)).status == 1
    assert [0.2 <= wait < 1 for wait in waits(api)] == [True, True]


@pytest.mark.parametrize("form", ["seconds", "date"])
@pytest.mark.parametrize("skew", [0, 3600, -3600])
def test_retry_after_is_kept_by_the_servers_clock(tap: Tap, api: FakeAPI, form: str, skew: int) -> None:
    """A rate limit would be broken, and the key perhaps blocked."""
    api.behave(date_skew_s=skew, faults=[{"on": 1, "kind": "retry_after", "seconds": 2, "as": form}])
    run = tap(settings(api))
    assert run.status == 0
    # A date has whole seconds.
    assert (1 if form == "date" else 2) <= waits(api)[0] < 4


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_retry_after_beyond_max_backoff_fails_at_once(tap: Tap, api: FakeAPI, form: str) -> None:
    """The API would be asked before it wants to be, or the run sleep for hours."""
    api.behave(faults=[{"from": 1, "kind": "retry_after", "seconds": 300, "as": form}])
    run = tap(settings(api))
    assert (run.status, len(api.requests())) == (1, 1)
    assert "Retry-After asks for 30" in run.errors[0]
    assert "max_backoff" in run.errors[0]


def test_a_retry_after_that_came_twice_is_kept(tap: Tap, api: FakeAPI) -> None:
    """The API would be asked earlier than it wants to be."""
    api.behave(faults=[{"on": 1, "kind": "status", "status": 429, "headers": {"Retry-After": "1, 1"}}])
    assert tap(settings(api)).status == 0
    assert 1 <= waits(api)[0] < 3


NONSENSE = ["soon", "", "-5", "nan", "inf", "Wed, 99 Foo 2024", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"]


@pytest.mark.parametrize("value", NONSENSE)
def test_a_retry_after_that_makes_no_sense_is_no_obstacle(tap: Tap, api: FakeAPI, value: str) -> None:
    """A sloppy header would end the run in a traceback."""
    headers = {"Retry-After": value, "Date": value}
    api.behave(faults=[{"on": 1, "kind": "status", "status": 503, "headers": headers}])
    assert tap(settings(api)).status == 0


def fails_in_time(run: Run, text: str) -> None:
    """Assert that a run that got no page says why."""
    assert (run.status, run.records) == (1, [])
    assert [text in line for line in run.errors] == [True]


def test_an_answer_that_never_comes_times_out(tap: Tap, api: FakeAPI) -> None:
    """The run would hang until somebody looks."""
    api.behave(faults=[{"from": 1, "kind": "unanswered"}])
    fails_in_time(tap(settings(api, timeout=0.3, max_retries=1)), "no answer within 0.3 s (2 attempts)")
    assert len(api.requests()) == 2


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("kind", ["trickle", "trickle_headers"])
def test_an_endless_trickle_times_out(tap: Tap, api: FakeAPI, kind: str, chunked: bool) -> None:  # noqa: FBT001
    """A byte now and then would hold the run up for ever."""
    api.behave(chunked=chunked, faults=[{"from": 1, "kind": kind, "interval_s": 0.1}])
    fails_in_time(tap(settings(api, timeout=0.3, max_retries=0)), "did not arrive whole within 3 s")


def test_a_refused_connection_is_retried_and_told_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """A person would have to read a traceback to learn that the server is down."""
    config = settings(api, max_retries=2)
    api.__exit__(None, None, None)
    run = tap(config)
    fails_in_time(run, "connection refused (3 attempts)")
    assert "base_url" in run.errors[0]


def test_a_host_that_does_not_exist_is_told_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """A typing error in base_url would end in a traceback."""
    fails_in_time(
        tap(settings(api, base_url="http://storage.invalid", max_retries=0)), "the name of the host is not known"
    )


def test_a_proxy_that_fails_is_named(tap: Tap, api: FakeAPI) -> None:
    """A person would look for the fault at the API."""
    run = tap(settings(api, max_retries=1), env={"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:1"})
    fails_in_time(run, "the proxy failed (2 attempts): check the proxy that HTTP_PROXY or HTTPS_PROXY names")


def test_a_ca_bundle_that_is_not_there_is_named(tap: Tap, api: FakeAPI) -> None:
    """The run would end in a traceback."""
    garbage = tap.write("bundle.pem", "no certificate")
    config = settings(api, base_url=api.url.replace("http:", "https:"))
    for bundle in ("/nowhere.pem", str(garbage)):
        fails_in_time(tap(config, env={"REQUESTS_CA_BUNDLE": bundle}), "REQUESTS_CA_BUNDLE")


def test_an_address_that_no_server_can_have_is_told_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """A typing error in base_url would end in a traceback."""
    fails_in_time(tap(settings(api, base_url="http://a..b")), "base_url")


def test_tls_to_a_server_without_it_is_told_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """A base_url with https for http would end in a traceback."""
    config = settings(api, base_url=api.url.replace("http:", "https:"), max_retries=0)
    fails_in_time(tap(config), "base_url")
