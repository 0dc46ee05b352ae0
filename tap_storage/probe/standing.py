"""What becomes of an API whose pages a small offset does not move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_storage.probe import extent
from tap_storage.probe.findings import Finding, some
from tap_storage.probe.hints import unique

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_storage.probe.hints import Hints
    from tap_storage.probe.interview import Interview

USUAL_SIZES = (10, 15, 20, 24, 25, 30, 40, 50, 60, 64, 75, 100, 128, 150, 200, 250, 256, 300, 500, 512, 1000, 5000)
"""Of pages; a collection seldom has just so many records."""
WHOLE_PAGES = "the tap finds that out and reads without overlap: records that move while it reads may be lost"


def still(interview: Interview, hints: Hints, evidence: str) -> Iterator[Finding]:
    """Say what became of an offset that does not move: whole pages, pages by number, tokens, or everything at once."""
    settings, base = interview.believed, interview.base
    size = len(base.records)
    names = unique([settings["offset_param"]], hints.offsets)
    after = interview.page(extra=dict.fromkeys(names, interview.first_offset + size), limit=base.limit)
    if after.records and interview.position(after) is None:
        interview.moves = True
        seen = f"asked for {some(names)}={size}: {len(after.records)} other records"
        yield Finding("offset_param", names[0], seen, settings={"offset_param": names[0]})
        yield Finding("offset_step", "whole pages", f"{evidence}; by {size} it moves", WHOLE_PAGES)
        return
    if others := _other_ways(interview, hints):
        doubt = f"the API pages by {others}, which this tap does not read: it needs an offset of records"
        yield Finding("offset_param", None, evidence, doubt)
        return
    yield _unpaged(interview, evidence)


def _other_ways(interview: Interview, hints: Hints) -> str:
    """Return how an API pages that has no offset; empty if it does not seem to page."""
    ways = [f"page numbers ({some(unique(hints.pages))})"] if hints.pages else []
    ways += [f"a token ({some(unique(hints.tokens))})"] if hints.tokens else []
    if not ways:
        second = interview.page(extra={"page": 2}, limit=interview.base.limit)
        if second.records and interview.position(second) is None:
            ways = ["page numbers (page)"]
    return " or ".join(ways)


def _unpaged(interview: Interview, evidence: str) -> Finding:
    """Say whether one answer can hold everything, where nothing moves the page."""
    page = interview.base
    settings: dict[str, Any] = {"offset_param": ""}
    if interview.heeds_limit:
        settings["limit"] = extent.LARGEST
        page = interview.page(limit=extent.LARGEST)
    held = len(page.records)
    total = next(iter(extent.stated(interview).values()), None)
    evidence += f"; nothing moves the page; {held} records in one answer" + (f" of {total}" if total else "")
    if total is None:
        sure = not interview.heeds_limit and held not in USUAL_SIZES
        doubt = "no total shows that these are all: if the API has an offset, set offset_param to its name"
    else:
        sure, doubt = (
            total == held,
            "" if total == held else "they are not all: set offset_param to the API's name of it",
        )
    interview.whole = interview.moves = sure
    return Finding(
        "offset_param", "" if sure else None, evidence, doubt, settings if sure else {}, {} if sure else settings
    )
