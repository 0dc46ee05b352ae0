"""How many records there are, and how many of them a page can hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_storage.probe.findings import Finding
from tap_storage.probe.lists import complaint, counts
from tap_storage.records import read_count

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_storage.probe.interview import Interview, Page

TOTAL_LIKE = re.compile(r"total|count|found|matched|records|hits|number|rows|results|^n$", re.IGNORECASE)
NO_TOTAL = re.compile(r"page|limit|size|offset|skip|time|took|elapsed|status|code|version|start|from", re.IGNORECASE)
HEADERS = ("X-Total-Count", "X-Total", "Total-Count", "X-Pagination-Total-Count", "Content-Range")
LARGEST = 1000
NOT_TRUE = "it is not true"
FAR = 2
"""Pages."""
AMPLE = 8
"""Requests left, of which one can be spared."""
LARGEST_BYTES = 5_000_000


def total(interview: Interview) -> Iterator[Finding]:
    """Say where the number of records is stated, and whether it is true."""
    found, headed = stated(interview), _headed(interview.base)
    interview.total = next(iter(found.values()), headed)
    known = len(interview.base.records)
    checked, doubt = "", "no page was asked for to see whether it is true"
    if interview.total is not None and interview.total <= known:
        checked, doubt = _check_whole(interview)
    elif interview.total is not None and interview.moves and interview.asker.left:
        checked, doubt = _check(interview, interview.total)
    elif interview.total is None and interview.moves and interview.asker.left > AMPLE:
        _look_far(interview, known)
    if found and doubt == NOT_TRUE:
        path, value = next(iter(found.items()))
        yield Finding("total", None, f"{path} says {value}{checked}", "what it says is not true", {"total_path": ""})
    elif found:
        path, value = next(iter(found.items()))
        yield Finding("total", value, f"at {path}, the same on every page{checked}", doubt, {"total_path": path})
    else:
        own = interview.believed["total_path"]
        misleading = bool(own) and own in counts(interview.base.answer.document)
        words = f"only a header says {headed}{checked}" if headed is not None else "no number is the same on every page"
        doubt = "this tap does not read totals from headers; it proves the end without" if headed is not None else ""
        yield Finding("total", None, words, doubt, {"total_path": ""} if misleading else {})


def stated(interview: Interview) -> dict[str, int]:
    """Return the numbers that can be the total, by JSONPath, the likeliest first."""
    said = counts(interview.base.answer.document)
    held = len(interview.base.records)
    for page in interview.seen:
        here = counts(page.answer.document)
        said = {path: n for path, n in said.items() if here.get(path) == n >= len(page.records)}
    names = {path: re.sub(r"\.(value|all)$", "", path).rpartition(".")[2].strip("'") for path in said}
    fit = [p for p in said if TOTAL_LIKE.search(names[p]) and not NO_TOTAL.search(names[p]) and said[p] >= held]
    own = interview.believed["total_path"]
    fit.sort(key=lambda p: (p != own, "total" not in names[p].lower(), p.count(".")))
    return {path: said[path] for path in fit}


def _headed(page: Page) -> int | None:
    headers = page.answer.headers
    return next(
        (n for name in HEADERS if (n := read_count(headers.get(name, "").rpartition("/")[2])) is not None), None
    )


def _check(interview: Interview, said: int) -> tuple[str, str]:
    """Ask for the last page by the total, and say whether it is; the page shows how the collection is sorted, too."""
    step = len(interview.base.records)
    before = (said - 1) // step * step
    page = interview.page(limit=step, offset=interview.first_offset + before)
    if page.records and interview.position(page) is None:
        interview.pages.append(page)
    seen = f"; at offset {interview.first_offset + before}: {len(page.records)} records"
    if not page.sound:
        return f"{seen} ({page.answer.status})", "high offsets seem not to be served"
    if len(page.records) != said - before:
        return seen, f"{said - before} were to be expected there: the total may be capped, old, or count hidden records"
    return seen, ""


def _check_whole(interview: Interview) -> tuple[str, str]:
    """Say whether the first page holds everything, as the total has it; a full one may not."""
    known = len(interview.base.records)
    if interview.moves and interview.heeds_limit and known == interview.base.limit:
        page = interview.page(limit=known, offset=interview.first_offset + known)
        if page.records and interview.position(page) is None:
            interview.pages.append(page)
            interview.total = None
            return f"; at offset {interview.first_offset + known}: {len(page.records)} records more", NOT_TRUE
    interview.whole = True
    return f"; the first page holds {known}", ""


def _look_far(interview: Interview, step: int) -> None:
    """Ask for a page further in, which shows how the collection is sorted."""
    page = interview.page(limit=interview.base.limit, offset=interview.first_offset + FAR * step)
    if page.records and interview.position(page) is None:
        interview.pages.append(page)


def largest(interview: Interview) -> Iterator[Finding]:
    """Say how many records a page may hold, and which limit to use."""
    base, settings = interview.base, interview.believed
    held, limit = len(base.records), settings["limit"]
    if interview.whole:
        doubt = "the most that a page may hold was not seen"
        yield Finding("page_size", held, f"the first page holds everything: limit is {limit}", doubt)
        return
    if not interview.heeds_limit:
        yield Finding("page_size", held, "the size of a page cannot be chosen", settings={"limit": held})
        return
    if base.limit and held < base.limit and interview.total and interview.total > held:
        yield Finding(
            "page_size", held, f"asked for {base.limit}: {held} records of {interview.total}", "", {"limit": held}
        )
        return
    room = max(1, LARGEST_BYTES * held // max(1, base.answer.size))
    most = min(LARGEST, room)
    page = interview.page(limit=most, offset=interview.first_offset)
    evidence = f"asked for {most}: {page.answer.status}, {len(page.records)} records, {page.answer.size:,} bytes"
    if not interview.moves and len(page.records) == interview.total:
        interview.moves = interview.whole = True
        doubt = "the tap fails once the collection outgrows that page"
        yield Finding("one_page", len(page.records), f"{evidence}: all of them", doubt, {"offset_param": ""})
    if page.records:
        first = max(page, base, key=lambda each: len(each.records))
        held_now = set(map(interview.identity, first.records))
        behind = [each for each in interview.pages[1:] if interview.identity(each.records[0]) not in held_now]
        interview.pages = [first, *behind]
    best, doubt = _best(interview, page, most)
    if "limit" in interview.explicit and limit <= best:
        yield Finding("page_size", best, evidence, f"limit stays at {limit}, as configured; {best} would do")
    else:
        yield Finding("page_size", best, evidence, doubt, {"limit": best})


def _best(interview: Interview, page: Page, asked: int) -> tuple[int, str]:
    """Return the largest limit that is known to work, and what is not known about it."""
    got, held = len(page.records), len(interview.base.records)
    if not got:
        named = [int(number) for number in re.findall(r"\b\d{2,4}\b", complaint(page.answer.document))]
        allowed = [number for number in named if held <= number < asked]
        return (max(allowed), "by the words of the error") if allowed else (held, f"the most may lie below {asked}")
    if got == asked:
        return asked, "more may be allowed, and seldom helps"
    if interview.total is not None and got >= interview.total:
        return asked, "the whole collection came: the most that a page may hold was not seen"
    return got, "" if interview.total else "if the collection holds no more than that, a page may hold more"
