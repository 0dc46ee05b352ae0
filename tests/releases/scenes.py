"""The situations in which a release leaves a state: an API, settings, and whether the run is interrupted.

A state holds fingerprints of the API's address. So it is the same for all releases, and the way there leads through
the fake API as an HTTP proxy.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from demo.control import ROOT, FakeAPI

if TYPE_CHECKING:
    from pathlib import Path

KEPT = ROOT / "tests" / "releases"
ADDRESS = "http://storage.example"
API_KEY = "demo-key"
RECORDS = 600
CATALOG = "catalog.json"
DESELECTED = "size"
"""Field that a person has left out in the catalog."""


@dataclasses.dataclass(frozen=True)
class Scene:
    """What is read, how, and what ends it.

    behaviour: of the fake API. fails_from: the data request from which on the API fails; None: the run is finished.
    """

    config: dict[str, Any] = dataclasses.field(default_factory=dict)
    behaviour: dict[str, Any] = dataclasses.field(default_factory=dict)
    fails_from: int | None = None

    @property
    def settings(self) -> dict[str, Any]:
        """The whole config. One page at a time: else how far a run gets before the API fails is chance."""
        return {"base_url": ADDRESS, "api_key": API_KEY, "concurrency": 1, "max_retries": 0, **self.config}

    @property
    def faults(self) -> list[dict[str, Any]]:
        """What goes wrong with the API."""
        return [{"kind": "status", "status": 503, "from": self.fails_from}] if self.fails_from else []

    def api(self) -> FakeAPI:
        """Return the API, yet to be started."""
        names = [resource.get("path", "/v1/resource") for resource in self.config.get("resources", [{}])]
        return FakeAPI(RECORDS, API_KEY, paths=[ADDRESS + name for name in names], **self.behaviour)


ASCENDING = {"sort_order": "ascending"}
FILTERED = {"start_param": "created_from", "start_date": "2019-01-01"}
REFRESH = {"replication_key": "", "emit_activate_version_messages": True}
RESOURCES = {
    "resources": [
        {"name": "files", "path": "/v1/files"},
        {"name": "folders", "path": "/v1/folders", "sort_order": "ascending"},
        {"name": "owners", "path": "/v1/owners", "replication_key": ""},
    ]
}

SCENES: dict[str, Scene] = {  # a scene of which something is kept must stay as it is
    "finished": Scene(),
    "finished-ascending": Scene(ASCENDING),
    "finished-descending": Scene({"sort_order": "descending"}, {"sort": "-created_at"}),
    "finished-filtered": Scene(FILTERED),
    "finished-full-table": Scene(REFRESH),
    "finished-resources": Scene(RESOURCES),
    "interrupted": Scene(fails_from=4),
    "interrupted-ascending": Scene(ASCENDING, fails_from=4),
    "interrupted-descending": Scene({"sort_order": "descending"}, {"sort": "-created_at"}, fails_from=4),
    "interrupted-filtered": Scene(FILTERED, fails_from=4),
    "interrupted-full-table": Scene(REFRESH, fails_from=4),
    "interrupted-resources": Scene(RESOURCES, fails_from=14),
    "interrupted-without-overlap": Scene({"page_overlap": 0}, fails_from=4),
    "interrupted-multiples": Scene({}, {"offset": {"multiples_of": 100}}, fails_from=9),
    "interrupted-without-primary-key": Scene({"primary_keys": []}, fails_from=4),
    "interrupted-capped": Scene({}, {"total": "absent", "cap": 70}, fails_from=4),
}


def through(api: FakeAPI) -> dict[str, str]:
    """Return the variables that lead the tap to the fake API."""
    return {"HTTP_PROXY": api.url, "http_proxy": api.url}


def versions() -> list[str]:
    """Return the releases of which something is kept."""
    return sorted(path.name for path in KEPT.iterdir() if (path / CATALOG).is_file())


def directory(version: str) -> Path:
    """Return where a release's files are."""
    return KEPT / version
