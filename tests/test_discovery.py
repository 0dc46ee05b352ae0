"""What the tap says of itself: catalog, settings, version."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from demo.control import ROOT
from tests.running import settings

if TYPE_CHECKING:
    from demo.control import FakeAPI
    from tests.running import Tap


def test_discovery_needs_no_config(tap: Tap) -> None:
    """Nobody could look at the catalog before they have a key."""
    run = tap(None, "--discover")
    (stream,) = json.loads(run.stdout)["streams"]
    assert (run.status, run.errors, run.warnings) == (0, [], [])
    assert stream["tap_stream_id"] == "storage_data"
    assert (stream["key_properties"], stream["replication_key"]) == (["id"], "created_at")
    assert stream["replication_method"] == "INCREMENTAL"
    assert stream["schema"]["required"] == ["id"]


def test_selection_leaves_fields_out(tap: Tap, api: FakeAPI) -> None:
    """Fields that must not be copied would be."""
    catalog = tap.discover(settings(api))
    for entry in catalog["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", "path"]:
            entry["metadata"]["selected"] = False
    run = tap(settings(api), catalog=catalog)
    assert {"path" in record for record in run.records} == {False}
    assert len(run.records) == 250


def test_a_deselected_stream_is_not_read(tap: Tap, api: FakeAPI) -> None:
    """The API would be asked for what nobody wants."""
    catalog = tap.discover(settings(api))
    for entry in catalog["streams"][0]["metadata"]:
        if not entry["breadcrumb"]:
            entry["metadata"]["selected"] = False
    api.reset()
    assert (tap(settings(api), catalog=catalog).status, api.requests()) == (0, [])


def test_about_tells_settings_and_capabilities(tap: Tap) -> None:
    """The Hub and Meltano would claim what the tap cannot do."""
    about = json.loads(tap(None, "--about", "--format=json").stdout)
    assert about["settings"]["required"] == ["base_url", "api_key"]
    assert about["settings"]["properties"]["api_key"]["secret"] is True
    assert sorted(about["capabilities"]) == [
        "about",
        "batch",
        "catalog",
        "discover",
        "schema-flattening",
        "state",
        "stream-maps",
        "structured-logging",
    ]


def test_the_version_is_the_packages(tap: Tap) -> None:
    """A bug report would name the wrong version."""
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert version
    assert tap(None, "--version").stdout.startswith(f"tap-storage v{version[1]}, Meltano SDK v0.54.")


def test_the_connection_test_reads_one_record(tap: Tap, api: FakeAPI) -> None:
    """`meltano config tap-storage test` would read the whole collection, or not try the key."""
    run = tap(settings(api), "--test")
    assert (run.status, len(run.ids), len(api.requests())) == (0, 1, 1)
    wrong = tap(settings(api, api_key="wrong-key"), "--test")
    assert (wrong.status, wrong.records, len(wrong.errors)) == (1, [], 1)


def test_metrics_count_requests_and_records(tap: Tap, api: FakeAPI) -> None:
    """Monitoring that watches the SDK's metrics would see a tap that does nothing."""
    log = tap(settings(api)).stderr
    points = [json.loads(line.split("METRIC: ")[1]) for line in log.splitlines() if "METRIC: " in line]
    counted = {point["metric"]: point["value"] for point in points if point["type"] == "counter"}
    assert counted == {"http_request_count": 4, "record_count": 250}
    durations = [point for point in points if point["metric"] == "http_request_duration"]
    assert [point["tags"]["http_status_code"] for point in durations] == [200] * 4


def test_stream_maps_and_flattening_apply(tap: Tap, api: FakeAPI) -> None:
    """A capability that is claimed would not be there."""
    api.replace('[{"id": "a", "name": "x", "metadata": {"k": 1}}]')
    maps = {"storage_data": {"shout": "record['name'].upper()", "__alias__": "things"}}
    run = tap(settings(api, stream_maps=maps))
    assert [(message["stream"], message["record"]["shout"]) for message in run.messages if "record" in message] == [
        ("things", "X")
    ]
