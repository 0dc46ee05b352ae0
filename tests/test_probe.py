"""The probe: what it finds out about an API, in how few requests, and that the tap reads by what it prints."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests import shapes
from tests.running import BIN, PATIENCE_S, environment, settings
from tests.shapes import ALL, KEY, Answer, Asked, Serving
from tests.test_secrets import SECRETS, spellings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from demo.control import FakeAPI
    from tests.running import Tap

MOST = 20


@dataclasses.dataclass(frozen=True)
class Probed:
    """What one run of the probe left behind."""

    status: int
    stdout: str
    stderr: str

    @property
    def report(self) -> dict[str, Any]:
        """The JSON that was printed."""
        report: dict[str, Any] = json.loads(self.stdout)
        return report

    @property
    def config(self) -> dict[str, Any]:
        """The settings that were found, without the address."""
        return {
            name: value for name, value in self.report["config"].items() if name not in ("base_url", "backoff_factor")
        }

    def found(self, name: str) -> Any:
        """Return the value of a finding."""
        (value,) = (finding["value"] for finding in self.report["findings"] if finding["name"] == name)
        return value

    def doubt(self, name: str) -> str:
        """Return the doubt about a finding."""
        (doubt,) = (finding["doubt"] for finding in self.report["findings"] if finding["name"] == name)
        return str(doubt)


def probe(tap: Tap, config: Mapping[str, Any] | None, *arguments: str, env: Mapping[str, str] | None = None) -> Probed:
    """Run the installed probe; with a config as a file, and else as the arguments say."""
    options = ["--config", str(tap.write("probe.json", json.dumps(config)))] if config is not None else []
    completed = subprocess.run(
        [BIN / "tap-storage-probe", *options, *arguments],
        cwd=tap.directory,
        env=environment(**(env or {})),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    return Probed(completed.returncode, completed.stdout, completed.stderr)


def as_json(tap: Tap, config: Mapping[str, Any]) -> Probed:
    """Probe, and report as JSON."""
    return probe(tap, config, "--format=json")


BEHAVIOURS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "well-behaved": ({}, {"limit": 1000, "start_param": "created_from"}),
    "capped": ({"cap": 50}, {"limit": 50, "start_param": "created_from"}),
    "nested": (
        {"envelope": "result.items", "total": "nested", "filters": None},
        {"data_selector": "result.items", "total_path": "meta.total", "limit": 1000},
    ),
    "a key in a header": (
        {"auth": {"in": "header", "name": "X-API-Key"}},
        {"auth_location": "header", "auth_param": "X-API-Key", "limit": 1000, "start_param": "created_from"},
    ),
    "a key by another name": (
        {"auth": {"in": "query", "name": "token"}},
        {"auth_param": "token", "limit": 1000, "start_param": "created_from"},
    ),
    "skip and take": (
        {"params": {"limit": "take", "offset": "skip"}},
        {"limit_param": "take", "offset_param": "skip", "limit": 1000, "start_param": "created_from"},
    ),
    "counts from 1": ({"first_offset": 1}, {"initial_offset": 1, "limit": 1000, "start_param": "created_from"}),
    "multiples of the page": ({"offset": {"multiples_of": 50}}, {"limit": 1000, "start_param": "created_from"}),
    "a bare list": (
        {"envelope": "$", "total": "absent", "cap": 40, "filters": {"start": "since"}},
        {"data_selector": "$", "limit": 40, "start_param": "since"},
    ),
    "a total that is not true": (
        {"total": {"capped": 100}, "cap": 100, "filters": None},
        {"total_path": ""},
    ),
    "newest first": (
        {"sort": "-created_at", "filters": {"exclusive": True}},
        {"limit": 1000, "start_param": "created_from"},
    ),
    "elsewhere": (
        {"paths": ["/"], "filters": {"start": "created_after", "resolution_s": 60}},
        {"path": "/", "limit": 1000, "start_param": "created_after"},
    ),
}


@pytest.mark.parametrize("name", BEHAVIOURS)
def test_the_tap_reads_every_record_by_what_the_probe_prints(tap: Tap, api: FakeAPI, name: str) -> None:
    """A block that is pasted would fail, or read a part, with nobody there who knows the settings."""
    behaviour, expected = BEHAVIOURS[name]
    api.behave(**behaviour)
    probed = as_json(tap, settings(api))
    assert (probed.status, probed.config | expected) == (0, probed.config)
    assert probed.config.get("start_param") == expected.get("start_param")
    asked = [entry for entry in api.journal() if entry["kind"] == "request"]
    assert len(asked) == probed.report["requests"] <= MOST
    run = tap({"api_key": api.api_key, **probed.report["config"]})
    assert (run.status, sorted(run.ids)) == (0, sorted(record["id"] for record in api.records()))


SHAPES: dict[str, tuple[Callable[[Asked], Answer], dict[str, Any], str, dict[str, Any]]] = {
    "links, a token in a header, an index": (
        shapes.linked,
        {},
        f"Token {KEY}",
        {
            "auth_location": "header",
            "auth_param": "Authorization",
            "path": "/api/things/",
            "data_selector": "results",
            "limit": 40,
            "total_path": "count",
        },
    ),
    "unknown parameters are filters": (
        shapes.filtering,
        {"path": "/records"},
        "",
        {
            "auth_location": "none",
            "path": "/records",
            "data_selector": "$",
            "limit_param": "_limit",
            "offset_param": "_start",
            "start_param": "created_at_gte",
        },
    ),
    "a Link header": (
        shapes.headed,
        {"path": "/x/y"},
        KEY,
        {
            "auth_location": "header",
            "auth_param": "X-API-Key",
            "path": "/x/y",
            "data_selector": "$",
            "limit": 50,
            "limit_param": "page_size",
            "offset_param": "first_row",
        },
    ),
    "refusals in words": (
        shapes.taking,
        {"path": "/list"},
        KEY,
        {
            "auth_param": "token",
            "path": "/list",
            "data_selector": "result.items",
            "limit": 60,
            "limit_param": "take",
            "offset_param": "skip",
            "total_path": "result.totalItems",
            "start_param": "createdSince",
        },
    ),
    "from 1, and strict": (
        shapes.from_one,
        {"path": "/list"},
        KEY,
        {
            "auth_param": "key",
            "path": "/list",
            "data_selector": "Resources",
            "limit": 1000,
            "limit_param": "count",
            "offset_param": "startIndex",
            "initial_offset": 1,
            "total_path": "totalResults",
        },
    ),
    "dollars": (
        shapes.odata,
        {"path": "/list"},
        KEY,
        {
            "path": "/list",
            "data_selector": "value",
            "limit": 50,
            "limit_param": "$top",
            "offset_param": "$skip",
            "total_path": "'@odata.count'",
        },
    ),
    "page numbers, and all in one page": (
        shapes.numbered_in_one,
        {"path": "/list"},
        KEY,
        {"path": "/list", "limit": 1000, "limit_param": "per_page", "offset_param": ""},
    ),
    "everything at once": (
        shapes.whole,
        {"path": "/list"},
        KEY,
        {"path": "/list", "data_selector": "objects.all", "offset_param": ""},
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_servers_of_many_shapes_are_read_by_what_the_probe_prints(tap: Tap, name: str) -> None:
    """The probe would know the demonstration's API, and no other."""
    shape, given, key, expected = SHAPES[name]
    with Serving(shape) as server:
        probed = as_json(tap, {"base_url": server.url, "api_key": KEY, "backoff_factor": 0, **given})
        assert (probed.status, probed.config) == (0, expected)
        assert len(server.asked) == probed.report["requests"] <= MOST
        run = tap({"api_key": key, **probed.report["config"]})
    assert (run.status, sorted(run.ids)) == (0, [record["id"] for record in ALL])


@pytest.mark.parametrize(("shape", "word"), [(shapes.numbered, "page numbers (page)"), (shapes.tokened, "a token")])
def test_paging_that_the_tap_does_not_read_is_called_so(tap: Tap, shape: Callable[[Asked], Answer], word: str) -> None:
    """Somebody would try settings for hours where none can do."""
    with Serving(shape) as server:
        probed = as_json(tap, {"base_url": server.url, "api_key": KEY, "path": "/list"})
    assert (probed.status, probed.found("offset_param")) == (1, None)
    assert word in probed.doubt("offset_param")
    assert "see what was found out about offset_param" in probed.stderr


def test_an_address_that_was_copied_whole_is_taken_apart(tap: Tap, api: FakeAPI) -> None:
    """An address out of the vendor's documentation has path, paging and key in it."""
    address = f"{api.url}/v1/resource?limit=5&offset=0&api_key={api.api_key}&sort=id"
    probed = as_json(tap, {"base_url": address})
    assert (probed.status, probed.report["config"]["base_url"], probed.report["withheld"]) == (0, api.url, ["params"])
    assert "sort=id" in api.requests()[0]["query"]


def test_what_the_user_set_and_works_is_kept(tap: Tap, api: FakeAPI) -> None:
    """The block to paste would lose settings that the probe knows nothing of."""
    api.behave(auth={"in": "none"})
    given = settings(api, limit=20, timeout=9, headers={"X-Tenant": "some-tenant"}, start_date="2020-01-01")
    probed = as_json(tap, given)
    expected = {"limit": 20, "timeout": 9, "start_date": "2020-01-01"}
    assert (probed.status, probed.config | expected) == (0, probed.config)
    assert probed.report["withheld"] == ["headers"]
    assert "auth_location: none works too" in probed.doubt("key")


def test_one_of_several_resources_is_looked_at(tap: Tap, api: FakeAPI) -> None:
    """A tap of several streams could not be probed, or only its first."""
    api.behave(paths=["/v1/b"])
    given = settings(api, resources=[{"name": "a", "path": "/v1/a"}, {"name": "b", "path": "/v1/b"}])
    probed = probe(tap, given, "--resource=b", "--format=json")
    assert (probed.status, probed.config["path"]) == (0, "/v1/b")
    assert probe(tap, given, "--resource=c").status == 2


@pytest.mark.parametrize("options", [("--config=ENV",), ()], ids=["said", "by default"])
def test_the_environment_is_read_as_the_tap_reads_it(tap: Tap, api: FakeAPI, options: tuple[str, ...]) -> None:
    """Meltano passes settings so, and whoever defines the command there need not know an option."""
    env = {"TAP_STORAGE_BASE_URL": api.url, "TAP_STORAGE_API_KEY": api.api_key}
    probed = probe(tap, None, *options, "--format=json", env=env)
    assert (probed.status, probed.found("key")["location"]) == (0, "query")


def test_people_get_a_block_of_yaml(tap: Tap, api: FakeAPI) -> None:
    """There would be nothing to paste."""
    import yaml  # noqa: PLC0415 (for this test)

    api.behave(envelope="$", total="absent")
    probed = probe(tap, settings(api))
    assert probed.status == 0
    block = yaml.safe_load(probed.stdout[probed.stdout.index("\nconfig:") :])
    assert block["config"].items() >= {"base_url": api.url, "data_selector": "$", "start_param": "created_from"}.items()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("fault", [None, "echo", "raw"])
@pytest.mark.parametrize("secret", [SECRETS[0], SECRETS[1], SECRETS[2]])
def test_no_secret_is_printed(tap: Tap, api: FakeAPI, form: str, fault: str | None, secret: str) -> None:
    """The report is made to be pasted into a ticket."""
    body = json.dumps({"error": f"bad {secret}", f"key {secret}": [{"id": secret, secret: 1}]})
    api.behave(auth={"in": "none"})
    if fault:
        api.behave(faults=[{"from": 1, "kind": fault, **({"status": 401} if fault == "echo" else {"body": body})}])
    given = settings(api, api_key=secret, headers={"X-A": "a-header's value"}, params={"p": "a parameter's value"})
    probed = probe(tap, given, f"--format={form}", env={"TAP_STORAGE_LOGLEVEL": "DEBUG"})
    shown = probed.stdout + probed.stderr
    values = (secret, "a-header's value", "a parameter's value")
    assert [spelling for value in values for spelling in spellings(value) if spelling in shown] == []
    assert probed.stdout


def test_a_parameter_that_names_a_field_does_not_blot_out_the_block(tap: Tap, api: FakeAPI) -> None:
    """With `sort: created_at` among the parameters, the replication key would be printed as `***`."""
    probed = as_json(tap, settings(api, params={"sort": "created_at"}))
    assert (probed.status, probed.found("replication_key")) == (0, "created_at")


def test_a_server_cannot_steer_the_terminal(tap: Tap, api: FakeAPI) -> None:
    """Escape sequences in an answer could hide or fake lines of the report."""
    records = [{"id": i, "\x1b[2Jname": 1, "created_at": f"2024-01-01T00:00:{i:02d}Z"} for i in range(20)]
    api.replace(json.dumps(records))
    probed = probe(tap, settings(api))
    assert (probed.status, "\x1b" in probed.stdout) == (0, False)


FAILURES: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "a wrong key": ({}, {"api_key": "wrong"}, "refused the key in every place"),
    "no key": ({}, {"api_key": ""}, "none is configured: set api_key"),
    "a wrong path": ({}, {"path": "/nowhere"}, "Set base_url and path"),
    "a web page": ({"faults": [{"from": 1, "kind": "html"}]}, {}, "a body that is HTML or XML"),
    "no records": ({"filters": None}, {"params": {"limit_to": "x"}}, "The collection is empty"),
    "an order that varies": ({"sort": "unstable"}, {}, "put it into params (sort: id)"),
    "silence": ({"faults": [{"on": 1, "kind": "retry_after", "seconds": 999}]}, {}, "999 s of silence"),
    "trouble": ({"faults": [{"from": 1, "kind": "status", "status": 503}]}, {}, "run the probe again later"),
    "another server": (
        {"faults": [{"from": 1, "kind": "redirect", "location": "http://127.0.0.1:1/"}]},
        {},
        "redirected to another server",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_what_stops_a_probe_is_one_line_with_the_remedy(tap: Tap, api: FakeAPI, name: str) -> None:
    """A first evening would end there."""
    behaviour, given, words = FAILURES[name]
    api.behave(**behaviour)
    if name == "no records":
        api.replace("[]")
    probed = probe(tap, settings(api, **given))
    assert (probed.status, words in probed.stderr, probed.stderr.count("\n")) == (1, True, 1)
    assert len(api.journal()) <= MOST


@pytest.mark.parametrize("url", ["http://storage.invalid", "https://127.0.0.1:1"])
def test_a_host_that_is_not_there_is_named_as_the_cause(tap: Tap, url: str) -> None:
    """A typing error in the host would look like a defect."""
    probed = probe(tap, {"base_url": url, "api_key": KEY, "backoff_factor": 0})
    assert (probed.status, "the host and port in base_url" in probed.stderr) == (1, True)


def test_https_for_a_server_without_it_is_told_and_the_key_not_sent_in_the_clear(tap: Tap, api: FakeAPI) -> None:
    """Trying plain http with the key would give it to whoever listens."""
    probed = probe(tap, settings(api, base_url=api.url.replace("http:", "https:")))
    assert (probed.status, "speaks plain http" in probed.stderr) == (1, True)
    assert [entry["query"] for entry in api.journal()] == [""]


def test_a_passing_failure_is_asked_again_once(tap: Tap, api: FakeAPI) -> None:
    """One hiccup would end the probe."""
    api.behave(faults=[{"on": 1, "kind": "status", "status": 503}, {"on": 4, "kind": "drop"}])
    assert as_json(tap, settings(api)).status == 0


def test_the_rate_that_headers_tell_is_kept_and_printed(tap: Tap, api: FakeAPI) -> None:
    """A run at full speed would be banned."""
    api.behave(headers={"RateLimit-Policy": '"default";q=100;w=50'}, filters=None)
    probed = as_json(tap, settings(api))
    assert (probed.config["requests_per_second"], probed.config["concurrency"]) == (2, 1)
    times = [entry["at"] for entry in api.requests()]
    api.reset()
    probed = as_json(tap, settings(api, requests_per_second=5))
    times = [entry["at"] for entry in api.requests()]
    assert times[-1] - times[0] >= (len(times) - 1) / 5 - 0.05


def numbers(asked: Asked) -> Answer:
    """Serve records without dates, by whose two numbers together they differ."""
    found = [{"tenant_id": i // 7, "number": i % 7, "created": 1_700_000_000 + i, "name": "x"} for i in range(70)]
    offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 10))
    return Answer(200, {"data": found[offset : offset + limit], "total": 70})


def test_keys_that_only_together_identify_and_dates_that_are_numbers_are_found(tap: Tap) -> None:
    """Records would overwrite each other at the destination, or be read in full each time."""
    with Serving(numbers) as server:
        probed = as_json(tap, {"base_url": server.url, "auth_location": "none"})
    assert probed.status == 0
    expected = {"primary_keys": ["number", "tenant_id"], "replication_key": "created", "datetime_format": "epoch"}
    assert probed.config | expected == probed.config


def random_ids(asked: Asked) -> Answer:
    """Serve records by date whose ids do not grow."""
    found = [dict(record, id=f"{hash((i, 'x')) & 0xFFFFFFFF:08x}-{i}") for i, record in enumerate(ALL)]
    offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 10))
    return Answer(200, {"data": found[offset : offset + limit], "total": len(found)})


def test_an_order_is_declared_only_where_nothing_else_explains_it(tap: Tap, api: FakeAPI) -> None:
    """A declared order that does not hold loses records."""
    with Serving(random_ids) as server:
        probed = as_json(tap, {"base_url": server.url, "auth_location": "none"})
    assert (probed.found("sort_order"), probed.config["sort_order"]) == ("ascending", "ascending")
    api.behave(sort="created_at")
    by_both = as_json(tap, settings(api))
    assert (by_both.found("sort_order"), by_both.config.get("sort_order")) == ("ascending", None)
    (options,) = (each["options"] for each in by_both.report["findings"] if each["name"] == "sort_order")
    assert options == {"sort_order": "ascending"}


def ignoring(asked: Asked) -> Answer:
    """Serve the first twenty records of many, whatever the offset."""
    return Answer(200, {"data": ALL[: int(asked.params.get("limit", 20)) % 21]})


def test_a_first_page_is_not_taken_for_everything(tap: Tap) -> None:
    """The tap would read twenty records, and call them complete."""
    with Serving(ignoring) as server:
        probed = as_json(tap, {"base_url": server.url, "auth_location": "none", "limit": 20})
    assert (probed.status, probed.config.get("offset_param")) == (1, None)
    assert "no total shows that these are all" in probed.doubt("offset_param")


def test_no_more_than_20_requests_are_sent_whatever_happens(tap: Tap) -> None:
    """A vendor that counts requests would be asked without end."""
    with Serving(shapes.detour) as server:
        probed = as_json(tap, {"base_url": server.url, "api_key": KEY})
        assert len(server.asked) == probed.report["requests"] == MOST
    assert probed.status == 0
    assert "no request was left to ask" in json.dumps(probed.report["findings"])


@pytest.mark.parametrize("arguments", [(), ("--config=ENV", "--format=xml"), ("--config=nowhere.json",)])
def test_a_wrong_call_exits_2(tap: Tap, arguments: tuple[str, ...]) -> None:
    """A script could not tell a wrong call from an API that cannot be read."""
    assert probe(tap, None, *arguments).status in (1, 2)
    assert probe(tap, {"api_key": KEY}).status == 2
