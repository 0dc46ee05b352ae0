"""Writes the states and the catalog that the installed tap leaves, for the releases after it to be tested with.

python -m tests.releases.make 0.2.0
"""

from __future__ import annotations

import json
import sys
import tempfile
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from tests.releases.scenes import CATALOG, DESELECTED, SCENES, Scene, directory, through
from tests.running import Tap


def main(version: str) -> None:
    """Write all files of this version, which must be the one that is installed."""
    if version != installed("tap-storage"):
        sys.exit(
            f"tap-storage {installed('tap-storage')} is installed: set version in pyproject.toml, and make packages"
        )
    directory(version).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        tap = Tap(Path(place))
        for name, scene in SCENES.items():
            write(version, f"{name}.json", state(tap, scene))
        write(version, CATALOG, catalog(tap, Scene()))


def state(tap: Tap, scene: Scene) -> dict[str, Any]:
    """Return the last state of a run."""
    with scene.api() as api:
        api.behave(faults=scene.faults)
        run = tap(scene.settings, env=through(api))
    if run.status != bool(scene.faults) or not run.state:
        sys.exit(run.stderr)
    return run.state


def catalog(tap: Tap, scene: Scene) -> dict[str, Any]:
    """Return the catalog, with one field left out."""
    with scene.api() as api:
        discovered = tap(scene.settings, "--discover", env=through(api))
    content: dict[str, Any] = json.loads(discovered.stdout)
    for entry in content["streams"][0]["metadata"]:
        if entry["breadcrumb"] == ["properties", DESELECTED]:
            entry["metadata"]["selected"] = False
    return content


def write(version: str, name: str, content: dict[str, Any]) -> None:
    """Write a file of a release, and say so."""
    path = directory(version) / name
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{path}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
