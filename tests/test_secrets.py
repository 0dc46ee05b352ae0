"""The API key, header values and parameter values are never printed, whatever fails."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import pytest

from tap_storage.redaction import MASK, RedactingFormatter, Secrets
from tests.running import settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.control import FakeAPI
    from tests.running import Run, Tap

SECRETS = [
    "k3y-of-the-usual-kind",
    "a+b/c=d%e&f?g#h",
    "quote\"back\\slash'tick",
    "schlüssel-ключ-🔑",
    "8675309042",
    "q7Z!",
    "two words",
]


def spellings(secret: str) -> Iterator[str]:
    """Yield the ways in which a secret could turn up."""
    yield from (
        secret,
        quote(secret, safe=""),
        quote(secret),
        quote_plus(secret),
        quote(quote(secret, safe=""), safe=""),
    )
    yield re.sub("%..", lambda escape: escape[0].lower(), quote(secret, safe=""))
    yield from (json.dumps(text)[1:-1] for text in (secret, json.dumps(secret)[1:-1], quote(secret)))
    yield from (json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1], ascii(secret)[1:-1])
    yield repr(secret.encode())[2:-1]


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_masked_in_every_spelling(secret: str) -> None:
    """An encoded key is a key."""
    masked = Secrets([secret])
    found = {spelling: masked.mask(f"GET /v1?a=1&key={spelling}&b=2") for spelling in spellings(secret)}
    assert found == dict.fromkeys(found, f"GET /v1?a=1&key={MASK}&b=2")


def test_ordinary_text_stays_as_it_is() -> None:
    """A log without words would help nobody."""
    masked = Secrets(["secret", "id", "1", ""])
    assert masked.mask("the id 1 of 10 records") == "the id 1 of 10 records"


def test_the_longer_of_two_secrets_is_masked_whole() -> None:
    """The end of a key that begins like another would stay readable."""
    assert Secrets(["abcd", "abcdefgh"]).mask("x abcdefgh y abcd z") == f"x {MASK} y {MASK} z"


def test_a_secret_that_is_cut_off_is_masked() -> None:
    """Python quotes the first 200 characters of what it cannot read, which are most of a long key."""
    key = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ" * 3
    with pytest.raises(ValueError, match="invalid literal") as caught:
        int(f"api_key={key * 2}", 16)
    assert Secrets([key * 2]).mask(f"{caught.value}; and more") == f"{str(caught.value)[:49]}***; and more"


def test_a_structured_line_keeps_its_field_names() -> None:
    """Meltano could no longer read the log of a tap whose parameter value is a word such as `level`."""
    formatter = RedactingFormatter(logging.Formatter('{"level": "info", "message": "%(message)s", "ts": 12.5}'))
    formatter.secrets.add(["level"])
    record = logging.makeLogRecord({"msg": "at level 3"})
    assert json.loads(formatter.format(record)) == {"level": "info", "message": f"at {MASK} 3", "ts": 12.5}


def leaks(run: Run, secret: str) -> list[str]:
    """Return the lines that hold the secret in any spelling, other than in records."""
    lines = [line for line in run.stdout.split("\n") if '"type":"RECORD"' not in line] + run.stderr.split("\n")
    return [line for line in lines if any(spelling in line for spelling in spellings(secret))]


FAULTS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "echo": {"kind": "echo", "status": 400},
    "echo of an error that is asked again": {"kind": "echo", "status": 500},
    "echo in an answer": {"kind": "echo", "status": 200},
    "drop": {"kind": "drop"},
    "cut": {"kind": "cut"},
    "redirect to another server": {"kind": "redirect", "location": "http://127.0.0.1:1/?{query}"},
    "redirect to itself": {"kind": "redirect", "location": "/v1/resource?{query}"},
    "unanswered": {"kind": "unanswered"},
}

STRUCTURED = """\
version: 1
disable_existing_loggers: false
formatters: {structured: {(): singer_sdk.logging.StructuredFormatter}}
handlers: {console: {class: logging.StreamHandler, formatter: structured, stream: ext://sys.stderr}}
root: {level: LEVEL, handlers: [console]}
"""


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize("log", ["console", "structured"])
def test_no_failure_prints_a_secret(tap: Tap, api: FakeAPI, fault: str, level: str, log: str) -> None:
    """Whoever reads the log of a scheduler would hold the key."""
    secret = SECRETS[len(fault) % len(SECRETS)]
    header, parameter = "a-header's +/= value", "p&r=m %41"
    api.behave(auth={"in": "none"}, faults=[{"from": 1, **FAULTS[fault]}] if FAULTS[fault] else [])
    env = {"TAP_STORAGE_LOGLEVEL": level}
    if log == "structured":
        env["SINGER_SDK_LOG_CONFIG"] = str(tap.write("logging.yml", STRUCTURED.replace("LEVEL", level)))
    config = settings(api, api_key=secret, headers={"X-Secret": header}, params={"token": parameter})
    run = tap(config | {"timeout": 0.3, "max_retries": 1}, env=env)
    assert api.requests()[0]["headers"]["x-secret"] == header
    assert (run.status == 0) == (fault == "nothing")
    assert [line for text in (secret, header, parameter) for line in leaks(run, text)] == []
    assert level != "DEBUG" or fault in {"drop", "unanswered"} or MASK in run.stderr


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://storage.invalid", "https://127.0.0.1:1"])
def test_no_connection_failure_prints_a_secret_at_debug_level(tap: Tap, api: FakeAPI, url: str) -> None:
    """A refused connection makes the SDK and urllib3 print the whole URL."""
    secret = SECRETS[1]
    config = settings(api, base_url=url, api_key=secret, max_retries=1)
    run = tap(config, env={"TAP_STORAGE_LOGLEVEL": "DEBUG"})
    assert (run.status, leaks(run, secret)) == (1, [])


@pytest.mark.parametrize("arguments", [("--about",), ("--about", "--format=json"), ("--discover",), ("--test",)])
def test_no_other_mode_prints_a_secret(tap: Tap, api: FakeAPI, arguments: tuple[str, ...]) -> None:
    """Someone would paste it into an issue."""
    api.behave(auth={"in": "none"})
    run = tap(settings(api, api_key=SECRETS[1]), *arguments, env={"TAP_STORAGE_LOGLEVEL": "DEBUG"})
    assert (run.status, bool(run.stdout), leaks(run, SECRETS[1])) == (0, True, [])


def test_a_secret_among_the_keys_of_an_answer_is_masked_whole(tap: Tap, api: FakeAPI) -> None:
    """A key that is cut to fit would pass the masks in part."""
    secret = "abcdefghij" * 5
    body = json.dumps({f"no such key: {secret}": 1, secret: 2})
    api.behave(auth={"in": "none"}, faults=[{"from": 1, "kind": "raw", "body": body}])
    run = tap(settings(api, api_key=secret))
    assert (run.status, "has the keys" in run.errors[0], secret[:10] in run.stderr) == (1, True, False)


def test_records_are_data_and_never_masked(tap: Tap, api: FakeAPI) -> None:
    """A record that happens to hold the key would be copied with a hole in it."""
    api.replace(json.dumps([{"id": "a", "name": f"the key is {api.api_key}"}]))
    assert tap(settings(api)).records == [{"id": "a", "name": f"the key is {api.api_key}"}]
