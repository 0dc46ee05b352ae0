"""Documents with parts that programs write: between `<!-- name: begin -->` and `<!-- name: end -->`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def publish(name: str, text: str, document: Path) -> None:
    """Put a text between the marks of this name; raises ValueError where the document has none."""
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    before, found, rest = document.read_text(encoding="utf-8").partition(begin)
    _, also_found, after = rest.partition(end)
    if not (found and also_found):
        msg = f"{document} has no marks for {name}"
        raise ValueError(msg)
    document.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")
