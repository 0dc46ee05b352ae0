"""What came of a round."""

from __future__ import annotations

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.audit import Audit
    from torture.pipeline.plan import Blow


@dataclass
class Outcome:
    """A round, or several together.

    runs: exit statuses. hit: blows by kind. missed: those whose moment never came. ended_well: runs that did so in
    spite of a blow. slowest: seconds from a blow to Meltano's end, by kind. resumed: runs that went on from a place in
    their state. until_complete: runs up to the first that ended well with no blow to come. records: held against the
    table, each time that a run ended well; missing, twice, unknown and different are those that did not match.
    problems: what is wrong besides.
    """

    number: int = 0
    rounds: int = 1
    runs: list[int | None] = field(default_factory=list)
    hit: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    ended_well: Counter[str] = field(default_factory=Counter)
    slowest: dict[str, float] = field(default_factory=dict)
    faults: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    arrived: int = 0
    resumed: int = 0
    until_complete: list[int] = field(default_factory=list)
    records: int = 0
    missing: int = 0
    twice: int = 0
    unknown: int = 0
    different: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.missing or self.twice or self.unknown or self.different or self.problems)

    def dealt(self, blow: Blow | None, status: int | None, seconds: float, *, hit: bool) -> None:
        """Note what became of a blow."""
        if blow is None:
            return
        (self.hit if hit else self.missed)[blow.kind] += 1
        if hit:
            self.ended_well[blow.kind] += status == 0
            self.slowest[blow.kind] = max(seconds, self.slowest.get(blow.kind, 0))

    def checked(self, records: int, found: Audit) -> None:
        """Note what holding the table against the API has shown."""
        self.records += records
        for name, count in dataclasses.asdict(found).items():
            setattr(self, name, getattr(self, name) + count)

    def add(self, other: Outcome) -> None:
        """Take another one's figures in."""
        for each in dataclasses.fields(self):
            mine, theirs = getattr(self, each.name), getattr(other, each.name)
            if each.name == "slowest":
                self.slowest = {kind: max(mine.get(kind, 0), theirs.get(kind, 0)) for kind in mine | theirs}
            else:
                setattr(self, each.name, mine + theirs)
