"""Settings mean the same as JSON, from the environment, and through Meltano."""

from __future__ import annotations

import itertools
import json
import subprocess
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from demo.control import ROOT
from tap_storage import settings as config_settings
from tap_storage.tap import TapStorage
from tests.running import BIN, PATIENCE_S, Run, environment, settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Tap

    Way = Callable[[dict[str, Any]], Run]

TapStorage.append_builtin_config(TapStorage.config_jsonschema)
SCHEMA: dict[str, Any] = TapStorage.config_jsonschema["properties"]
OWN = {name for name in SCHEMA if not name.startswith(("stream_map", "faker", "flattening"))}
"""The settings of this tap; the others are the SDK's."""


def as_text(value: object) -> str:
    """Write a value as people write it into a variable."""
    return value if isinstance(value, str) else json.dumps(value)


def as_variables(config: dict[str, Any]) -> dict[str, str]:
    """Return the variables that set this config."""
    return {f"TAP_STORAGE_{name.upper()}": as_text(value) for name, value in config.items()}


def invoke_meltano(project: Path, config: dict[str, Any], variables: dict[str, str]) -> Run:
    """Run the installed tap by Meltano, in a project with this config."""
    definition = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (extractor,) = definition["plugins"]["extractors"]
    del extractor["pip_url"]
    extractor |= {"executable": str(BIN / "tap-storage"), "config": config}
    definition["plugins"] = {"extractors": [extractor]}
    (project / "meltano.yml").write_text(yaml.safe_dump(definition, sort_keys=False), encoding="utf-8")
    completed = subprocess.run(
        [BIN / "meltano", "invoke", "tap-storage"],
        cwd=project,
        env=environment(**variables),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    return Run(completed.returncode, completed.stdout, completed.stderr)


@pytest.fixture(params=["json", "env", "meltano yaml", "meltano env"])
def way(request: pytest.FixtureRequest, tap: Tap, tmp_path: Path) -> Way:
    """Run the tap with a config that reaches it by one of the ways."""

    def by_environment(config: dict[str, Any]) -> Run:
        return tap(None, "--config=ENV", env=as_variables(config))

    def by_meltano_environment(config: dict[str, Any]) -> Run:
        return invoke_meltano(tmp_path, {}, as_variables(config))

    ways: dict[str, Way] = {
        "json": tap,
        "env": by_environment,
        "meltano yaml": partial(invoke_meltano, tmp_path, variables={}),
        "meltano env": by_meltano_environment,
    }
    return ways[request.param]


EVERYTHING: dict[str, Any] = {
    "auth_param": "X-Token",
    "auth_location": "header",
    "headers": {"X-Tenant": "a.b", "X.Dotted": "1"},
    "user_agent": "copier/1",
    "timeout": 2.5,
    "max_retries": 1,
    "backoff_factor": 0.25,
    "max_backoff": 0.75,
    "retry_statuses": [418],
    "concurrency": 1,
    "requests_per_second": 7.5,
    "start_date": "2020-01-01T02:10:00+02:00",
    "end_date": "2020-01-01T01:00:00Z",
    "emit_activate_version_messages": True,
    "path": "/v2/things",
    "params": {"filter.status": "x", "flag": True, "number": 7, "none": "", "a": {"b": "c"}},
    "data_selector": "result.items",
    "limit": 60,
    "limit_param": "take",
    "offset_param": "skip",
    "initial_offset": 1,
    "maximum_offset": 200,
    "page_overlap": 2,
    "total_path": "meta.total",
    "primary_keys": ["path", "id"],
    "replication_key": "updated_at",
    "start_param": "since",
    "end_param": "until",
    "datetime_format": "epoch",
    "sort_order": "descending",
    "lookback_window": 7.5,
    "infer_schema": False,
    "on_misfit": "null",
    "schema": {
        "properties": {
            "id": {"type": "string"},
            "path": {"type": "string"},
            "updated_at": {"type": ["string", "null"], "format": "date-time"},
            "size": {"type": ["boolean", "null"]},
        }
    },
    "resources": [{"name": "things", "params": {"filter.status": "y"}}],
}


def test_every_setting_means_the_same_by_every_way(way: Way, api: FakeAPI) -> None:
    """What works on a laptop would do something else in production."""
    api.behave(
        auth={"in": "header", "name": "X-Token"},
        params={"limit": "take", "offset": "skip"},
        paths=["/v2/things"],
        envelope="result.items",
        total="nested",
        first_offset=1,
        faults=[{"on": 2, "kind": "status", "status": 418}],
    )
    assert set(EVERYTHING) | {"base_url", "api_key", "batch_config"} == OWN
    run = way({"base_url": api.url, "api_key": api.api_key, **EVERYTHING})
    assert run.status == 0, run.stderr
    requests = api.requests()
    sent = "filter.status=y&since=1577837399&until=1577840401"
    assert [request["query"] for request in requests] == [
        f"take=60&skip={offset}&{sent}" for offset in (1, 59, 59, 117, 175)
    ]
    assert requests[2]["at"] - requests[1]["at"] >= 0.25
    gaps = [later["at"] - earlier["at"] for earlier, later in itertools.pairwise(requests)]
    assert sum(gap > 0.12 for gap in gaps) >= 3, "a request that a busy machine sees late shortens one gap"
    headers = ("x-token", "x-tenant", "x.dotted", "user-agent")
    assert {tuple(request["headers"][name] for name in headers) for request in requests} == {
        (api.api_key, "a.b", "1", "copier/1")
    }
    (schema,) = (message for message in run.messages if message["type"] == "SCHEMA")
    assert schema["stream"] == "things"
    assert schema["schema"]["properties"].keys() == EVERYTHING["schema"]["properties"].keys()
    assert {record["size"] for record in run.records} == {None, False}
    assert (schema["key_properties"], schema["bookmark_properties"]) == (["path", "id"], ["updated_at"])
    assert run.ids == [
        record["id"]
        for record in api.records()[: 200 - 1]
        if record["updated_at"] is None or "2020-01-01T00:10:00Z" <= record["updated_at"] < "2020-01-01T01:00:00Z"
    ]


def test_parameters_mean_the_same_by_every_way(way: Way, api: FakeAPI) -> None:
    """Meltano makes objects of dotted names, and the environment knows only text."""
    params = {"filter.status": "x", "flag": True, "number": 7, "none": "", "a": {"b": "c"}}
    assert way({"base_url": api.url, "api_key": api.api_key, "params": params, "infer_schema": False}).status == 0
    assert "filter.status=x&flag=true&number=7&none=&a.b=c" in api.requests()[0]["query"]


@pytest.mark.parametrize("name", ["total_path", "replication_key", "offset_param"])
def test_an_empty_setting_means_none_by_every_way(way: Way, api: FakeAPI, name: str) -> None:
    """Meltano cannot pass null, so there would be no way to switch these off."""
    api.behave(total={"value": 100}, offset="ignored" if name == "offset_param" else "honoured")
    run = way(settings(api, **{name: ""}, limit=300 if name == "offset_param" else 100))
    assert (run.status, len(run.ids)) == (0, 250)
    assert ("offset=" in api.requests()[0]["query"]) == (name != "offset_param")


TEXTS: list[tuple[str, Any, Any]] = [
    ("limit", "50", 50),
    ("limit", " 50 ", 50),
    ("limit", 50.0, 50),
    ("limit", 9007199254740993, 9007199254740993),
    ("limit", "1_000", "1_000"),
    ("limit", "١٢", "١٢"),
    ("limit", "", 100),
    ("limit", None, 100),
    ("timeout", "0.5", 0.5),
    ("retry_statuses", "429, 503", [429, 503]),
    ("retry_statuses", "[429, 503]", [429, 503]),
    ("retry_statuses", ["429"], [429]),
    ("primary_keys", "id", ["id"]),
    ("primary_keys", "[]", []),
    ("params", '{"a": {"b": 1}}', {"a.b": "1"}),
    ("params", {"a": None, "b": [1, True]}, {"b": ["1", "true"]}),
    ("params", "", {}),
    ("api_key", 12345, "12345"),
    ("replication_key", None, ""),
    ("total_path", None, ""),
    ("path", None, "/v1/resource"),
    ("flattening_enabled", "true", True),
    ("flattening_enabled", "off", False),
]


@pytest.mark.parametrize(("name", "value", "meaning"), TEXTS, ids=str)
def test_a_value_takes_the_type_of_its_setting(name: str, value: object, meaning: object) -> None:
    """The environment knows only text, and people write numbers as text into JSON too."""
    assert config_settings.resolve({name: value}, TapStorage.config_jsonschema)[name] == meaning


def test_a_dotenv_file_in_the_working_directory_is_read(tap: Tap, api: FakeAPI) -> None:
    """People keep the key in one, and Meltano reads it."""
    tap.write(".env", f"TAP_STORAGE_BASE_URL={api.url}\nTAP_STORAGE_API_KEY={api.api_key}\n")
    assert len(tap(None, "--config=ENV").ids) == 250


def test_every_setting_is_described() -> None:
    """`--about` and the Hub would show a bare name."""
    lacking = [(name, key) for name in OWN for key in ("title", "description", "type") if not SCHEMA[name].get(key)]
    assert lacking == []


def test_the_defaults_are_the_specification() -> None:
    """Someone with the specification's API would have to set more than its address and key."""
    assert {name: SCHEMA[name]["default"] for name in OWN if "default" in SCHEMA[name]} == {
        "auth_param": "api_key",
        "auth_location": "query",
        "headers": {},
        "timeout": 60,
        "max_retries": 3,
        "backoff_factor": 2,
        "max_backoff": 120,
        "retry_statuses": [429, 500, 502, 503, 504],
        "concurrency": 4,
        "emit_activate_version_messages": False,
        "infer_schema": True,
        "on_misfit": "fail",
        "resources": [{"name": "storage_data"}],
        "path": "/v1/resource",
        "params": {},
        "data_selector": "data",
        "limit": 100,
        "limit_param": "limit",
        "offset_param": "offset",
        "initial_offset": 0,
        "page_overlap": 1,
        "total_path": "total",
        "primary_keys": ["id"],
        "replication_key": "created_at",
        "datetime_format": "iso",
        "sort_order": "unsorted",
        "lookback_window": 300,
    }


def test_meltano_describes_every_setting_as_the_tap_does() -> None:
    """A setting would not reach the tap through Meltano, or be printed by `meltano config` although it is secret."""
    definition = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    (extractor,) = definition["plugins"]["extractors"]
    declared = [
        (setting["name"], setting["label"], setting["description"], setting.get("sensitive", False))
        for setting in extractor["settings"]
    ]
    assert declared == [
        (name, schema["title"], schema["description"], schema.get("secret", False))
        for name, schema in SCHEMA.items()
        if name in OWN
    ]


def test_what_must_not_be_printed_is_known() -> None:
    """A value that is not told to the redaction is printed."""
    config = {
        "api_key": "k",
        "headers": {"A": "h"},
        "params": {"a": "p", "b": ["q", "r"]},
        "path": "/not-this",
        "resources": [{"name": "nor-this", "params": {"c": "s"}}],
    }
    assert sorted(config_settings.secrets(config)) == ["h", "k", "p", "q", "r", "s"]
