"""Which data requests a fault or a change applies to; no state, only arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.fake_api.shapes import Refused

if TYPE_CHECKING:
    from collections.abc import Sequence


def one_of(**choices: object) -> None:
    """Refuse anything but exactly one given (not None) choice."""
    if sum(choice is not None for choice in choices.values()) != 1:
        message = "give exactly one of " + ", ".join(choices)
        raise Refused(message)


def due(
    number: int,
    *,
    on: int | Sequence[int] | None,
    every: int | None,
    first: int | None,
    times: int | None,
) -> bool:
    """Tell whether data request `number`, counted from 1, is one of those meant.

    on: that request, or those. every: each so-manieth. first: from that one onwards.
    times: only the first so many of them. One of on, every and first is given.
    """
    if on is not None:
        meant = sorted({on} if isinstance(on, int) else set(on))
        turn = meant.index(number) + 1 if number in meant else 0
    elif every is not None:
        turn = 0 if number % every else number // every
    else:
        turn = number - (first or 1) + 1
    return turn > 0 and (times is None or turn <= times)
