"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import psutil

CPUINFO = Path("/proc/cpuinfo")


def facts() -> dict[str, str]:
    """Return processor, cores, memory and operating system."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    if CPUINFO.exists():
        for line in CPUINFO.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
