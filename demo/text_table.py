"""Sets rows as columns of text, aligned in a terminal whatever the script."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

JOINER = "\u200d"
AS_EMOJI = "\ufe0f"


def text_table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Return lines of equal width; a column of numbers is aligned to the right."""
    columns = list(zip(head, *rows, strict=True))
    padded = [_column(cells) for cells in columns]
    return "\n".join("  ".join(line).rstrip() for line in zip(*padded, strict=True))


def width(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    cells, before = 0, ""
    for character in text:
        if character == AS_EMOJI:
            cells += before != "" and _cells(before) == 1
        elif before != JOINER:
            cells += _cells(character)
        before = character
    return cells


def _cells(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in {"W", "F"} else 1


def _column(cells: Sequence[Any]) -> list[str]:
    right = all(cell is None or _is_number(cell) for cell in cells[1:])
    texts = [_text(cell) for cell in cells]
    widest = max(map(width, texts))
    gaps = [" " * (widest - width(text)) for text in texts]
    return [gap + text if right else text + gap for text, gap in zip(texts, gaps, strict=True)]


def _text(cell: Any) -> str:
    if cell is None:
        return "NULL"
    if _is_number(cell):
        return f"{cell:,}"
    # What would break the line is shown by its name.
    return "".join(c if c.isprintable() or unicodedata.category(c) == "Cf" else repr(c)[1:-1] for c in str(cell))


def _is_number(cell: Any) -> bool:
    return isinstance(cell, int) and not isinstance(cell, bool)
