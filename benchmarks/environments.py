"""Installs every peer into an environment of its own, compiles its bytecode, and says which version it is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contender import PEERS
from demo.programs import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

BENCH = ROOT / ".bench"
ENVIRONMENTS = BENCH / "envs"
PYTHONS = ">=3.10,<3.14"
"""What every peer runs on; airbyte-cdk 7 has no release for a later one."""

DISTRIBUTIONS = {
    "airbyte": "airbyte-cdk",
    "bare_loop": "requests",
    "dlt": "dlt",
    "meltano": "meltano",
    "msdk": "tap-rest-api-msdk",
    "sdk_template": "singer-sdk",
    "tap_storage": "tap-storage",
}
"""What a peer's version is the version of."""

SLOWING = ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE")
FOREIGN = ("VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "UV_PYTHON")
SETTINGS = ("TAP_STORAGE_", "TARGET_POSTGRES_", "MELTANO_", "DLT_", "AIRBYTE_")


class SetupError(Exception):
    """Something could not be installed."""


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's variables without those that slow Python down, or that configure a contender."""
    dropped = {*SLOWING, *FOREIGN}
    kept = {k: v for k, v in os.environ.items() if k not in dropped and not k.startswith(SETTINGS)}
    return {**kept, "NO_PROXY": "127.0.0.1", **(more or {})}


def bin_of(peer: str) -> Path:
    """Return the directory of the programs of a peer's environment."""
    return ENVIRONMENTS / peer / "bin"


def install(peers: Iterable[str]) -> None:
    """Make or renew these environments. Raises SetupError where something does not install."""
    for peer in peers:
        print(f"    {peer}", flush=True)
        requirements = str(PEERS / peer / "requirements.txt")
        _uv("venv", "--quiet", "--allow-existing", f"--python={_python()}", str(ENVIRONMENTS / peer))
        told = ("--quiet", "--upgrade", "--compile-bytecode", f"--python={bin_of(peer) / 'python'}")
        # A directory's wheel is kept by the time of its pyproject.toml: without this the tap would be an old one.
        _uv("pip", "install", *told, "--reinstall-package=tap-storage", "--requirements", requirements)


def versions(peers: Iterable[str]) -> dict[str, str]:
    """Return `distribution version` of each peer."""
    known = ((peer, DISTRIBUTIONS[peer]) for peer in peers)
    return {peer: f"{name} {version_in(ENVIRONMENTS / peer, name)}" for peer, name in known}


def python_version(peer: str) -> str:
    """Return the version of the Python in a peer's environment."""
    return call(str(bin_of(peer) / "python"), "-c", "import platform; print(platform.python_version())")


def version_in(venv: Path, distribution: str) -> str:
    """Return the version of what is installed in a virtual environment."""
    program = f"from importlib.metadata import version; print(version({distribution!r}))"
    return call(str(venv / "bin" / "python"), "-c", program)


def _python() -> str:
    """Return the interpreter of this process, or what uv has to look for where that one is too new."""
    return str(Path(sys.base_prefix, "bin", "python3")) if sys.version_info < (3, 14) else PYTHONS


def call(*command: str, cwd: Path = ROOT) -> str:
    """Run a program, and return its output; what it complains of is shown. Raises SetupError where it fails."""
    done = subprocess.run(command, cwd=cwd, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        message = f"`{' '.join(command)}` ended with status {done.returncode}, see above"
        raise SetupError(message)
    return done.stdout.strip()


def _uv(*arguments: str) -> None:
    uv = os.environ.get("UV") or shutil.which("uv")
    if not uv:
        message = "uv is not to be found: run this by `make bench`"
        raise SetupError(message)
    call(uv, *arguments)
