"""The walk by itself: what it asks for, what it makes of the answers, and when it is content."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from singer_sdk.exceptions import FatalAPIError

from tap_storage.paging import Everything, WalkPaginator, identify
from tap_storage.records import Page
from tap_storage.walk import Resume, Walk, WalkError

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

Answer = tuple["Sequence[object]", "int | None"]
REFUSED: Answer = ("refused", None)
MANY = 60


def walked(
    *answers: Answer, start: int = 0, limit: int = 3, overlap: int = 1, maximum: int | None = None
) -> tuple[list[int], str, list[str]]:
    """Answer a walk to its end; return the offsets that it asked for, what was new, and what it noted."""
    notes: list[str] = []
    walk = Walk(start=start, limit=limit, overlap=overlap, maximum=maximum, note=notes.append)
    offsets: list[int] = []
    new: list[object] = []
    for keys, total in answers:
        assert not walk.finished
        offsets.append(walk.offset)
        refused = (keys, total) == REFUSED
        new += [keys[place] for place in walk.take([] if refused else keys, total, refused=refused)]
    assert walk.finished
    return offsets, "".join(map(str, new)), notes


@pytest.mark.parametrize(
    ("answers", "offsets", "new"),
    [
        ([("", 0)], [0], ""),
        ([("", None), ("", None)], [0, 0], ""),
        ([("", None), ("ab", None), ("b", None), ("", None), ("b", None)], [0, 0, 1, 2, 1], "ab"),
        ([("a", 1), ("a", 1), ("", 1), ("a", 1), ("", 1)], [0, 0, 1, 0, 1], "a"),
        ([("ab", 2), ("b", 2), ("", 2), ("b", 2)], [0, 1, 2, 1], "ab"),
        ([("abc", 4), ("cd", 4), ("d", 4)], [0, 2, 3], "abcd"),
        ([("abc", None), ("c", None), ("", None), ("c", None)], [0, 2, 3, 2], "abc"),
        ([("abc", None), ("c", None), REFUSED, ("c", None)], [0, 2, 3, 2], "abc"),
        ([("abc", 3), ("cd", 2), ("d", 1), ("", 0), ("d", 1)], [0, 2, 3, 4, 3], "abcd"),
        ([("abc", None), ("cde", None), ("e", None), ("cde", None), ("e", None)], [0, 2, 4, 5, 4], "abcde"),
    ],
)
def test_an_end_is_what_the_last_record_or_the_total_proves(
    answers: list[Answer], offsets: list[int], new: str
) -> None:
    """An end that is only presumed loses the records behind it."""
    assert walked(*answers)[:2] == (offsets, new)


def served(*collections: str, limit: int = 3, overlap: int = 1, total: bool = True) -> tuple[list[int], str, list[str]]:
    """Answer a walk from a collection for each request, the last one from then on; return as `walked` does."""
    notes: list[str] = []
    walk = Walk(limit=limit, overlap=overlap, note=notes.append)
    offsets: list[int] = []
    new = ""
    while not walk.finished:
        collection = collections[min(len(offsets), len(collections) - 1)]
        offsets.append(walk.offset)
        page = collection[walk.offset :][:limit]
        new += "".join(page[place] for place in walk.take(page, len(collection) if total else None))
    return offsets, new, notes


@pytest.mark.parametrize(
    ("collections", "offsets", "new"),
    [
        # One before the frontier is gone: the page has nothing known, the one before it has.
        (["abcdef", "bcdef"], [0, 2, 1, 3, 4], "abcdef"),
        # The frontier itself is gone.
        (["abcde", "abde"], [0, 2, 1, 0, 2, 3], "abcde"),
        # Two were inserted in front.
        (["abcd", "xyabcd"], [0, 2, 3, 5], "abcd"),
        # As many were inserted as were read.
        (["abcd", "xyzabcd"], [0, 2, 1, 0, 2, 4, 6], "abcxyzd"),
        # As many were inserted after each answer as make it look as if offsets were ignored, but for the total.
        (["abcdef", "xyabcdef", "xyzabcdef"], [0, 2, 3, 8, 4, 6, 8], "abcdef"),
        # Records keep coming in front, so that the last one is never where it was: it is waited for.
        (["abc", "xabc", "xyabc", "xyabc"], [0, 2, 3, 2, 4, 5, 4], "abc"),
        # Everything was replaced.
        (["abc", "xyz"], [0, 2, 1, 0, 2, 3, 2], "abcxyz"),
        # Everything is gone.
        (["abc", ""], [0, 2, 1, 0, 0], "abc"),
    ],
)
def test_records_that_moved_are_found_again(collections: list[str], offsets: list[int], new: str) -> None:
    """They would be missing, or come twice."""
    assert served(*collections)[:2] == (offsets, new)


@pytest.mark.parametrize("total", [True, False], ids=["total", "no total"])
@pytest.mark.parametrize("limit", [1, 2])
def test_pages_of_next_to_nothing_are_enough(limit: int, total: bool) -> None:  # noqa: FBT001
    """An API that serves a record at a time could not be read."""
    offsets, new, _ = served("abcde", limit=limit, total=total)
    assert new == "abcde"
    assert len(offsets) <= 20


def test_records_that_move_where_pages_hold_one_are_an_error() -> None:
    """They could slip through between two requests."""
    with pytest.raises(WalkError, match="raise limit"):
        served(*["abcde"] * 9, "bcde", limit=1)


def test_without_overlap_a_total_that_falls_tells_of_records_that_moved() -> None:
    """Those that moved on to the page before would be missing."""
    offsets, new, _ = served("abcdefghi", "bcdefghi", overlap=0)
    assert (offsets, new) == ([0, 3, 0, 3, 6], "abcdefghi")


def test_a_move_is_noted_once_with_its_offsets() -> None:
    """Nobody would learn that the collection changed under the reader, or would learn it at every page."""
    _, _, notes = served("abcdef", "bcdef")
    assert notes == [
        "Records moved by -1 while they were read: seen at offset 1, after the page at offset 2 was asked for"
    ]


@pytest.mark.parametrize(
    ("answers", "offsets", "new"),
    [
        ([("abc", 9), ("def", 9), ("ghi", 9), ("", 9)], [0, 3, 6, 9], "abcdefghi"),
        ([("abc", 5), ("de", 5)], [0, 3], "abcde"),
        ([("abc", None), ("de", None), ("", None), ("", None)], [0, 3, 6, 5], "abcde"),
        # A page in the middle is short; what it lacks is asked for.
        ([("abc", 7), ("d", 7), ("g", 7), ("efg", 7), ("", 7)], [0, 3, 6, 4, 7], "abcdefg"),
    ],
)
def test_without_overlap_pages_follow_each_other(answers: list[Answer], offsets: list[int], new: str) -> None:
    """An API that charges by the request would cost more than it must."""
    walked_offsets, read, _ = walked(*answers, overlap=0)
    assert (walked_offsets[: len(offsets)], read) == (offsets, new)


@pytest.mark.parametrize(
    ("answers", "text"),
    [
        ([("", 5)] * 19, "states a total of 5"),
        ([("abc", None)] * 3, "ignores the offset"),
        ([("abc", 3)] * 3, "ignores the offset"),
        ([("ab", None)] * 3, "ignores the offset"),
        ([("a", 3)] * 4, "ignores the offset"),
        ([("abc", 9), ("", 9), ("", 9), ("", 9), ("", 9)], "is empty, though records were read there"),
        ([("abc", None), ("", None), ("", None), ("", None), ("", None)], "is empty, though records were read there"),
    ],
)
def test_what_cannot_be_read_whole_is_an_error(answers: list[Answer], text: str) -> None:
    """A run that lost records would end with exit status 0."""
    with pytest.raises(WalkError, match=text):
        walked(*answers)


def answered(walk: Walk, collection: str, *, hidden: str = "", refused: int = 99, size: int = 3) -> tuple[str, int]:
    """Answer a walk from a collection that stands still; return what was new, and how many answers it took.

    hidden: records that are left out of the pages. refused: offset from which on there are error statuses.
    """
    new = ""
    answers = 0
    while not walk.finished:
        page = [key for key in collection[walk.offset :][:size] if key not in hidden]
        if walk.offset >= refused:
            walk.take([], refused=True)
        else:
            new += "".join(page[place] for place in walk.take(page, len(collection)))
        answers += 1
    return new, answers


def test_a_ceiling_within_the_collection_is_an_error() -> None:
    """Everything behind it would be missing."""
    with pytest.raises(WalkError, match=r"from offset 4 on.*start_param"):
        answered(Walk(limit=3, note=str), "abcdefghi", refused=4)


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("stated", [True, False])
@pytest.mark.parametrize("doubled", ["a", "b", "cdef", "i", "abcdefghij"])
def test_a_record_that_a_join_doubles_moves_no_other_out_of_sight(doubled: str, stated: bool, overlap: int) -> None:  # noqa: FBT001
    """A page that holds more than its slice would have the next one begin too far on."""
    collection = "abcdefghij"
    walk = Walk(limit=3, overlap=overlap, note=str)
    read: set[str] = set()
    while not walk.finished:
        page = [key for key in collection[walk.offset :][:3] for _ in range(2 if key in doubled else 1)]
        read.update(page[place] for place in walk.take(page, len(collection) if stated else None))
    assert "".join(sorted(read)) == collection


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize("refused", [4, 5])
def test_a_refusal_past_the_end_is_the_end(overlap: int, refused: int) -> None:
    """An API that has no empty pages could not be read."""
    new, _ = answered(Walk(limit=3, overlap=overlap, note=str), "abcd", refused=refused)
    assert new == "abcd"


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize(
    "hidden", ["a", "abc", "abcdefg", "d", "defg", "defghijklmno", "bdfhjln", "xyz", "uvwxyz", "cfilor"]
)
def test_records_that_are_hidden_anywhere_hide_no_others(hidden: str, overlap: int) -> None:
    """An API that filters after slicing would lose what follows a page that is empty."""
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    new, answers = answered(Walk(limit=3, overlap=overlap, note=str), alphabet, hidden=hidden)
    assert new == "".join(key for key in alphabet if key not in hidden)
    assert answers < 80


def test_a_first_page_that_is_empty_for_once_is_asked_for_again() -> None:
    """What comes late would be missing."""
    walk = Walk(limit=3, note=str)
    for _ in range(3):
        walk.take([], 5)
    assert answered(walk, "abcde")[0] == "abcde"


def test_an_order_that_never_holds_is_found_out() -> None:
    """Records would come in any order, some never."""
    walk = Walk(limit=30, note=str)
    chance = random.Random(0)
    with pytest.raises(WalkError, match="Add a sort by a field that never changes"):  # noqa: PT012
        while not walk.finished:
            walk.take(chance.sample(range(300), 300)[walk.offset :][:30])


@pytest.mark.parametrize(("growth", "overlap"), [(1, 0), (10, 0), (1, 1), (10, 1), (40, 1)])
def test_a_collection_that_grows_as_it_is_read_is_not_read_for_ever(growth: int, overlap: int) -> None:
    """A run beside a busy writer would never end."""
    walk = Walk(limit=100, overlap=overlap, note=str)
    records = list(range(500))
    new: set[int] = set()
    answers = 0
    while not walk.finished:
        page = records[walk.offset :][:100]
        new.update(page[place] for place in walk.take(page))
        records += range(len(records), len(records) + growth)
        answers += 1
        assert answers < 100
    assert set(range(500)) <= new


def test_a_total_that_never_changes_gives_away_a_record_that_moved_to_read_ground() -> None:
    """It would be missing: no reader of offsets can see it there."""
    with pytest.raises(WalkError, match=r"3 different ones were read.*sort"):
        served("abcd", "dabc")


@pytest.mark.parametrize(("limit", "overlap"), [(2, 0), (2, 1), (3, 1)])
def test_an_ignored_offset_is_found_within_three_answers(limit: int, overlap: int) -> None:
    """The first page would be copied again and again."""
    walk = Walk(limit=limit, overlap=overlap, note=str)
    assert len(walk.take("ab")) == 2
    assert len(walk.take("ab")) == 0
    with pytest.raises(WalkError, match="offset_param"):
        walk.take("ab")


@pytest.mark.parametrize("records", [2, 3, 4, 6, 7, 40])
@pytest.mark.parametrize("total", ["exact", "absent"])
@pytest.mark.parametrize("overlap", [1, 2])
def test_offsets_that_work_in_multiples_are_found_out(records: int, total: str, overlap: int) -> None:
    """Such an API would be taken for one that ignores offsets, or be read over and over."""
    notes: list[str] = []
    walk = Walk(limit=3, overlap=overlap, note=notes.append)
    emitted: list[int] = []
    asked = 0
    while not walk.finished:
        offset = walk.offset // 3 * 3
        page = list(range(records))[offset : offset + 3]
        emitted += [page[place] for place in walk.take(page, records if total == "exact" else None)]
        asked += 1
    assert emitted == list(range(records))
    assert asked <= records / 3 + 10
    assert len(notes) == 1


@pytest.mark.parametrize(("start", "total"), [(0, 5), (1, 5), (7, 12)])
def test_a_total_counts_from_the_first_record_of_the_collection(start: int, total: int) -> None:
    """An API that counts from one, or a walk that skips some, would be asked more often or end early."""
    offsets, _, _ = walked(("abc", total), ("cde", total), ("e", total), start=start)
    assert offsets == [start, start + 2, start + 4]


@pytest.mark.parametrize("overlap", [0, 1])
@pytest.mark.parametrize(("maximum", "new"), [(1, "a"), (3, "abc"), (5, "abcde")])
def test_a_maximum_is_exact(overlap: int, maximum: int, new: str) -> None:
    """A bounded run would copy more than it was told to, or less."""
    walk = Walk(limit=3, overlap=overlap, maximum=maximum, note=str)
    read = ""
    while not walk.finished:
        page = "abcdefgh"[walk.offset :][:3]
        read += "".join(page[place] for place in walk.take(page, 8))
    assert (read, walk.bounded) == (new, True)


def test_a_maximum_beyond_the_end_does_not_bound() -> None:
    """A complete run would be taken for a part."""
    walk = Walk(limit=3, maximum=9, note=str)
    for page in ("abc", "cd", "d"):
        walk.take(page, 4)
    assert (walk.finished, walk.bounded) == (True, False)


def test_a_cap_is_noted_once() -> None:
    """A person would not learn why there are more requests than limit suggests, or would learn it at every page."""
    _, _, notes = walked(("ab", 4), ("bc", 4), ("cd", 4), ("d", 4))
    assert notes == ["The API serves 2 records a page where limit asks for 3: reading on by 2"]


def test_pages_may_be_asked_for_early_as_long_as_they_follow_each_other() -> None:
    """Pages could not be fetched ahead, or would be where nothing is known of them."""
    walk = Walk(limit=3, note=str)
    steps = []
    for page in ("abc", "cde", "xyz", "bcd", "def"):
        steps.append((walk.offset, list(walk.upcoming(3))))
        walk.take(page)
    assert steps == [(0, []), (2, []), (4, [4, 6, 8]), (3, []), (5, [])]


def test_an_early_page_that_does_not_follow_is_asked_for_again() -> None:
    """What it says of the collection may be older than what the page before it said."""
    walk = Walk(limit=3, note=str)
    walk.take("abc")
    assert walk.take("def", early=True) == ()
    assert (walk.offset, walk.stride) == (2, 0)


def test_the_paginator_drives_the_walk() -> None:
    """The SDK would not know how far a stream has come."""
    paginator = WalkPaginator(Walk(limit=2, note=str), page_size=2, primary_keys=["id"])
    for page in (Page([{"id": 1}, {"id": 2}], 3), Page([{"id": 2}, {"id": 3}], 3), Page([{"id": 3}], 3)):
        assert not paginator.finished
        paginator.advance(page)
    assert (paginator.finished, paginator.count, list(paginator.new), str(paginator)) == (
        True,
        3,
        [],
        "WalkPaginator<2>",
    )


def test_without_offsets_everything_is_on_one_page() -> None:
    """A refusal, or a page that lacks records, would pass for the whole collection."""
    pages = Everything(offset=0)
    assert list(pages.take(["a", "b"], 2, early=False, refused=False)) == [0, 1]
    assert pages.finished
    with pytest.raises(WalkError, match="held 1 of 2 records"):
        Everything(offset=0).take(["a"], 2, early=False, refused=False)


def test_records_are_told_apart_by_key_or_by_content() -> None:
    """Records would be taken for others, and left out."""
    first, second = {"id": 1, "a": [1]}, {"id": 2, "a": [1]}
    third, fourth = {"id": 3, "a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 1}, "id": 3}
    for keys in (["id"], [], ["id", "a"], ["a", "id"]):
        one, two, three, four = identify(Page([first, second, third, fourth], None), keys, offset=0)
        assert len({one, two, three}) == 3
        assert three == four


def test_different_records_with_the_same_key_are_refused() -> None:
    """All but the first of them would be missing."""
    with pytest.raises(FatalAPIError, match="numbers 1 and 3 on the page: set primary_keys"):
        identify(Page([{"id": 1, "a": 1}, {"id": 2}, {"id": 1, "a": 2}], None), ["id"], offset=0)


def test_records_that_came_in_another_order_fail_a_walk_that_no_total_vouches_for() -> None:
    """Others may have changed places unseen, and be missing."""
    with pytest.raises(WalkError, match="another order than the pages before"):
        served("abcd", "xbacd", overlap=2, total=False)


def test_without_overlap_a_total_that_falls_for_nothing_costs_two_answers() -> None:
    """A deletion behind the reader would be taken for the end, or the page read twice."""
    offsets, new, _ = served("abcdefghi", "abcdefgh", overlap=0)
    assert (offsets, new) == ([0, 3, 0, 3, 6], "abcdefgh")


def test_records_that_never_stand_still_are_given_up() -> None:
    """A run would ask for ever for a record that is never where it was."""
    walk = Walk(limit=3, note=str)
    records = list("abcdefghi")
    with pytest.raises(WalkError, match="move faster than they can be read"):  # noqa: PT012
        for turn in range(1000):
            walk.take(records[walk.offset :][:3])
            records = ["+", *records] if turn % 2 else [*"-" * (turn % 7), *records]


def test_a_window_that_ends_with_the_collection_is_no_ceiling() -> None:
    """An API that refuses pages which reach beyond its window would fail a run that read everything."""
    new, _ = answered(Walk(limit=3, note=str), "abcdef", refused=5)
    assert new == "abcdef"


def test_an_api_that_refuses_everything_in_the_middle_is_an_error() -> None:
    """Half of a collection would pass for all of it."""
    walk = Walk(limit=3, note=str)
    walk.take("abc", 9)
    with pytest.raises(WalkError, match="leads no further"):  # noqa: PT012
        while not walk.finished:
            walk.take("", refused=True)


def test_an_api_that_is_empty_every_other_time_is_an_error() -> None:
    """It would be read from the middle, or asked for ever."""
    walk = Walk(limit=3, note=str)
    with pytest.raises(WalkError, match="move faster"):  # noqa: PT012
        for page in ("", "", "abc", "", ""):
            walk.take(page, 9)


def test_without_overlap_an_ignored_offset_is_told_by_the_total() -> None:
    """The first page would be copied again and again, where it is short of what was asked for."""
    walk = Walk(limit=5, overlap=0, note=str)
    walk.take("abc", 9)
    walk.take("abc", 9)
    with pytest.raises(WalkError, match="offset_param"):
        walk.take("abc", 9)


def test_a_resumed_walk_ends_where_the_last_page_is_repeated() -> None:
    """What it read in another process would seem to be new on a page that holds more than its own, and never end."""
    collection = "abcdefghijk"
    walk = Walk(limit=4, resume=Resume(9, {"j": 0}, page=4), note=str)
    new = ""
    for _ in range(20):
        if walk.finished:
            break
        page = collection[walk.offset :][:4] or "fghijk"
        new += "".join(page[place] for place in walk.take(page, 10**6))
    assert (walk.finished, new) == (True, "k")


def test_a_page_that_is_short_for_once_does_not_hide_where_to_go_on() -> None:
    """A run that was killed would emit again what it had emitted."""
    walk = Walk(limit=3, overlap=0, resume=Resume(5, {"f": 0, "e": 1, "d": 2}, page=3, step=3), note=str)
    walk.take("d", 9)
    assert (walk.offset, list(walk.take("def", 9)), walk.undisturbed) == (3, [], True)
    assert (walk.offset, list(walk.take("ghi", 9))) == (6, [0, 1, 2])


@pytest.mark.parametrize("phase", range(6))
@pytest.mark.parametrize("short_every", [2, 3, 5])
def test_a_last_page_that_is_repeated_and_short_at_times_is_not_followed_for_ever(short_every: int, phase: int) -> None:
    """A run would go on where an interrupted one was, which was far behind the end, and further and further away."""
    collection = list(range(141))
    marks: dict[Hashable, int] = {140 - distance: distance for distance in range(10)}
    walk = Walk(limit=100, resume=Resume(607, marks, page=100), note=str)
    answers = 0
    while not walk.finished:
        page = collection[walk.offset :][:100] or collection[41:]
        half = len(page) // 2
        if answers % short_every == phase % short_every:
            page = page[:half] or page if walk.offset < len(collection) else page[half:]
        walk.take(page, 10**6)
        answers += 1
    assert answers < MANY


def test_the_only_record_that_is_remembered_is_found_behind_hidden_ones() -> None:
    """A run that was killed after one record would emit it again, once others came in front of it."""
    collection = "xyzuvwa"
    walk = Walk(limit=9, resume=Resume(0, {"a": 0}, page=1), note=str)
    new = ""
    while not walk.finished:
        page = [key for key in collection[walk.offset :] if key not in "xy"]
        new += "".join(page[place] for place in walk.take(page, len(collection)))
    assert (walk.undisturbed, new) == (False, "")


def test_an_end_of_hidden_records_is_found_though_the_last_page_is_repeated() -> None:
    """Pages that grow shorter as the end comes nearer would be taken for the last one, repeated."""
    walk = Walk(limit=50, overlap=5, note=str)
    collection = list(range(1, 751))
    read = answers = 0
    while not walk.finished:
        rows = collection[walk.offset :][:50] or collection[-50:]
        read += len(walk.take([number for number in rows if number % 4], len(collection)))
        answers += 1
    assert read == len([number for number in collection if number % 4])
    assert answers < MANY
