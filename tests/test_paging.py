"""The walk by itself: what it asks for next, and when it is content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalAPIError

from tap_storage.paging import Walk, WalkPaginator
from tap_storage.records import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

Answer = tuple["Sequence[object]", "int | None"]


def walked(*answers: Answer, start: int = 0, limit: int = 3) -> tuple[list[int], list[object], list[str]]:
    """Answer a walk; return the offsets that it asked for, what was new, and what it noted."""
    notes: list[str] = []
    walk = Walk(start=start, limit=limit, note=notes.append)
    offsets: list[int] = []
    new: list[object] = []
    for keys, total in answers:
        assert not walk.finished
        offsets.append(walk.offset)
        new += keys[walk.take(keys, total) :]
    assert walk.finished
    return offsets, new, notes


@pytest.mark.parametrize(
    ("answers", "offsets", "new"),
    [
        ([("", 0)], [0], ""),
        ([("", None)], [0], ""),
        ([("abc", None), ("", None), ("c", None)], [0, 3, 2], "abc"),
        ([("abc", 3), ("", 3), ("c", 3)], [0, 3, 2], "abc"),
        ([("abc", 6), ("def", 6), ("", 6)], [0, 3, 6], "abcdef"),
        ([("abc", 4), ("d", 4)], [0, 3], "abcd"),
        ([("abc", None), ("d", None), ("", None), ("d", None)], [0, 3, 4, 3], "abcd"),
        ([("abc", 9), ("", 9), ("cd", 9), ("", 9), ("d", 9)], [0, 3, 2, 4, 3], "abcd"),
        ([("abc", None), ("de", None), ("de", None), ("e", None)], [0, 3, 5, 4], "abcde"),
        ([("abc", 6), ("def", 6), ("def", 6)], [0, 3, 6], "abcdef"),
        ([("abc", 3), ("d", 4), ("ef", 6), ("g", 7), ("", 7), ("g", 7)], [0, 3, 4, 6, 7, 6], "abcdefg"),
        ([("abc", 3), ("", 3), ("cd", 4), ("", 4), ("d", 4)], [0, 3, 2, 4, 3], "abcd"),
        (
            [(key, None) for key in ("a", "b", "", "b", "c", "", "c", "")],
            [0, 1, 2, 1, 2, 3, 2, 3],
            "abc",
        ),
        ([("a", None), ("a", None), ("a", None)], [0, 1, 0], "a"),
    ],
)
def test_the_end_is_what_the_last_record_or_the_total_proves(
    answers: list[Answer], offsets: list[int], new: str
) -> None:
    """An end that is only presumed loses the records behind it."""
    walked_offsets, read, _ = walked(*answers)
    assert (walked_offsets, "".join(map(str, read))) == (offsets, new)


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([("", 5)], "total of 5"),
        ([("abc", None), ("abc", None), ("abc", None)], "ignores the offset"),
        ([("abc", 3), ("abc", 3), ("abc", 3)], "ignores the offset"),
        ([("abc", 9), ("de", 9), ("de", 9), ("de", 9)], "may be missing"),
        ([("abc", None), ("def", None), ("def", None), ("def", None)], "may be missing"),
        ([("a", 3), ("b", 3), ("", 3), ("b", 3)], "the last of 3 records"),
        ([("abc", None), ("", None), ("", None)], "may be missing"),
        ([("abc", None), ("", None), ("bc", None)], "may be missing"),
    ],
)
def test_what_cannot_be_read_whole_is_an_error(answers: list[Answer], text: str) -> None:
    """A run that lost records would end with exit status 0."""
    with pytest.raises(FatalAPIError, match=text):
        walked(*answers)


@pytest.mark.parametrize(("start", "total"), [(0, 5), (1, 5), (7, 12)])
def test_a_total_counts_from_the_first_record_of_the_collection(start: int, total: int) -> None:
    """An API that counts from one, or a walk that skips some, would be asked more often or end early."""
    offsets, _, _ = walked(("abc", total), ("de", total), start=start)
    assert offsets == [start, start + 3]


def test_a_cap_is_noted_once() -> None:
    """A person would not learn why there are more requests than limit suggests, or would learn it at every page."""
    _, _, notes = walked(("ab", 6), ("cd", 6), ("ef", 6), ("", 6))
    assert notes == ["The API serves 2 records a page where limit asks for 3: reading on by 2"]


def test_the_paginator_tells_records_by_key_or_by_content() -> None:
    """Without a primary key nothing would prove the end."""
    for keys, records in ((["id"], [{"id": 1}]), ([], [{"a": 1}]), (["id"], [{"id": None, "a": 1}])):
        paginator = WalkPaginator(Walk(start=0, limit=2, note=str), page_size=2, primary_keys=keys)
        for page in (records, [], records):
            paginator.advance(Page(page, None))
        assert (paginator.finished, paginator.count, paginator.known, str(paginator)) == (
            True,
            3,
            1,
            "WalkPaginator<1>",
        )
