"""What a user can mend is told in one line, with cause and remedy, before anything is written."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.running import BIN, PATIENCE_S, Run, environment, settings

if TYPE_CHECKING:
    from pathlib import Path

    from demo.control import FakeAPI
    from tests.running import Tap

SECRET = "s3cr3t+va/lue=%"


def refused(run: Run, *texts: str) -> None:
    """Assert that a run wrote nothing, and one error line with these texts."""
    assert (run.status != 0, run.stdout, len(run.errors)) == (True, "", 1), run.stderr
    assert [text for text in texts if text not in run.errors[0]] == []
    assert "Traceback" not in run.stderr


WRONG: list[tuple[str, Any]] = [
    ("base_url", "api.example.com"),
    ("base_url", "ftp://api.example.com"),
    ("base_url", "https://"),
    ("base_url", "https://user:s3cr3t@api.example.com"),
    ("base_url", "https://api.example.com?x=1"),
    ("base_url", "https://api.example.com:port"),
    ("base_url", "https://[::1"),
    ("base_url", 7.5),
    ("api_key", ["a"]),
    ("auth_param", ""),
    ("auth_location", "body"),
    ("headers", "X-Tenant"),
    ("headers", {"X Tenant": SECRET}),
    ("headers", {"User-Agent": "s3cr3t\nagent"}),
    ("headers", {"a": "1", "A": "2"}),
    ("headers", {"user-agent": "another"}),
    ("headers", {"X-Tenant": f"{SECRET}\r\nX-Other: 1"}),
    ("user_agent", "line\nbreak"),
    ("timeout", 0),
    ("timeout", "soon"),
    ("timeout", "nan"),
    ("max_retries", -1),
    ("max_retries", 1.5),
    ("max_retries", "many"),
    ("backoff_factor", -1),
    ("max_backoff", "long"),
    ("retry_statuses", [200]),
    ("retry_statuses", 503),
    ("retry_statuses", "often"),
    ("start_date", "yesterday"),
    ("end_date", "2024-13-01"),
    ("path", "/v1/resource?x=1"),
    ("params", [1]),
    ("params", {"offset": 3}),
    ("params", {"a": [{"x": 1}]}),
    ("params", {"a": [["x"]]}),
    ("timeout", 1e10),
    ("timeout", "1e999"),
    ("params", {"api_key": SECRET}),
    ("data_selector", ""),
    ("data_selector", "a["),
    ("total_path", "a["),
    ("limit", 0),
    ("limit", True),
    ("limit", "all"),
    ("offset_param", "limit"),
    ("initial_offset", -1),
    ("maximum_offset", 0),
    ("maximum_offset", "far"),
    ("page_overlap", -1),
    ("page_overlap", 100),
    ("page_overlap", "some"),
    ("primary_keys", "{}"),
    ("replication_key", "name"),
    ("datetime_format", "dd.mm.yyyy"),
    ("datetime_format", "%H:%M"),
    ("datetime_format", "%s"),
    ("sort_order", "newest"),
    ("lookback_window", -1),
    ("stream_maps", 3),
]


@pytest.mark.parametrize(("name", "value"), WRONG, ids=str)
def test_a_wrong_setting_is_refused_by_name(tap: Tap, api: FakeAPI, name: str, value: object) -> None:
    """A person would search for the setting, or find their secret in the log."""
    run = tap(settings(api, **{name: value}))
    refused(run, f"Setting {name}:")
    assert api.requests() == []
    assert "s3cr3t" not in run.stderr


@pytest.mark.parametrize(("name", "value"), [("primary_keys", ["uuid"]), ("replication_key", "changed")], ids=str)
def test_a_key_that_no_schema_and_no_sample_has_is_refused(tap: Tap, api: FakeAPI, name: str, value: object) -> None:
    """Every record would be written over the one before, or every run read everything."""
    refused(tap(settings(api, **{name: value}, infer_schema=False)), f"Setting {name}:")
    assert api.requests() == []
    run = tap(settings(api, **{name: value}))
    assert (run.status, run.records, len(run.errors)) == (1, [], 1)
    assert name in run.errors[0]
    assert len(api.requests()) == 1


@pytest.mark.parametrize(
    ("name", "value"), [("limit", 0), ("primary_keys", ["uuid"]), ("headers", {"X": f"{SECRET}\n"})]
)
def test_discovery_refuses_a_wrong_setting_too(tap: Tap, name: str, value: object) -> None:
    """Meltano discovers first, and would keep the catalog of a config that is wrong."""
    run = tap({name: value}, "--discover")
    refused(run, f"Setting {name}:")
    assert "s3cr3t" not in run.stderr


def test_missing_settings_are_named_with_the_variables_that_set_them(tap: Tap) -> None:
    """A newcomer would not learn what the tap needs."""
    run = tap({})
    assert (run.status, run.stdout) == (1, "")
    assert [line.split(";")[0] for line in run.errors] == [
        "Setting base_url: is missing",
        "Setting api_key: is missing",
    ]
    assert "TAP_STORAGE_API_KEY" in run.errors[1]


def test_several_wrong_settings_are_told_of_together(tap: Tap, api: FakeAPI) -> None:
    """A person would correct them one run at a time."""
    run = tap(settings(api, limit=0, timeout=-1))
    assert [line.split(":")[0] for line in run.errors] == ["Setting timeout", "Setting limit"]


def test_start_and_end_date_must_leave_something_between_them(tap: Tap, api: FakeAPI) -> None:
    """A run would copy nothing and report success."""
    refused(tap(settings(api, start_date="2024-01-02", end_date="2024-01-02")), "end_date", "start_date")


@pytest.mark.parametrize("initial", [200, 201])
def test_a_maximum_offset_must_leave_something_behind_the_initial_one(tap: Tap, api: FakeAPI, initial: int) -> None:
    """A run would copy nothing and report success."""
    run = tap(settings(api, maximum_offset=200, initial_offset=initial))
    refused(run, "Setting maximum_offset:", "initial_offset")
    assert api.requests() == []


@pytest.mark.parametrize(("limit", "overlap"), [(2, 2), (60, 61), (1, 2)])
def test_a_page_overlap_must_be_less_than_the_limit(tap: Tap, api: FakeAPI, limit: int, overlap: int) -> None:
    """Each page would be the same as the one before."""
    run = tap(settings(api, limit=limit, page_overlap=overlap))
    refused(run, "Setting page_overlap:", f"limit, which is {limit}")
    assert api.requests() == []


def test_a_date_without_a_replication_key_is_refused(tap: Tap, api: FakeAPI) -> None:
    """The setting would be accepted and ignored."""
    refused(tap(settings(api, start_date="2024-01-02", replication_key="")), "start_date", "replication_key")


def test_no_key_is_needed_where_none_is_sent(tap: Tap, api: FakeAPI) -> None:
    """An open API could not be read without a made-up key."""
    api.behave(auth={"in": "none"})
    config = settings(api, auth_location="none")
    del config["api_key"]
    run = tap(config)
    assert (run.status, len(run.ids)) == (0, 250)


def test_an_unknown_setting_is_warned_of_with_its_likely_name(tap: Tap, api: FakeAPI) -> None:
    """A typing error would leave a setting without effect, unseen."""
    run = tap(settings(api, limitt=10))
    assert run.status == 0
    assert any("limitt" in line and "did you mean limit?" in line for line in run.warnings)


def test_a_wrong_key_is_told_with_the_settings_to_look_at(tap: Tap, api: FakeAPI) -> None:
    """A person would not know whether key, parameter or place is wrong."""
    run = tap(settings(api, api_key="wrong-key"))
    assert (run.status, run.records, len(api.requests())) == (1, [], 1)
    assert ["401" in line and "api_key" in line and "auth_location" in line for line in run.errors] == [True]


def test_a_wrong_path_is_told_with_the_settings_to_look_at(tap: Tap, api: FakeAPI) -> None:
    """A person would suspect the key."""
    run = tap(settings(api, path="/v2/other"))
    assert (run.status, run.records) == (1, [])
    assert ["404" in line and "base_url and path" in line for line in run.errors] == [True]


MISPLACED: list[tuple[dict[str, Any], dict[str, Any], list[str]]] = [
    ({"data_selector": "items"}, {}, ["'items'", "data (a list)", "total (a number)"]),
    ({"data_selector": "total"}, {}, ["'total'", "data (a list)"]),
    ({"data_selector": "data.deeper"}, {}, ["'data.deeper'", "data (a list)"]),
    ({}, {"envelope": "$"}, ["the answer is a list", "'$'"]),
    ({}, {"faults": [{"from": 1, "kind": "envelope"}]}, ["error ("]),
    ({}, {"faults": [{"from": 1, "kind": "null_data"}]}, ["data (null)"]),
    ({}, {"faults": [{"from": 1, "kind": "data_object"}]}, ["data (an object)"]),
    ({}, {"faults": [{"from": 1, "kind": "scalars"}]}, ["element 0 is not an object but a number"]),
    ({}, {"faults": [{"from": 1, "kind": "raw", "body": "{}"}]}, ["an empty object"]),
    ({}, {"faults": [{"from": 1, "kind": "raw", "body": "7"}]}, ["the answer is a number"]),
    ({}, {"faults": [{"from": 1, "kind": "raw", "body": '{"data": [{"id": 1}, null]}'}]}, ["element 1", "null"]),
]


@pytest.mark.parametrize(("config", "behaviour", "texts"), MISPLACED, ids=str)
def test_records_that_are_not_where_they_should_be_are_told_with_the_keys_found(
    tap: Tap, api: FakeAPI, config: dict[str, Any], behaviour: dict[str, Any], texts: list[str]
) -> None:
    """An error message of the API would pass for an empty collection."""
    api.behave(**behaviour)
    run = tap(settings(api, **config))
    assert (run.status, run.records, len(api.requests())) == (1, [], 1)
    assert [text for text in ["data_selector", *texts] if text not in run.errors[0]] == []
    assert len(run.errors) == 1


FILES = ["", "{", "[1]", "7", "null", "\x00", '"text"', '{"limit": NaN}', '{"a":' * 100_000]
CATALOGS = [
    *FILES,
    "{}",
    '{"streams": {}}',
    '{"streams": [1]}',
    '{"streams": [{"stream": "storage_data"}]}',
    '{"streams": [{"tap_stream_id": "storage_data", "schema": {"properties": []}}]}',
    '{"streams": [{"tap_stream_id": "storage_data", "schema": {"properties": {}}, "metadata": {}}]}',
    '{"streams": []}',
    '{"streams": [{"tap_stream_id": "storage_data", "schema": {"properties": {"a": {"type": 5}}}}]}',
    '{"streams": [{"tap_stream_id": "storage_data", "schema": {"properties": {}}, "key_properties": 5}]}',
    '{"streams": [{"tap_stream_id": "storage_data", "stream": "other", "schema": {"properties": {}}}]}',
    '{"streams": [{"tap_stream_id": "another", "schema": {"properties": {}}}]}',
]
STATES = [
    *FILES,
    '{"bookmarks": []}',
    '{"type": "STATE", "value": {"bookmarks": {}}}',
    '{"bookmarks": {"storage_data": {"partitions": 5}}}',
    '{"bookmarks": {"storage_data": {"progress_markers": 5}}}',
    '{"bookmarks": {"storage_data": "2024-01-01"}}',
    '{"bookmarks": {"storage_data": {"replication_key": "created_at", "replication_key_value": "soon"}}}',
    '{"bookmarks": {"storage_data": {"replication_key": "created_at", "replication_key_value": 7}}}',
]


@pytest.mark.parametrize("content", CATALOGS)
def test_a_catalog_that_is_none_is_refused(tap: Tap, api: FakeAPI, content: str) -> None:
    """The run would end in a traceback, or copy nothing and report success."""
    path = tap.write("catalog.json", content)
    refused(tap(settings(api), "--catalog", str(path)), "catalog", "--discover")


@pytest.mark.parametrize(
    "change", [{"replication_method": "LOG_BASED"}, {"replication_key": None}, {"key_properties": ["x"]}]
)
def test_a_catalog_that_cannot_be_followed_is_refused_as_such(tap: Tap, api: FakeAPI, change: dict[str, Any]) -> None:
    """The run would fail half-way, or copy what was not asked for."""
    catalog = tap.discover(settings(api))
    catalog["streams"][0].update(change)
    for entry in catalog["streams"][0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"] = {"selected": True}
    run = tap(settings(api), catalog=catalog)
    refused(run, "storage_data", "atalog")
    assert "Setting" not in run.errors[0]


@pytest.mark.parametrize("content", STATES)
def test_a_state_that_is_none_is_refused(tap: Tap, api: FakeAPI, content: str) -> None:
    """The run would end in a traceback, or start from zero."""
    path = tap.write("state.json", content)
    refused(tap(settings(api), "--state", str(path)), "state")


def test_the_bookmark_of_another_stream_is_no_concern(tap: Tap, api: FakeAPI) -> None:
    """A state that several taps share would be refused."""
    assert tap(settings(api), state={"bookmarks": {"other": {"replication_key_value": 7}}}).status == 0


def in_bash(line: str, config: Path) -> Run:
    """Run a line of bash in which $0 is the command and $1 the path of its config."""
    completed = subprocess.run(
        ["bash", "-c", line, BIN / "tap-storage", config],  # noqa: S607
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    return Run(completed.returncode, completed.stdout, completed.stderr)


def test_a_config_comes_from_a_pipe_too(tap: Tap, api: FakeAPI) -> None:
    """Secrets that are kept out of files could not be passed on."""
    run = in_bash('"$0" --config <(cat "$1")', tap.write("config.json", json.dumps(settings(api))))
    assert (run.status, len(run.records)) == (0, 250)


@pytest.mark.parametrize("expression", ["1/0", "record['nope']", "record['size'] > 'a'", "nope("])
def test_an_expression_that_fails_is_told_in_one_line(tap: Tap, api: FakeAPI, expression: str) -> None:
    """The run would end in a traceback that blames the tap."""
    api.replace('[{"id": "a", "size": 1}]')
    run = tap(settings(api, stream_maps={"storage_data": {"x": expression}}))
    assert (run.status, run.records) == (1, [])
    assert ["expression" in line for line in run.errors] == [True]
    assert "Traceback" not in run.stderr


def test_a_full_disk_is_told_in_one_line(tap: Tap, api: FakeAPI) -> None:
    """The run would end in a traceback that blames the tap."""
    run = in_bash('"$0" --config "$1" > /dev/full', tap.write("config.json", json.dumps(settings(api))))
    assert (run.status, run.errors) == (1, ["The output cannot be written: no space left on device"])


@pytest.mark.parametrize("content", FILES)
def test_a_config_that_is_none_is_refused(tap: Tap, content: str) -> None:
    """The run would end in a traceback."""
    refused(tap(None, "--config", str(tap.write("c.json", content))), "config file")


def test_a_file_that_is_no_text_is_refused(tap: Tap) -> None:
    """The run would end in a traceback."""
    path = tap.directory / "config.json"
    path.write_bytes(b"\xff\xfe{")
    refused(tap(None, "--config", str(path)), "config file", "not UTF-8")


@pytest.mark.parametrize("option", ["--config", "--catalog", "--state"])
def test_a_file_that_does_not_exist_is_named_by_its_option(tap: Tap, option: str) -> None:
    """The run would end in a traceback."""
    refused(tap(None, option, "nowhere.json"), option.strip("-"), "no such file")


def test_a_wrong_option_is_told_in_one_line(tap: Tap) -> None:
    """The cause would drown in the usage text."""
    run = tap(None, "--nonsense")
    refused(run, "--nonsense")
    assert run.status == 2


@pytest.mark.parametrize("mode", ["--test", "--discover"])
def test_the_modes_without_a_sync_report_errors_the_same_way(tap: Tap, mode: str) -> None:
    """`--test` is where a newcomer meets the first error."""
    run = tap({"base_url": "nonsense", "api_key": "key-1234"}, mode)
    refused(run, "Setting base_url:")


def test_a_state_file_with_a_byte_order_mark_is_read(tap: Tap, api: FakeAPI) -> None:
    """A file saved on Windows would be refused."""
    path = tap.write("state.json", "\ufeff" + json.dumps({}))
    assert tap(settings(api), "--state", str(path)).status == 0
