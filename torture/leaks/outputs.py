"""Where a secret could turn up: ways to run the commands, and to log."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

from torture.leaks.documents import IMPORTED
from torture.leaks.failures import ASKED, ENDED, FILED, GIVEN, LOADED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torture.leaks.failures import Failure

LOGS = {
    "structured": {
        "formatters": {"f": {"()": "singer_sdk.logging.StructuredFormatter"}},
        "handlers": {"h": {"class": "logging.StreamHandler", "formatter": "f"}},
        "root": {"handlers": ["h"]},
    },
    "files": {
        "formatters": {"f": {"format": "%(name)s %(threadName)s %(message)s"}},
        "handlers": {
            "file": {"class": "logging.FileHandler", "filename": "tap.log", "formatter": "f"},
            "ascii": {"class": "logging.FileHandler", "filename": "ascii.log", "encoding": "ascii"},
            "late": {"class": "logging.FileHandler", "filename": "late.log", "formatter": "f"},
            "memory": {"class": "logging.handlers.MemoryHandler", "capacity": 1, "target": "late"},
            "full": {"class": "logging.FileHandler", "filename": "/dev/full"},
        },
        "root": {"handlers": ["file", "ascii", "memory", "full"]},
        "loggers": {"urllib3": {"handlers": ["file"], "level": "DEBUG"}},
    },
    "no": {"root": {"handlers": []}},
}
"""Logging configurations, for SINGER_SDK_LOG_CONFIG (which is YAML, and so may be JSON)."""


@dataclasses.dataclass(frozen=True)
class Output:
    """A way to run a command. log: one of LOGS, "" for the tap's own."""

    command: str
    arguments: tuple[str, ...]
    failures: Mapping[str, Failure]
    log: str = ""


EVERY = {**ASKED, **GIVEN, **FILED, **ENDED}
ECHOED = {name: failure for name, failure in ASKED.items() if name.startswith(("echo", "proxy"))}
OUTPUTS = {
    "sync": Output("tap-storage", (), EVERY),
    "sync, structured log": Output("tap-storage", (), EVERY, "structured"),
    "sync, log files": Output("tap-storage", (), EVERY, "files"),
    "sync, no log": Output("tap-storage", (), ECHOED, "no"),
    "--discover": Output("tap-storage", ("--discover",), {**ASKED, **GIVEN}),
    "--test": Output("tap-storage", ("--test",), {**ASKED, **GIVEN, **FILED}, "structured"),
    "--about": Output("tap-storage", ("--about",), GIVEN),
    "--about, JSON": Output("tap-storage", ("--about", "--format=json"), GIVEN),
    "probe": Output("tap-storage-probe", (), {**ASKED, **GIVEN, **ENDED}),
    "probe, JSON": Output("tap-storage-probe", ("--format=json",), {**ASKED, **GIVEN}),
    "probe, structured log": Output("tap-storage-probe", (), ECHOED, "structured"),
    "import": Output("tap-storage-import-dlt", (), IMPORTED),
    "import, leaving out": Output("tap-storage-import-dlt", ("--leave-out", "--format=yaml"), IMPORTED),
    "meltano run": Output("meltano", ("run", "tap-storage", "target-jsonl"), LOADED),
}


def log_config(log: str, level: str) -> bytes:
    """Return a logging configuration at this level."""
    settings = json.loads(json.dumps(LOGS[log]))
    settings["root"]["level"] = level
    return json.dumps({"version": 1, "disable_existing_loggers": False, **settings}).encode()
