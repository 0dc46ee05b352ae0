"""The network's small print: what servers, proxies and certificates may do, and what then becomes of the records.

What an answer may be like is met in one run, in a stream each; what it may not be like in another.
"""

from __future__ import annotations

import base64
import contextlib
import gzip
import json
import ssl
import subprocess
import zlib
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme

from demo.control import FakeAPI
from tests.network import Ending, OddServer, Proxy, Relay
from tests.running import BIN, PATIENCE_S, Run, Tap, environment, settings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tests.network import Asked, Manner

KEY = "k3y+of/the=API"
PASSWORD = "pr0xy p@ss"
USER = "reader:pr0xy%20p%40ss@"
BASIC = base64.b64encode(f"reader:{PASSWORD}".encode()).decode()
OK = "HTTP/1.1 200 OK"
CHUNKED, GZIP, DEFLATE = "Transfer-Encoding: chunked", "Content-Encoding: gzip", "Content-Encoding: deflate"
RECORDS = [{"id": number, "created_at": "2024-01-01T00:00:00Z", "name": f"Größe {number}"} for number in range(250)]


def head(*headers: str, status: str = OK) -> bytes:
    """Return the head of an answer."""
    return "\r\n".join([status, *headers, "", ""]).encode("latin-1")


def whole(body: bytes, *headers: str, status: str = OK) -> bytes:
    """Return an answer with the length of its body."""
    return head(*headers, f"Content-Length: {len(body)}", status=status) + body


def chunks(body: bytes, size: int = 1000, extension: str = "", trailers: str = "") -> bytes:
    """Return a body in the chunked transfer encoding."""
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    sent = [f"{len(part):x}{extension}\r\n".encode() + part + b"\r\n" for part in parts]
    return b"".join(sent) + f"0{extension}\r\n{trailers}\r\n".encode()


def deflated(body: bytes, bits: int) -> bytes:
    """Return a body in the format that zlib calls by this number."""
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush()


def answering(answer: Callable[[bytes], bytes], *then: Ending) -> Manner:
    """Return the manner of one who sends this for each page, and then ends the connection so."""
    return lambda body, _: [answer(body), *then]


def when_asked_again(ending: Ending) -> Manner:
    """Return the manner of one who answers on each connection once, and lets the next request come before it ends."""
    return lambda body, asked: [ending if asked.turn > 1 else whole(body)]


def slowly(body: bytes, asked: Asked) -> Iterable[bytes | float]:
    """Send one page in six parts, each in less than the timeout, all together in more."""
    answer, parts = whole(body), 6 if asked.offset == 49 else 1
    for part in range(parts):
        yield answer[part * len(answer) // parts : (part + 1) * len(answer) // parts]
        yield 0.4 if parts > 1 else 0.0


LAWFUL: dict[str, Manner] = {
    "keeps_the_connection": answering(whole),
    "closes_as_it_said": answering(lambda body: whole(body, "Connection: close"), Ending.CLOSED),
    "says_that_it_closes_and_does_not": answering(lambda body: whole(body, "Connection: close")),
    "sends_slowly": slowly,
    "gzip": answering(lambda body: whole(gzip.compress(body), GZIP)),
    "gzip_by_its_old_name": answering(lambda body: whole(gzip.compress(body), "Content-Encoding: x-gzip")),
    "gzip_in_two_members": answering(lambda body: whole(gzip.compress(body[:99]) + gzip.compress(body[99:]), GZIP)),
    "gzip_twice": answering(lambda body: whole(gzip.compress(gzip.compress(body)), "Content-Encoding: gzip, gzip")),
    "gzip_until_closed": answering(lambda body: head(GZIP) + gzip.compress(body), Ending.CLOSED),
    "deflate": answering(lambda body: whole(deflated(body, zlib.MAX_WBITS), DEFLATE)),
    "deflate_without_its_frame": answering(lambda body: whole(deflated(body, -zlib.MAX_WBITS), DEFLATE)),
    "an_encoding_called_identity": answering(lambda body: whole(body, "Content-Encoding: identity")),
    "an_encoding_that_is_a_charset": answering(lambda body: whole(body, "Content-Encoding: utf-8")),
    "chunks": answering(lambda body: head(CHUNKED) + chunks(body)),
    "chunks_of_a_byte": answering(lambda body: head(CHUNKED) + chunks(body, 1)),
    "chunks_with_gzip": answering(lambda body: head(CHUNKED, GZIP) + chunks(gzip.compress(body), 50)),
    "chunks_with_extensions_and_trailers": answering(
        lambda body: head(CHUNKED) + chunks(body, 500, ';a=b;c="d e"', "X-Sum: 1\r\nX-Time: 2\r\n")
    ),
    "chunks_beside_a_length": answering(lambda body: head(CHUNKED, "Content-Length: 5") + chunks(body)),
    "no_length_until_closed": answering(lambda body: head() + body, Ending.CLOSED),
    "a_length_twice": answering(lambda body: whole(body, f"Content-Length: {len(body)}")),
    "a_line_break_behind": answering(lambda body: whole(body) + b"\r\n"),
    "http_1_0": answering(lambda body: head(status="HTTP/1.0 200 OK") + body, Ending.CLOSED),
    "http_1_0_kept": answering(lambda body: whole(body, "Connection: keep-alive", status="HTTP/1.0 200 OK")),
    "continue_first": answering(lambda body: head(status="HTTP/1.1 100 Continue") + whole(body)),
    "no_reason": answering(lambda body: whole(body, status="HTTP/1.1 200")),
    "a_huge_header": answering(lambda body: whole(body, f"X-Policy: {'x' * 60_000}")),
    "ninety_headers": answering(lambda body: whole(body, *(f"X-{number}: {number}" for number in range(90)))),
    "headers_twice": answering(lambda body: whole(body, *["Date: Mon, 01 Jan 2024 00:00:00 GMT", "Server: a"] * 2)),
    "a_folded_header": answering(lambda body: whole(body, "X-Long: 1,\r\n  2")),
    "a_header_of_any_bytes": answering(lambda body: whole(body, "X-Name: caf\xe9 \xff\x01")),
    "a_header_that_is_none": answering(lambda body: head(f"Content-Length: {len(body)}", "nonsense") + body),
    "bare_headers": answering(lambda body: head(f"content-length:{len(body)}").replace(b"\r", b"") + body),
    "another_type": answering(lambda body: whole(body, "Content-Type: text/html; charset=utf-16")),
    "cookies": answering(lambda body: whole(body, "Set-Cookie: a=b; Path=/", "Set-Cookie: c=d; expires=never")),
}

NO_JSON, BROKE_OFF, NO_HTTP = "answered with a body that is no valid JSON", "the connection broke off", "no valid HTTP"
PACKED, SILENT = "a body that cannot be decompressed", "got no answer within 1.5 s"
BROKEN: dict[str, tuple[str, Manner]] = {
    "gzip_cut": (NO_JSON, answering(lambda body: whole(gzip.compress(body)[:-50], GZIP))),
    "gzip_with_another_sum": (PACKED, answering(lambda body: whole(gzip.compress(body)[:-8] + bytes(8), GZIP))),
    "gzip_that_is_none": (PACKED, answering(lambda body: whole(body, GZIP))),
    "deflate_that_is_none": (PACKED, answering(lambda body: whole(body, DEFLATE))),
    "an_encoding_that_is_unknown": (NO_JSON, answering(lambda body: whole(gzip.compress(body), "Content-Encoding: x"))),
    "chunk_cut": (BROKE_OFF, answering(lambda body: head(CHUNKED) + chunks(body)[:700], Ending.CLOSED)),
    "last_chunk_missing": (BROKE_OFF, answering(lambda body: head(CHUNKED) + chunks(body)[:-5], Ending.CLOSED)),
    "chunk_without_a_size": (BROKE_OFF, answering(lambda body: head(CHUNKED) + b"zz\r\n" + body)),
    "chunk_of_less_than_nothing": (BROKE_OFF, answering(lambda body: head(CHUNKED) + b"-5\r\n" + body)),
    "too_long": (SILENT, answering(lambda body: head(f"Content-Length: {len(body) + 9}") + body)),
    "too_long_and_closed": (
        BROKE_OFF,
        answering(lambda body: head(f"Content-Length: {len(body) + 9}") + body, Ending.CLOSED),
    ),
    "too_short": (NO_JSON, answering(lambda body: head(f"Content-Length: {len(body) - 9}") + body)),
    "of_any_length": (BROKE_OFF, answering(lambda body: head(f"Content-Length: {'9' * 30}") + body, Ending.CLOSED)),
    "of_two_lengths": (NO_HTTP, answering(lambda body: whole(body, f"Content-Length: {len(body) + 1}"))),
    "hints_first": ("answered with 103 Early Hints", answering(lambda body: head(status="HTTP/1.1 103 H") + body)),
    "endless_continue": (SILENT, answering(lambda _: head(status="HTTP/1.1 100 Continue") * 99)),
    "two_hundred_headers": (NO_HTTP, answering(lambda body: whole(body, *(f"X-{number}: 1" for number in range(200))))),
    "a_header_beyond_all_bounds": (NO_HTTP, answering(lambda body: whole(body, f"X-Policy: {'x' * 70_000}"))),
    "another_protocol": (NO_HTTP, answering(lambda _: b"220 files ESMTP\r\n", Ending.CLOSED)),
    "no_head": (NO_HTTP, answering(lambda body: body, Ending.CLOSED)),
    "half_a_head": ("a body that is empty", answering(lambda body: whole(body)[:12], Ending.CLOSED)),
    "a_redirect_to_nowhere": ("answered with 302", answering(lambda body: whole(body, status="HTTP/1.1 302 Found"))),
}


class Reading(NamedTuple):
    """A run that met each manner in a stream of its own. ids: of the records of each."""

    run: Run
    ids: dict[str, list[int]]
    journal: list[Asked]

    def errors(self, name: str) -> list[str]:
        """Return the error lines about a stream."""
        return [line for line in self.run.errors if line.startswith(f"{name} ")]


def read(tap: Tap, manners: dict[str, Manner], records: list[Any] = RECORDS, **more: Any) -> Reading:
    """Read a stream in each of these manners, without a retry unless told otherwise."""
    with OddServer(manners, records) as server:
        config = {
            "base_url": f"http://{server.address}",
            "api_key": KEY,
            "limit": 50,
            "max_retries": 0,
            "resources": [{"name": name, "path": f"/{name}"} for name in manners],
        }
        run = tap({**config, **more})
        ids: dict[str, list[int]] = {name: [] for name in manners}
        for message in run.messages:
            if message["type"] == "RECORD":
                ids[message["stream"]].append(message["record"]["id"])
        return Reading(run, ids, server.journal)


@pytest.fixture(scope="module", params=[1, 4])
def lawful(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Read from servers that use their freedom, with one worker and with four."""
    return read(Tap(tmp_path_factory.mktemp("lawful")), LAWFUL, concurrency=request.param, timeout=2)


@pytest.fixture(scope="module", params=[1, 4])
def broken(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Read from servers that break the protocol from the second page on."""

    def from_the_second(manner: Manner) -> Manner:
        return lambda body, asked: manner(body, asked) if asked.offset else [whole(body)]

    manners = {name: from_the_second(manner) for name, (_, manner) in BROKEN.items()}
    more = {"infer_schema": False, "timeout": 1.5, "concurrency": request.param}
    return read(Tap(tmp_path_factory.mktemp("broken")), manners, **more)


@pytest.mark.parametrize("name", LAWFUL)
def test_what_the_protocol_allows_costs_no_record_and_no_retry(lawful: Reading, name: str) -> None:
    """An API behind some gateway or other could not be read, or only with waits."""
    assert (lawful.errors(name), lawful.ids[name]) == ([], [record["id"] for record in RECORDS])


def test_what_the_protocol_allows_is_not_worth_a_word(lawful: Reading) -> None:
    """Warnings and tracebacks, a page at a time, would bury what matters."""
    assert (lawful.run.status, lawful.run.warnings, lawful.run.errors) == (0, [], [])
    assert [text for text in ("Traceback", KEY, "asking again") if text in lawful.run.stderr] == []


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_the_protocol_is_told_in_one_line(broken: Reading, name: str) -> None:
    """A person would learn nothing of the cause, or a part of a page be taken for all of it."""
    assert broken.ids[name] == [record["id"] for record in RECORDS[:50]]
    assert [BROKEN[name][0] in line and " at offset 49 " in line for line in broken.errors(name)] == [True]


def test_what_breaks_the_protocol_ends_the_run_without_a_traceback(broken: Reading) -> None:
    """Whoever runs it would not know that records are missing, or have their key in the log."""
    assert broken.run.status == 1
    assert [text for text in ("Traceback", KEY) if text in broken.run.stderr] == []
    remedies = ("check ", "run again later", "raise timeout")
    assert [line for line in broken.run.errors[:-1] if not any(remedy in line for remedy in remedies)] == []
    assert broken.run.errors[-1].startswith(f"{len(BROKEN)} of {len(BROKEN)} streams failed")


STALE: dict[str, Manner] = {
    "closes_without_a_word": answering(whole, Ending.CLOSED),
    "closes_when_asked_again": when_asked_again(Ending.CLOSED),
    "resets_when_asked_again": when_asked_again(Ending.RESET),
}


@pytest.mark.parametrize("concurrency", [1, 4])
def test_connections_closed_between_pages_do_not_use_up_the_retries(tap: Tap, concurrency: int) -> None:
    """A server that closes its connections as it likes would cost a wait a page, and end the run when several do."""
    made = [{**record, "id": number} for number, record in enumerate(RECORDS * 8)]
    more = {"limit": 20, "concurrency": concurrency, "infer_schema": False, "max_retries": 2, "backoff_factor": 0}
    reading = read(tap, STALE, made, **more)
    assert (reading.run.status, reading.run.errors) == (0, [])
    assert [reading.ids[name] for name in STALE] == [list(range(len(made)))] * len(STALE)
    assert sum("asking again" in line for line in reading.run.warnings) < 3 + 3 * concurrency


@pytest.mark.parametrize("concurrency", [1, 4])
def test_connections_that_idle_while_the_target_is_slow_cost_nothing(tap: Tap, concurrency: int) -> None:
    """A destination that takes its time would make the API close the connections, and that the run fail."""
    records = [{**record, "name": "x" * 2000} for record in RECORDS]  # a few pages fill the pipe
    with OddServer({"": LAWFUL["keeps_the_connection"]}, records, idle_s=0.3) as server:
        config = {"base_url": f"http://{server.address}", "path": "/", "api_key": KEY, "limit": 20, "max_retries": 0}
        file = tap.write("config.json", json.dumps({**config, "concurrency": concurrency, "infer_schema": False}))
        command = [str(BIN / "tap-storage"), "--config", str(file)]
        with subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            assert server.idled.wait(PATIENCE_S)
            assert len(server.journal) < 13, "the target was not slow"
            stdout, stderr = process.communicate(timeout=PATIENCE_S)
        run = Run(process.returncode, stdout, stderr)
    assert (run.status, run.errors, run.ids) == (0, [], [record["id"] for record in records])
    assert len({asked.connection for asked in server.journal}) > 1


class Site:
    """An API, and TLS in front of it, by an authority that is known to those who know its file."""

    def __init__(self, api: FakeAPI, directory: Path) -> None:
        self.api = api
        self.port = int(api.url.rpartition(":")[2])
        self.authority = str(directory / "authority.pem")
        self._ca = trustme.CA()
        self._ca.cert_pem.write_to_path(self.authority)

    def certify(self, *names: str, **validity: Any) -> ssl.SSLContext:
        """Return what a server of these names needs."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._ca.issue_cert(*names, **validity).configure_cert(context)
        return context

    def tls(self, *names: str, host: str = "127.0.0.1", **validity: Any) -> Relay:
        """Return TLS in front of the API."""
        return Relay(self.port, host, self.certify(*names, **validity))

    def config(self, base_url: str, **more: Any) -> dict[str, Any]:
        """Return the config that reads the API by this address."""
        return settings(self.api, base_url=base_url, **more)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Serve records to those who come over TLS, IPv6 or a proxy."""
    with FakeAPI(records=250, api_key=KEY) as api:
        yield Site(api, tmp_path_factory.mktemp("site"))


def bare(**variables: str) -> dict[str, str]:
    """Return an environment without proxies and certificates but for these."""
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    return dict.fromkeys(names, "") | variables


def is_whole(run: Run) -> None:
    """Assert that a run read all records, and has nothing to complain of."""
    assert (run.status, run.errors, run.warnings) == (0, [], [])
    assert run.ids == [f"obj-{number:07}" for number in range(1, 251)]


def is_told(run: Run, *texts: str) -> None:
    """Assert that a run got nothing, and says why in one line, without a secret."""
    assert (run.status, run.records, len(run.errors)) == (1, [], 1), run.stderr
    assert [text for text in texts if text not in run.errors[0]] == []
    assert [text for text in ("Traceback", KEY, PASSWORD, USER, BASIC) if text in run.stderr] == []


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_an_authority_of_ones_own_is_trusted(tap: Tap, site: Site, variable: str, host: str) -> None:
    """An API inside a company could not be read, or only without TLS."""
    with site.tls("127.0.0.1", "::1", host=host) as front:
        is_whole(tap(site.config(f"https://{front.address}"), env=bare(**{variable: site.authority})))


def test_an_address_of_ipv6_is_read(tap: Tap, site: Site) -> None:
    """A network without IPv4 could not be read."""
    with Relay(site.port, "::1") as front:
        is_whole(tap(site.config(f"http://{front.address}"), env=bare()))


NOW = datetime.now(timezone.utc)
PAST = {"not_before": NOW - timedelta(days=9), "not_after": NOW - timedelta(days=1)}
REFUSED: dict[str, tuple[str, dict[str, Any]]] = {
    "nobody trusted here signed it": ("127.0.0.1", {}),
    "has expired": ("127.0.0.1", PAST),
    "is for another host": ("api.test", {}),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_certificate_that_proves_nothing_is_refused(tap: Tap, site: Site, reason: str) -> None:
    """The API key would be sent to whoever listens in, or the run end in a traceback."""
    site.api.reset()
    name, validity = REFUSED[reason]
    trusted = "" if "nobody" in reason else site.authority
    with site.tls(name, **validity) as front:
        config = site.config(f"https://{front.address}")
        is_told(tap(config, env=bare(REQUESTS_CA_BUNDLE=trusted)), "certificate", reason, "base_url")
    assert site.api.requests() == []


def test_plain_http_to_a_port_for_tls_is_told_in_one_line(tap: Tap, site: Site) -> None:
    """A base_url without its s would end in a riddle."""
    with site.tls("127.0.0.1") as front:
        is_told(tap(site.config(f"http://{front.address}"), env=bare()), "begin base_url with https")


class Restarting(Relay):
    """Ends every other connection before TLS is agreed upon, as a balancer does whose servers are replaced."""

    turns = 0

    def converse(self, plain: socket.socket) -> None:
        """Serve one connection, or none."""
        self.turns += 1
        if self.turns % 2:
            with contextlib.suppress(OSError), plain:
                plain.recv(1 << 16)
        else:
            super().converse(plain)


def test_a_connection_that_ends_before_tls_is_agreed_upon_is_asked_for_again(tap: Tap, site: Site) -> None:
    """A balancer that restarts would fail the run, with a word about certificates."""
    site.api.reset()
    site.api.behave(close=True)
    with Restarting(site.port, context=site.certify("127.0.0.1")) as front:
        config = site.config(f"https://{front.address}", max_retries=1, concurrency=1)
        run = tap(config, env=bare(REQUESTS_CA_BUNDLE=site.authority))
    site.api.reset()
    assert (run.status, run.errors, len(run.ids)) == (0, [], 250)
    assert ["the connection broke off: asking again" in line for line in run.warnings] == [True] * 4


WAYS = {
    ("HTTP_PROXY", "http"): {"GET": "http://api.test/v1/resource"},
    ("ALL_PROXY", "http"): {"GET": "http://api.test/v1/resource"},
    ("HTTPS_PROXY", "https"): {"CONNECT": "api.test:443"},
    ("ALL_PROXY", "https"): {"CONNECT": "api.test:443"},
}


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("way", WAYS, ids=" for ".join)
def test_the_proxy_of_the_environment_is_used_and_its_password_kept(
    tap: Tap, site: Site, way: tuple[str, str], concurrency: int
) -> None:
    """A company's network could not be left, or its password be read in the log."""
    variable, scheme = way
    with site.tls("api.test") as front, Proxy({"http": site.port, "https": front.port}[scheme]) as proxy:
        env = bare(REQUESTS_CA_BUNDLE=site.authority, **{variable: f"http://{USER}{proxy.address}"})
        config = site.config(f"{scheme}://api.test", concurrency=concurrency)
        run = tap(config, env=env | {"TAP_STORAGE_LOGLEVEL": "DEBUG"})
    is_whole(run)
    assert {request.headers.get("proxy-authorization") for request in proxy.journal} == {f"Basic {BASIC}"}
    assert {request.method: request.target.partition("?")[0] for request in proxy.journal} == WAYS[way]
    assert "DEBUG" in run.stderr
    assert [text for text in (KEY, PASSWORD, USER, BASIC) if text in run.stderr] == []


def test_a_host_that_no_proxy_names_is_asked_without_one(tap: Tap, site: Site) -> None:
    """The proxy would be asked for what it does not know."""
    with Proxy(1, "502 Bad Gateway") as proxy:
        is_whole(tap(settings(site.api), env=bare(HTTP_PROXY=f"http://{proxy.address}", NO_PROXY="127.0.0.1")))
    assert proxy.journal == []


REFUSALS = {
    "http://api.test 407 Proxy Authentication Required": "407 Proxy Authentication Required: check the proxy",
    "http://api.test 502 Bad Gateway": "502 Bad Gateway (2 attempts): run again later",
    "https://api.test 407 Proxy Authentication Required": "the proxy failed (2 attempts): check the proxy",
    "https://api.test 502 Bad Gateway": "the proxy failed (2 attempts): check the proxy",
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_proxy_that_refuses_is_told_in_one_line(tap: Tap, site: Site, case: str) -> None:
    """A person would look for the fault at the API, or find the proxy's password in the log."""
    base_url, _, refusal = case.partition(" ")
    with Proxy(1, refusal) as proxy:
        address = f"http://{USER}{proxy.address}"
        run = tap(site.config(base_url, max_retries=1), env=bare(HTTP_PROXY=address, HTTPS_PROXY=address))
    is_told(run, REFUSALS[case])
    assert len(proxy.journal) == (2 if "2 attempts" in REFUSALS[case] else 1)


def test_a_proxy_that_is_down_is_told_without_its_password(tap: Tap, site: Site) -> None:
    """The password would be in the log, under a lasting riddle."""
    env = bare(HTTPS_PROXY=f"http://{USER}127.0.0.1:1")
    is_told(tap(site.config("https://api.test", max_retries=0), env=env), "the proxy failed", "HTTPS_PROXY")


STRANGE = [f"socks5://{USER}127.0.0.1:1080", f"http://{USER}127.0.0.1:port", f"ftp://{USER}127.0.0.1:21"]


@pytest.mark.parametrize("address", STRANGE)
@pytest.mark.parametrize("probes", [False, True])
def test_what_cannot_be_a_proxy_is_refused_by_the_variables_name(tap: Tap, address: str, probes: bool) -> None:  # noqa: FBT001
    """A person would be sent to base_url, which is right."""
    config = {"base_url": "https://api.test", "api_key": KEY}
    if probes:
        told = probe(tap, config, bare(HTTPS_PROXY=address))
        assert (told.status, "HTTPS_PROXY" in told.stderr, PASSWORD in told.stderr) == (1, True, False)
    else:
        is_told(tap(config, env=bare(HTTPS_PROXY=address)), "HTTPS_PROXY")


def probe(tap: Tap, config: dict[str, Any], env: dict[str, str]) -> Run:
    """Run the probe; assert that it gives nothing away."""
    file = tap.write("probe.json", json.dumps(config))
    completed = subprocess.run(
        [BIN / "tap-storage-probe", "--config", str(file), "--format=json"],
        env=environment(**env),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    everything = completed.stdout + completed.stderr
    assert [text for text in ("Traceback", KEY, PASSWORD, USER, BASIC) if text in everything] == []
    return Run(completed.returncode, completed.stdout, completed.stderr)


def test_the_probe_goes_through_a_proxy_and_trusts_an_authority_of_ones_own(tap: Tap, site: Site) -> None:
    """Settings could not be found out where the tap could use them."""
    with site.tls("api.test") as front, Proxy(front.port) as proxy:
        env = bare(REQUESTS_CA_BUNDLE=site.authority, HTTPS_PROXY=f"http://{USER}{proxy.address}")
        told = probe(tap, site.config("https://api.test"), env)
    assert (told.status, json.loads(told.stdout)["config"]["base_url"]) == (0, "https://api.test")
    assert {request.target for request in proxy.journal} == {"api.test:443"}


def test_the_probe_reads_an_address_of_ipv6(tap: Tap, site: Site) -> None:
    """Settings could not be found out where the tap could use them."""
    with Relay(site.port, "::1") as front:
        assert probe(tap, site.config(f"http://{front.address}"), bare()).status == 0


@pytest.mark.parametrize("refusal", ["407 Proxy Authentication Required", "502 Bad Gateway"])
def test_the_probe_names_a_proxy_that_refuses(tap: Tap, site: Site, refusal: str) -> None:
    """A person would look for the fault at the API."""
    with Proxy(1, refusal) as proxy:
        env = bare(HTTPS_PROXY=f"http://{USER}{proxy.address}")
        told = probe(tap, site.config("https://api.test"), env)
    assert (told.status, "check the proxy that HTTP_PROXY or HTTPS_PROXY names" in told.stderr) == (1, True)


def test_the_probe_says_that_a_certificate_is_not_trusted(tap: Tap, site: Site) -> None:
    """A person would look for the fault in the settings."""
    with site.tls("127.0.0.1") as front:
        told = probe(tap, site.config(f"https://{front.address}"), bare())
    assert (told.status, "REQUESTS_CA_BUNDLE may name a file" in told.stderr) == (1, True)


PROBED = (
    "gzip",
    "chunks_with_extensions_and_trailers",
    "no_length_until_closed",
    "closes_as_it_said",
    "a_header_that_is_none",
)


@pytest.mark.parametrize("name", PROBED)
def test_the_probe_reads_what_the_protocol_allows(tap: Tap, name: str) -> None:
    """Settings could not be found out where the tap could use them."""
    with OddServer({"": LAWFUL[name]}, RECORDS) as server:
        told = probe(tap, {"base_url": f"http://{server.address}", "path": "/", "api_key": KEY}, bare())
    found = {finding["name"]: finding["value"] for finding in json.loads(told.stdout)["findings"]}
    assert (told.status, found["records"], found["offset_param"], found["total"]) == (0, "data", "offset", 250)
