"""The contenders: tap-storage, the floor, and the peers, each as its own documentation advises for speed."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from benchmarks import delivered
from benchmarks.contender import PEERS, Contender
from demo.fake_api.records import FIRST_SECOND, created

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from benchmarks.contender import Task

SLICES = 10


def singer(program: str, config: Callable[[Task], Mapping[str, Any]]) -> Callable[[Task], Sequence[str]]:
    """Return how a Singer tap is started: its program in the environment, or a file beside its requirements."""

    def command(task: Task) -> Sequence[str]:
        if program.endswith(".py"):
            start = [str(task.bin / "python"), str(PEERS / program)]
        else:
            start = [str(task.bin / program)]
        return [*start, "--config", task.write("config.json", config(task))]

    return command


def tap_storage(**more: Any) -> Callable[[Task], Mapping[str, Any]]:
    """Return the settings of tap-storage: the address, the page size, and what else is given."""
    return lambda task: {"base_url": task.url, "api_key": task.api_key, "limit": task.limit, **more}


def sdk_template(task: Task) -> Mapping[str, Any]:
    """Return the settings of the template's tap."""
    return {"api_url": task.url, "auth_token": task.api_key, "limit": task.limit}


def msdk(task: Task) -> Mapping[str, Any]:
    """Return the settings of tap-rest-api-msdk, after its README (https://pypi.org/project/tap-rest-api-msdk/).

    `simple_offset_paginator` is its way for APIs that tell nothing of paging. It has no setting for speed.
    """
    return {
        "api_url": task.url,
        "params": {"api_key": task.api_key},
        "pagination_request_style": "simple_offset_paginator",
        "pagination_response_style": "offset",
        "pagination_page_size": task.limit,
        "pagination_initial_offset": 0,
        "offset_records_jsonpath": "$.data",
        "streams": [
            {"name": "storage_data", "path": "/v1/resource", "records_path": "$.data[*]", "primary_keys": ["id"]}
        ],
    }


def bare_loop(task: Task) -> Sequence[str]:
    """Return how the floor is started."""
    return [str(task.bin / "python"), str(PEERS / "bare_loop" / "loop.py"), task.url, task.api_key, str(task.limit)]


def dlt(task: Task, *more: str) -> Sequence[str]:
    """Return how dlt is started; more: database and write disposition."""
    pipelines = str(task.directory / "pipelines")
    told = (task.url, task.api_key, str(task.limit), pipelines, *more)
    return [str(task.bin / "python"), str(PEERS / "dlt" / "pipeline.py"), *told]


def dlt_environment(task: Task) -> Mapping[str, str]:
    """Return where dlt finds its configuration, and where it keeps what would go to the user's home."""
    return {"DLT_PROJECT_DIR": str(PEERS / "dlt"), "DLT_DATA_DIR": str(task.directory)}


def airbyte(task: Task) -> Sequence[str]:
    """Return how Airbyte's low-code source is started, in one piece."""
    return _airbyte(task, "manifest.yaml", {}, {"sync_mode": "full_refresh", "destination_sync_mode": "overwrite"})


def airbyte_sliced(task: Task) -> Sequence[str]:
    """Return how Airbyte's low-code source is started in ten slices of equal length."""
    start = datetime.fromtimestamp(FIRST_SECOND, timezone.utc)
    seconds = created(task.records) - FIRST_SECOND + 1
    config = {
        "start": _moment(start),
        "end": _moment(start + timedelta(seconds=seconds)),
        "step": f"PT{-(-seconds // SLICES)}S",
    }
    return _airbyte(
        task,
        "sliced.yaml",
        config,
        {"sync_mode": "incremental", "destination_sync_mode": "append", "cursor_field": ["created_at"]},
    )


def _airbyte(task: Task, manifest: str, config: Mapping[str, Any], sync: Mapping[str, Any]) -> Sequence[str]:
    stream = {"name": "storage_data", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    settings = {"base_url": task.url, "api_key": task.api_key, "limit": task.limit, **config}
    return [
        str(task.bin / "source-declarative-manifest"),
        "read",
        *("--manifest-path", str(PEERS / "airbyte" / manifest)),
        *("--config", task.write("config.json", settings)),
        *("--catalog", task.write("catalog.json", {"streams": [{"stream": stream, **sync}]})),
    ]


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


BARE_LOOP = Contender("bare loop", "bare_loop", bare_loop, delivered.of_singer)
TAP_STORAGE = Contender("tap-storage", "tap_storage", singer("tap-storage", tap_storage()), delivered.of_singer)
TAP_STORAGE_16 = Contender(
    "tap-storage, concurrency 16",
    "tap_storage",
    singer("tap-storage", tap_storage(concurrency=16)),
    delivered.of_singer,
)
SDK_TEMPLATE = Contender(
    "SDK template", "sdk_template", singer("sdk_template/tap.py", sdk_template), delivered.of_singer
)
DLT = Contender("dlt, extract alone", "dlt", dlt, delivered.of_dlt_extract, dlt_environment)
MSDK = Contender("tap-rest-api-msdk", "msdk", singer("tap-rest-api-msdk", msdk), delivered.of_singer)
AIRBYTE = Contender("Airbyte CDK", "airbyte", airbyte, delivered.of_airbyte)
AIRBYTE_SLICED = Contender("Airbyte CDK, ten slices", "airbyte", airbyte_sliced, delivered.of_airbyte)

READERS = (BARE_LOOP, TAP_STORAGE, SDK_TEMPLATE, DLT, MSDK, AIRBYTE, AIRBYTE_SLICED)
"""Who reads the API alone, in the order of the tables."""
