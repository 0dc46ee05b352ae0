"""What a cell runs the tap with: settings, files and variables, which a failure then breaks."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping

    from torture.leaks.shapes import Secrets

TIMEOUT_S = 0.3


@dataclasses.dataclass(frozen=True)
class Places:
    """Where servers listen, as `host:port`: the fake API, those that echo, and one with an untrusted certificate."""

    api: str
    hostile: str
    tls: str


@dataclasses.dataclass
class Setup:
    """One run of the tap before it begins.

    behaviour: of the fake API. config_text: in place of the config, whatever is in it. document: a dlt document, in
    place of all settings. files: other ones, by name. options: more arguments. stop: a signal to send when the API was
    asked. stdout: where to, if not to the bench.
    """

    secrets: Secrets
    places: Places
    config: dict[str, Any]
    behaviour: dict[str, Any] = dataclasses.field(default_factory=dict)
    env: dict[str, str] = dataclasses.field(default_factory=dict)
    config_text: bytes | None = None
    document: str | None = None
    files: dict[str, bytes] = dataclasses.field(default_factory=dict)
    options: list[str] = dataclasses.field(default_factory=list)
    stop: signal.Signals | None = None
    stdout: str = ""

    def fault(self, kind: str, **more: object) -> None:
        """Let the fake API answer each data request wrongly."""
        self.behaviour["faults"] = [{"from": 1, "kind": kind, **more}]

    def file(self, option: str, content: bytes | Mapping[str, Any]) -> None:
        """Pass a state or a catalog."""
        text = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.files[f"{option}.json"] = text
        self.options += [f"--{option}", f"{option}.json"]


def setup(secrets: Secrets, places: Places, *, header: bool) -> Setup:
    """Return a run in which nothing fails. header: whether the API key goes in one."""
    config: dict[str, Any] = {
        "base_url": f"http://{places.api}",
        "api_key": secrets.key,
        "headers": {"X-Secret": secrets.header},
        "params": {"token": secrets.parameter},
        "timeout": TIMEOUT_S,
        "max_retries": 1,
        "backoff_factor": 0,
        "concurrency": 2,
    }
    if header:
        config |= {"auth_location": "header", "auth_param": "Api-Key"}
    return Setup(secrets, places, config, behaviour={"auth": {"in": "none"}}, env={"NO_PROXY": "127.0.0.1"})
