"""Several collections of one API, a stream each."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Run, Tap


@pytest.fixture
def files_and_folders(api: FakeAPI) -> FakeAPI:
    """Let the API serve its collection at two paths."""
    api.behave(paths=["/v1/files", "/v1/folders"])
    return api


FILES = {"name": "files", "path": "/v1/files"}
FOLDERS = {"name": "folders", "path": "/v1/folders"}


def counts(run: Run) -> dict[str, int]:
    """Return how many records each stream has emitted."""
    streams = [message["stream"] for message in run.messages if message["type"] == "RECORD"]
    return {stream: streams.count(stream) for stream in streams}


def verdicts(run: Run) -> dict[str, str]:
    """Return the verdict on each stream."""
    lines = [json.loads(line.split("VERDICT: ")[1]) for line in run.stderr.splitlines() if "VERDICT: " in line]
    return {fields["stream"]: fields["verdict"] for fields in lines}


def asked(api: FakeAPI, path: str) -> list[dict[str, list[str]]]:
    """Return the query parameters of each request for a path."""
    return [parse_qs(entry["query"]) for entry in api.requests() if entry["path"] == path]


def test_each_resource_is_a_stream_with_a_state_of_its_own(tap: Tap, files_and_folders: FakeAPI) -> None:
    """Each collection would need an extractor of its own."""
    run = tap(settings(files_and_folders, resources=[FILES, FOLDERS]))
    assert (run.status, counts(run)) == (0, {"files": 250, "folders": 250})
    bookmarks = run.state["bookmarks"]
    assert sorted(bookmarks) == ["files", "folders"]
    again = tap(settings(files_and_folders, resources=[FILES, FOLDERS], lookback_window=0), state=run.state)
    assert counts(again) == {"files": 1, "folders": 1}


def test_an_entry_has_settings_of_its_own_and_the_top_level_ones_for_the_rest(
    tap: Tap, files_and_folders: FakeAPI
) -> None:
    """Every setting would have to be written for every resource, or one could not differ."""
    api = files_and_folders
    folders = {**FOLDERS, "limit": "50", "page_overlap": 0, "params": {"color": {"name": 1}}, "replication_key": None}
    run = tap(settings(api, limit=100, page_overlap=2, params={"sort": "id"}, resources=[FILES, folders]))
    assert run.status == 0
    assert [(query["limit"], query["sort"]) for query in asked(api, "/v1/files")][:1] == [(["100"], ["id"])]
    assert [query["offset"] for query in asked(api, "/v1/files")][:2] == [["0"], ["98"]]
    first, second, *_ = asked(api, "/v1/folders")
    assert (first["limit"], second["offset"], first["color.name"]) == (["50"], ["50"], ["1"])
    assert "sort" not in first
    schemas = {message["stream"]: message for message in run.messages if message["type"] == "SCHEMA"}
    assert {name: schema.get("bookmark_properties") for name, schema in schemas.items()} == {
        "files": ["created_at"],
        "folders": None,
    }


def test_resources_from_the_environment_mean_the_same(tap: Tap, files_and_folders: FakeAPI) -> None:
    """A project that keeps its settings in the environment could not have two resources."""
    run = tap(
        None,
        "--config=ENV",
        env={
            "TAP_STORAGE_BASE_URL": files_and_folders.url,
            "TAP_STORAGE_API_KEY": files_and_folders.api_key,
            "TAP_STORAGE_RESOURCES": json.dumps([FILES, {**FOLDERS, "limit": "25"}]),
        },
    )
    assert counts(run) == {"files": 250, "folders": 250}
    assert asked(files_and_folders, "/v1/folders")[0]["limit"] == ["25"]


@pytest.mark.parametrize("infer", [True, False])
def test_a_stream_that_fails_does_not_stop_the_others(tap: Tap, files_and_folders: FakeAPI, infer: bool) -> None:  # noqa: FBT001
    """One broken collection would leave all those after it in the alphabet unread."""
    missing = {"name": "blobs", "path": "/v1/blobs"}
    first = tap(settings(files_and_folders, resources=[FILES, FOLDERS], infer_schema=infer))
    files_and_folders.insert(5)
    resources = [FILES, missing, FOLDERS]
    run = tap(settings(files_and_folders, resources=resources, infer_schema=infer), state=first.state)
    assert run.status == 1
    assert verdicts(run) == {"blobs": "incomplete", "files": "complete", "folders": "complete"}
    assert "blobs at offset 0 was answered with 404" in run.errors[0]
    assert run.errors[1:] == ["1 of 3 streams failed: blobs. The others were read, and keep their state"]
    bookmarks = run.state["bookmarks"]
    assert "replication_key_value" not in bookmarks.get("blobs", {})
    before, after = first.state["bookmarks"]["files"], bookmarks["files"]
    assert after["replication_key_value"] > before["replication_key_value"]


def test_a_stream_that_fails_half_way_keeps_its_bookmark(tap: Tap, files_and_folders: FakeAPI) -> None:
    """The records behind the failure would be left out by every later run."""
    api = files_and_folders
    first = tap(settings(api, resources=[FILES, FOLDERS]))
    api.insert(500)
    api.behave(faults=[{"from": 4, "times": 1, "kind": "status", "status": 403}])
    config = settings(api, resources=[FILES, FOLDERS], concurrency=1, infer_schema=False)
    api.reset()
    api.behave(faults=[{"on": 4, "kind": "status", "status": 403}], paths=["/v1/files", "/v1/folders"])
    run = tap(config, state=first.state)
    assert (run.status, verdicts(run)) == (1, {"files": "incomplete", "folders": "complete"})
    before, after = (each.state["bookmarks"]["files"]["replication_key_value"] for each in (first, run))
    assert after == before
    last = tap(config, state=run.state)
    assert last.status == 0
    assert {record["id"] for record in (*run.records, *last.records)} >= {f"obj-{n:07}" for n in range(251, 751)}


def test_a_bookmark_goes_by_the_moment_of_the_sample(tap: Tap, files_and_folders: FakeAPI) -> None:
    """What came while other streams were read may lie on the sampled page's ground, and would never be read."""
    api = files_and_folders
    api.behave(latency_ms=20, date_skew_s=3600)
    api.insert(created_at="2999-01-01T00:00:00Z")
    run = tap(settings(api, resources=[FILES, FOLDERS]))
    sampled = next(entry["at"] for entry in api.requests() if entry["path"] == "/v1/folders")
    bookmark = datetime.fromisoformat(run.state["bookmarks"]["folders"]["replication_key_value"].replace("Z", "+00:00"))
    assert (run.status, counts(run)) == (0, {"files": 251, "folders": 251})
    assert bookmark.timestamp() <= sampled


@pytest.mark.parametrize("keys", [{"primary_keys": ["uuid"]}, {"replication_key": "modified"}], ids=str)
def test_keys_that_one_sample_does_not_have_fail_that_stream_alone(
    tap: Tap, files_and_folders: FakeAPI, keys: dict[str, Any]
) -> None:
    """One wrong name would keep all collections from being copied."""
    config = settings(files_and_folders, resources=[FILES, {**FOLDERS, **keys}])
    run = tap(config)
    assert (run.status, verdicts(run)) == (1, {"files": "complete", "folders": "incomplete"})
    assert [message["stream"] for message in run.messages if message["type"] == "SCHEMA"] == ["files"]
    assert tap(config, "--discover").status == 1
    files_and_folders.replace("[]")
    assert tap(config).status == 0


def test_dates_bound_the_streams_that_have_some(tap: Tap, files_and_folders: FakeAPI) -> None:
    """A collection without dates could not be read beside others that a date bounds."""
    dates = {"start_date": "2020-01-01T00:20:00Z"}
    run = tap(settings(files_and_folders, resources=[FILES, {**FOLDERS, "replication_key": ""}], **dates))
    assert run.status == 0
    assert counts(run)["files"] < counts(run)["folders"] == 250
    assert "start_date and end_date leave nothing out here" in run.stderr


def test_a_silence_that_one_stream_is_told_to_keep_holds_for_the_next(tap: Tap, files_and_folders: FakeAPI) -> None:
    """The API would be asked again by the next stream while it wants to be left alone."""
    api = files_and_folders
    api.behave(faults=[{"on": 1, "kind": "status", "status": 429, "headers": {"Retry-After": "1"}}])
    run = tap(settings(api, resources=[FILES, FOLDERS], max_retries=0, infer_schema=False))
    assert verdicts(run) == {"files": "incomplete", "folders": "complete"}
    first, second, *_ = api.requests()
    assert second["at"] - first["at"] >= 1


def test_a_catalog_chooses_among_the_streams(tap: Tap, files_and_folders: FakeAPI) -> None:
    """A stream that nobody selected would be copied, or one that is not there ignored without a word."""
    config = settings(files_and_folders, resources=[FILES, FOLDERS])
    catalog = tap.discover(config)
    only = {"streams": [entry for entry in catalog["streams"] if entry["stream"] == "folders"]}
    run = tap(config, catalog=only)
    assert (run.status, counts(run)) == (0, {"folders": 250})
    assert [line for line in run.warnings if "Stream files is not in the catalog" in line]
    renamed = tap(settings(files_and_folders, resources=[FILES]), catalog=catalog)
    assert (renamed.status, counts(renamed)) == (0, {"files": 250})
    assert [line for line in renamed.warnings if "Stream folders of the catalog is not in resources" in line]
    neither = tap(settings(files_and_folders, resources=[{"name": "blobs"}]), catalog=catalog)
    assert (neither.status, len(neither.errors)) == (1, 1)
    assert "The catalog does not have the stream blobs" in neither.errors[0]


def test_the_connection_test_reads_a_record_of_each_and_fails_if_one_does(tap: Tap, files_and_folders: FakeAPI) -> None:
    """`meltano config test` would pass though a path is wrong."""
    good = tap(settings(files_and_folders, resources=[FILES, FOLDERS]), "--test")
    assert (good.status, counts(good)) == (0, {"files": 1, "folders": 1})
    bad = tap(settings(files_and_folders, resources=[{**FILES, "path": "/v1/file"}, FOLDERS]), "--test")
    assert (bad.status, counts(bad)) == (1, {"folders": 1})


def test_the_values_of_a_resources_parameters_are_secrets(tap: Tap, files_and_folders: FakeAPI) -> None:
    """A token that one collection needs as a parameter would stand in the log."""
    resources = [{**FILES, "params": {"token": "s3cret+token"}}, FOLDERS]
    config = settings(files_and_folders, resources=resources)
    config["base_url"] = "http://127.0.0.1:9"
    run = tap(config, env={"SINGER_SDK_LOG_CONFIG": str(tap.write("log.yml", LOG_ALL))})
    assert run.status == 1
    assert "s3cret" not in run.stderr


LOG_ALL = """
version: 1
handlers: {console: {class: logging.StreamHandler, stream: ext://sys.stderr}}
root: {level: DEBUG, handlers: [console]}
"""

WRONG: list[tuple[list[Any], str]] = [
    ([], "resources: must be a list of at least one object with a name."),
    ([FILES, {"path": "/x"}], "resources[1].name: is missing; it names the stream."),
    (
        [FILES, {**FOLDERS, "name": "Files"}],
        "resources[1].name: is that of resources[0] too; give each another, whatever the case.",
    ),
    (
        [{"name": "1 file"}],
        "resources[0].name: must be of letters, digits, _ and -, and not begin with a digit or -; it names the stream.",
    ),
    ([{**FILES, "ofset_param": "x"}], "resources[0].ofset_param: does not exist; you may mean offset_param."),
    (
        [{**FILES, "base_url": "http://x"}],
        "resources[0].base_url: is for all resources together; set it at the top level.",
    ),
    ([{**FILES, "limit": 0}], "resources[0].limit: must be a whole number of at least 1."),
    (
        [{**FILES, "limit": 5, "page_overlap": 7}],
        "resources[0].page_overlap: must be less than limit, which is 5; 1 is enough to see records move.",
    ),
    (
        ["files"],
        'resources[0].name: is missing; each entry must be an object such as {"name": "files", "path": "/v1/files"}.',
    ),
]


@pytest.mark.parametrize(("resources", "message"), WRONG, ids=str)
def test_a_wrong_entry_is_refused_before_any_request(
    tap: Tap, api: FakeAPI, resources: list[Any], message: str
) -> None:
    """A typing error would silently read another collection."""
    run = tap(settings(api, resources=resources))
    assert (run.status, run.errors, api.journal()) == (1, [f"Setting {message}"], [])
    assert tap(settings(api, resources=resources), "--discover").status == 1
