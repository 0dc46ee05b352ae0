"""What the rounds came to, in tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.text_table import text_table
from torture.pipeline.blows import KINDS
from torture.pipeline.outcome import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence


def together(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the rounds as one."""
    whole = Outcome(rounds=0)
    for each in outcomes:
        whole.add(each)
    return whole


def told(whole: Outcome) -> str:
    """Return the tables."""
    blows = [
        (kind, whole.hit[kind], whole.missed[kind], whole.ended_well[kind], round(whole.slowest.get(kind, 0)))
        for kind in KINDS
    ]
    runs = whole.until_complete
    figures = [
        ("rounds", whole.rounds),
        ("meltano runs", len(whole.runs)),
        ("of these, ended well", whole.runs.count(0)),
        ("of these, went on from a place in the state", whole.resumed),
        ("runs until complete, on average", round(sum(runs) / len(runs), 1) if runs else None),
        ("runs until complete, at most", max(runs, default=None)),
        ("requests", whole.requests),
        ("answers that failed", whole.faults.total()),
        ("records that arrived meanwhile", whole.arrived),
        ("records checked", whole.records),
        ("missing", whole.missing),
        ("twice", whole.twice),
        ("never at the API", whole.unknown),
        ("different", whole.different),
    ]
    return "\n\n".join(
        [
            text_table(("blow", "hit", "too late", "ended well all the same", "slowest end (s)"), blows),
            text_table(("answers that failed", ""), sorted(whole.faults.items())),
            text_table(("all in all", ""), figures),
        ]
    )
