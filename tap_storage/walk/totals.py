"""What the API states of the collection's size, which is a hint, a lie, or true."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_storage.walk.answers import Answer


ROUND = 100
"""Totals that are capped are multiples of this."""


class Totals:
    """The totals of the answers so far, held against how far the walk has come.

    start: offset of the first record to be read.
    """

    def __init__(self, start: int) -> None:
        self.latest: int | None = None
        """What was stated last."""
        self.steady = True
        """Whether it never was another."""
        self._promised = False
        self._first = start if start <= 1 else 0  # an API counts from 0 or from 1; what lies beyond that is skipped

    @property
    def reach(self) -> int:
        """The offset behind the last record that there is by the total."""
        return self._first + (self.latest or 0)

    @property
    def is_round(self) -> bool:
        """Whether it may be capped, and a page that is short where it ends one in the middle."""
        return self.latest is not None and self.latest % ROUND == 0

    def hear(self, answer: Answer) -> None:
        """Take in what an answer states."""
        if answer.total is not None:
            self.steady = self.steady and self.latest in (None, answer.total)
            self.latest = answer.total

    def compare(self, answer: Answer, position: int) -> None:
        """Take in that the record at this position was the last to be read when the answer came."""
        self._promised = self._promised or self.lacks(answer, position)

    def lacks(self, answer: Answer, position: int) -> bool:
        """Tell whether there are records behind this position by an answer's total."""
        return answer.total is not None and answer.total > position + 1 - self._first

    def agrees(self, answer: Answer, position: int) -> bool:
        """Tell whether the record at this position is the last by an answer's total, and that can be believed.

        It has to have promised more when there was more: one that counts the page, or up to its end, always agrees.
        """
        return answer.total != len(answer.keys) and self._agrees(answer.total, position)

    def agreed(self, position: int) -> bool:
        """Tell whether the record at this position is the last by what was stated last."""
        return self._agrees(self.latest, position)

    def _agrees(self, total: int | None, position: int) -> bool:
        return self._promised and total == position + 1 - self._first
