"""Each of the likeliest mistakes is told in a line that names the setting, as docs/troubleshooting.md has it."""

from __future__ import annotations

import http.server
import re
import ssl
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import trustme

from demo.control import FakeAPI
from tests.running import settings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.running import Run, Tap

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "troubleshooting.md"
"""Of localhost, signed by itself, and its key, which protects nothing."""


class Mistake(NamedTuple):
    """What was done wrong, and what the API is like.

    config: settings, None for one that is not there; {host} in base_url stands for the fake API, {tls} for a server
    that speaks TLS. behaviour: of the fake API. records: JSON of its collection. warns: whether the run goes on.
    """

    config: Mapping[str, Any]
    behaviour: Mapping[str, Any] = {}
    records: str = ""
    env: Mapping[str, str] = {}
    warns: bool = False


def answers(kind: str, **more: Any) -> dict[str, Any]:
    """Return the behaviour of an API that answers wrongly each time."""
    return {"faults": [{"from": 1, "kind": kind, **more}]}


def status(code: int) -> dict[str, Any]:
    """Return the behaviour of an API that answers with this status."""
    return answers("status", status=code)


def dates(first: str, second: str) -> str:
    """Return two records created then."""
    return f'[{{"id": 1, "created_at": {first}}}, {{"id": 2, "created_at": {second}}}]'


IN_HEADER = {"auth": {"in": "header", "name": "X-API-Key"}}
LOGIN = {
    "paths": ["/v1/resource", "/login"],
    "faults": [{"on": [1, 3], "kind": "redirect", "location": "/login"}, {"from": 1, "kind": "html"}],
}
FOREIGN = '[{"uuid": "a", "kind": 1, "at": "2024-01-01T00:00:00Z"}, {"uuid": "b", "kind": 1}]'
PROXY = {"NO_PROXY": "", "HTTP_PROXY": "http://127.0.0.1:1"}

MISTAKES: dict[str, list[Mistake]] = {
    "base_url is missing": [Mistake({"base_url": None})],
    "base_url has no scheme": [Mistake({"base_url": "api.example.com"})],
    "base_url has a query": [Mistake({"base_url": "http://{host}?x=1"})],
    "base_url holds the path already": [Mistake({"base_url": "http://{host}/v1/resource"})],
    "path has a query": [Mistake({"path": "/v1/resource?x=1"})],
    "The host is wrong": [Mistake({"base_url": "https://api.invalid"})],
    "The port is wrong, or the server is down": [Mistake({"base_url": "https://127.0.0.1:1"})],
    "https for http": [Mistake({"base_url": "https://{host}"})],
    "http for https": [Mistake({"base_url": "http://{tls}"}), Mistake({}, status(400))],
    "The certificate is not trusted": [Mistake({"base_url": "https://{tls}"})],
    "The CA bundle is missing": [Mistake({}, env={"REQUESTS_CA_BUNDLE": "missing.pem"})],
    "The CA bundle is none": [Mistake({"base_url": "https://{tls}"}, env={"REQUESTS_CA_BUNDLE": "config.json"})],
    "The proxy does not answer": [Mistake({}, env=PROXY)],
    "The proxy cannot be one": [Mistake({}, env={"NO_PROXY": "", "HTTP_PROXY": "ftp://127.0.0.1"})],
    "The server is silent": [Mistake({"timeout": 0.3}, answers("unanswered", seconds=2))],
    "api_key is missing": [Mistake({"api_key": None})],
    "The key is wrong, has expired, or is sent in the wrong place": [
        Mistake({"api_key": "wrong-key"}),
        Mistake({}, IN_HEADER),
        Mistake({"auth_location": "header", "auth_param": "Authorization"}, IN_HEADER),
    ],
    "The key has a line break": [
        Mistake({"api_key": "demo-key\n"}),
        Mistake({"api_key": "demo-key\n", "auth_location": "header"}),
    ],
    "The key may not read this": [Mistake({}, status(403))],
    "The path is wrong": [Mistake({"path": "/v2/other"}), Mistake({}, status(405))],
    "A page is larger than allowed": [Mistake({"limit": 5000}, status(422))],
    "A web page comes instead of data": [Mistake({}, answers("html")), Mistake({}, LOGIN)],
    "Another server is pointed to": [Mistake({}, answers("redirect", location="https://login.example.com/"))],
    "What comes is no JSON": [Mistake({}, answers("garbage"))],
    "An error comes with status 200": [Mistake({}, answers("envelope"))],
    "data_selector is wrong": [
        Mistake({"data_selector": "items"}),
        Mistake({"data_selector": "result"}, {"envelope": "result.page.items"}),
    ],
    "The answer itself is the list": [Mistake({}, {"envelope": "$"})],
    "The list is not of objects": [Mistake({}, answers("scalars"))],
    "Records have no id": [Mistake({}, records=FOREIGN)],
    "primary_keys are not unique": [Mistake({"primary_keys": ["kind"]}, records=FOREIGN)],
    "Records have no created_at": [Mistake({}, records=FOREIGN.replace("uuid", "id"), warns=True)],
    "replication_key does not exist": [Mistake({"replication_key": "updated", "infer_schema": False})],
    "Dates are written in another form": [Mistake({}, records=dates('"31.12.24 10h"', '"1.1.25 9h"'), warns=True)],
    "Dates are numbers": [Mistake({"start_date": "2024-01-01"}, records=dates("1704067200", "1704153600"))],
    "offset_param is wrong": [Mistake({"offset_param": "skip"}), Mistake({"offset_param": "page"})],
    "offset_param is empty": [Mistake({"offset_param": ""})],
    "The order does not hold": [Mistake({}, {"sort": "unstable"})],
    "sort_order is wrong": [Mistake({"sort_order": "descending"}, warns=True)],
    "Too many requests": [Mistake({}, status(429))],
    "The server fails": [Mistake({}, status(503))],
    "A setting is misspelt": [Mistake({"limitt": 5}, warns=True)],
    "A setting of a resource is misspelt": [Mistake({"resources": [{"name": "files", "pth": "/v1/files"}]})],
    "A resource has a setting of the connection": [Mistake({"resources": [{"name": "files", "timeout": 5}]})],
}


def documented() -> dict[str, list[str]]:
    """Return the texts under each heading of the document."""
    sections = re.split(r"^### ", DOCUMENT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return {
        section.partition("\n")[0]: [
            line for block in re.findall(r"```text\n(.*?)```", section, re.DOTALL) for line in block.splitlines()
        ]
        for section in sections
    }


@pytest.fixture(scope="module")
def site() -> Iterator[FakeAPI]:
    """Serve records to those who make mistakes, one after the other."""
    with FakeAPI(records=250) as running:
        yield running


@pytest.fixture(scope="module")
def tls() -> Iterator[str]:
    """Return host and port of a server that speaks TLS, with a certificate that nobody trusts."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost", "127.0.0.1").configure_cert(context)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


def make(mistake: Mistake, tap: Tap, site: FakeAPI, tls: str, *arguments: str) -> Run:
    """Run the command as somebody does who makes this mistake."""
    site.reset(250)
    if mistake.records:
        site.replace(mistake.records)
    site.behave(**mistake.behaviour)
    host = site.url.removeprefix("http://")
    config = {**settings(site, max_retries=1), **mistake.config}
    if config["base_url"]:
        config["base_url"] = config["base_url"].format(host=host, tls=tls)
    return tap({name: value for name, value in config.items() if value is not None}, *arguments, env=mistake.env)


def told(run: Run, mistake: Mistake) -> list[str]:
    """Return what a run says of a mistake; assert that it is one line, and the exit status right."""
    assert "Traceback" not in run.stderr
    assert (run.status, len(run.errors)) == ((0, 0) if mistake.warns else (1, 1)), run.stderr
    return run.warnings if mistake.warns else run.errors


def pattern(text: str) -> str:
    """Return an expression for a documented text, in which `<…>` stands for whatever is there."""
    return "".join(".+" if part.startswith("<") else re.escape(part) for part in re.split(r"(<[^>]+>)", text))


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_told_in_one_line_as_documented(tap: Tap, site: FakeAPI, tls: str, name: str) -> None:
    """A newcomer would search the document for what the tap says, and find nothing, or what it does not say."""
    texts = documented()[name]
    lines = [line for mistake in MISTAKES[name] for line in told(make(mistake, tap, site, tls), mistake)]
    assert [line for line in lines if not any(re.fullmatch(pattern(text), line) for text in texts)] == []
    assert [text for text in texts if not any(re.fullmatch(pattern(text), line) for line in lines)] == []
    assert [line for line in lines if "demo-key" in line or "wrong-key" in line or "://127" in line] == []


def test_the_document_has_these_mistakes_and_no_others() -> None:
    """A mistake would be documented that is told otherwise by now, or one that is tested would not be explained."""
    assert sorted(documented()) == sorted(MISTAKES)


@pytest.mark.parametrize("argument", ["--test", "--discover"])
@pytest.mark.parametrize("name", ["data_selector is wrong", "The path is wrong", "https for http"])
def test_a_trial_and_discovery_say_the_same(tap: Tap, site: FakeAPI, tls: str, name: str, argument: str) -> None:
    """Whoever tries the settings first, as everybody should, would not be told what is wrong with them."""
    mistake = MISTAKES[name][0]
    (line,) = told(make(mistake, tap, site, tls, argument), mistake)
    assert any(re.fullmatch(pattern(text), line) for text in documented()[name])
