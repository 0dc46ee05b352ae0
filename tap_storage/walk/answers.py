"""What a walk asks, what it is told, and what it says when nothing proves that no record is missing."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Hashable, Sequence
from typing import NamedTuple, NoReturn


class WalkError(Exception):
    """Nothing proves that no record is missing; said of an answer, such as "repeats the first page: …"."""


class Ask(NamedTuple):
    """A question: the page at this offset. stride: to the next one in all likelihood, 0 where that cannot be told."""

    offset: int
    stride: int = 0


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the API says to a question.

    keys: what identifies each record, in the order of the answer. total: the collection's size as it is stated here.
    early: it was asked for before the answer before it was taken. refused: it is an error status.
    """

    offset: int
    keys: Sequence[Hashable]
    total: int | None = None
    early: bool = False
    refused: bool = False


Walking = Generator[Ask, Answer, None]
"""Asks until the end is proven."""
Finding = Generator[Ask, Answer, Answer]
"""Asks until it can return an answer."""
Denial = Generator[Ask, Answer, "Answer | None"]
"""Asks until it can return the answer that denies something, or None if nothing does."""


def refuse_ignored_offset() -> NoReturn:
    """Raise: every page is the first."""
    msg = (
        "repeats the first page: the API ignores the offset. Set offset_param to its name for it, such as offset, "
        "skip or start ('' if it does not page; one that counts pages cannot be read)"
    )
    raise WalkError(msg)


def refuse_disorder() -> NoReturn:
    """Raise: the same records come in another order each time."""
    msg = (
        "holds records in another order than the pages before: the API's order does not hold. "
        "Add a sort by a field that never changes to params"
    )
    raise WalkError(msg)


def refuse_restlessness() -> NoReturn:
    """Raise: the frontier is not found again, or not the end."""
    msg = (
        "shows that records move faster than they can be read, or come in no fixed order. "
        "Add a sort by a field that never changes to params, raise limit, or run when less is going on"
    )
    raise WalkError(msg)


def refuse_promise(offset: int, total: int | None) -> NoReturn:
    """Raise: nothing comes from this offset on, against what the total says."""
    msg = (
        f"leads no further: the API serves nothing from offset {offset} on, but states a total of {total}. Read less "
        "at a time, with a filter by start_param or in params; or set total_path to '' if that counts other records"
    )
    raise WalkError(msg)


def refuse_ceiling(offset: int) -> NoReturn:
    """Raise: records from this offset on are out of reach."""
    msg = (
        f"leads no further: the API serves nothing from offset {offset} on, though there are records. "
        "Read less at a time, with a filter by start_param or in params"
    )
    raise WalkError(msg)
