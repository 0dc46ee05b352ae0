"""The Pythons that the package is for, those of them at hand, and environments of them with nothing but a wheel."""

from __future__ import annotations

import dataclasses
import functools
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from demo.control import ROOT
from tests.running import environment

PATIENCE_S = 120
CLASSIFIER = re.compile(r"\"Programming Language :: Python :: (3\.\d+)\"")
SUPPORTED = CLASSIFIER.findall((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
"""Versions, lowest first."""
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


def uv(*arguments: str | Path) -> str:
    """Run uv, the one that the Makefile uses, and return what it wrote to stdout."""
    program = shutil.which("uv") or ROOT / ".uv" / "bin" / "uv"
    completed = subprocess.run(
        [program, *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=PATIENCE_S,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    return completed.stdout


@functools.cache
def find(version: str) -> Path | None:
    """Return a Python of this version: the running one, else from pyenv, uv or the PATH; None if there is none."""
    if version == RUNNING:
        return Path(sys.executable)
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    kept = sorted(pyenv.glob(f"{version}.*/bin/python{version}"))
    named = shutil.which(f"python{version}")
    candidates = [*kept, *([Path(named)] if named else [])]
    return next((python for python in candidates if _works(python)), None) or _known_to_uv(version)


def at_hand(version: str) -> Path:
    """Return a Python of this version; the test is skipped, and says so, where there is none."""
    python = find(version)
    if python is None:
        found = ", ".join(f"{each} ({find(each)})" for each in SUPPORTED if find(each))
        pytest.skip(f"no Python {version} at hand, only {found}")
    return python


def _works(python: Path) -> bool:
    """Tell whether it starts: a shim of pyenv does not, where the version is not chosen."""
    return not subprocess.run([python, "-c", ""], capture_output=True, timeout=PATIENCE_S, check=False).returncode


def _known_to_uv(version: str) -> Path | None:
    try:
        return Path(uv("python", "find", "--no-python-downloads", "--no-project", version).strip())
    except AssertionError:
        return None


@dataclasses.dataclass(frozen=True)
class Alone:
    """An environment of its own."""

    directory: Path

    @classmethod
    def with_wheel(cls, directory: Path, python: Path, *requirements: str | Path) -> Alone:
        """Make one with what uv is told to install, from wheels only."""
        uv("venv", "--quiet", "--python", python, directory)
        uv("pip", "install", "--quiet", "--only-binary", ":all:", "--python", directory, *requirements)
        return cls(directory)

    def run(self, name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """Run one of its commands to the end, where no checkout is in reach."""
        return subprocess.run(
            [self.directory / "bin" / name, *arguments],
            cwd=self.directory,
            env=environment(),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
