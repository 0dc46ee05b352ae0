"""What the package's metadata take from elsewhere: its addresses, and the README as PyPI is to show it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from collections.abc import Callable

FENCED = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
IMAGE = re.compile(r"(?P<before>!\[[^\]]*\]\(|\bsrc=\")(?P<target>[^)\s\"]+)")
LINK = re.compile(r"(?P<before>\]\(|\bhref=\"|^\[[^\]]+\]: )(?P<target>[^)\s\"]+)", re.MULTILINE)
ABSOLUTE = re.compile(r"[a-z]+:")


class PublicationHook(MetadataHookInterface):
    """Fills in what depends on the repository's address, which stands in `[tool.tap-storage.publication]` alone."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set `urls` and `readme`."""
        root = Path(self.root)
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
        repository = project["tool"]["tap-storage"]["publication"]["repository"]
        tag = f"v{metadata['version']}"
        metadata["urls"] = urls(repository)
        text = (root / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": made_absolute(text, repository, tag)}


def urls(repository: str) -> dict[str, str]:
    """Return the project's addresses by their labels."""
    return {
        "Documentation": f"{repository}/tree/HEAD/docs",
        "Repository": repository,
        "Changelog": f"{repository}/blob/HEAD/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }


def made_absolute(text: str, repository: str, tag: str) -> str:
    """Return Markdown whose relative links and images lead to the repository's files as they were at the tag.

    So does a link to a heading of the README itself, for PyPI names their places otherwise. Code blocks stay.
    """

    def leading_to(view: str) -> Callable[[re.Match[str]], str]:
        def replaced(match: re.Match[str]) -> str:
            before, target = match["before"], match["target"]
            if ABSOLUTE.match(target):
                return before + target
            file = f"README.md{target}" if target.startswith("#") else target
            return f"{before}{repository}/{view}/{tag}/{file}"

        return replaced

    parts = FENCED.split(text)
    for place in range(0, len(parts), 2):
        parts[place] = LINK.sub(leading_to("blob"), IMAGE.sub(leading_to("raw"), parts[place]))
    return "".join(parts)
