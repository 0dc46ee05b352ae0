"""What is counted while stories are told, and the table that it makes."""

from __future__ import annotations

import dataclasses
from collections import Counter

from torture import faults


@dataclasses.dataclass
class Figures:
    """Sums of stories, or of one story's runs.

    checked: records compared with the API's. came, went: records added and removed while they were read. endings: how
    runs were ended. served: answers that failed, by kind. memory: most bytes. longest: most seconds that a run took.
    """

    stories: Counter[str] = dataclasses.field(default_factory=Counter)
    runs: int = 0
    requests: int = 0
    checked: int = 0
    came: int = 0
    went: int = 0
    endings: Counter[str] = dataclasses.field(default_factory=Counter)
    statuses: Counter[str] = dataclasses.field(default_factory=Counter)
    served: Counter[str] = dataclasses.field(default_factory=Counter)
    messages: Counter[str] = dataclasses.field(default_factory=Counter)
    memory: int = 0
    longest: float = 0

    def include(self, other: Figures) -> None:
        """Add those of other runs."""
        for name in ("runs", "requests", "checked", "came", "went"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("stories", "endings", "statuses", "served", "messages"):
            getattr(self, name).update(getattr(other, name))
        self.memory = max(self.memory, other.memory)
        self.longest = max(self.longest, other.longest)

    def never(self) -> list[str]:
        """Return the kinds of faults that never came."""
        return [kind for kind in faults.KINDS if not self.served[kind]]

    def table(self, **more: str) -> str:
        """Return the figures, and more of them, as a table in Markdown."""
        rows = {
            "stories": _listed(self.stories),
            "runs of the command": f"{self.runs:,}",
            "ended from outside": _listed(self.endings),
            "exit statuses": _listed(self.statuses),
            "requests": f"{self.requests:,}",
            "answers that failed": _listed(self.served),
            "records added and removed meanwhile": f"{self.came:,} and {self.went:,}",
            "messages": _listed(self.messages),
            "records checked": f"{self.checked:,}",
            "longest run": f"{self.longest:.0f} s",
            "most memory": f"{self.memory / 2**20:.0f} MiB",
        }
        return "\n".join(["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in (more | rows).items())])


def _listed(counter: Counter[str]) -> str:
    parts = [f"{name} {count:,}" for name, count in counter.most_common()]
    return f"{counter.total():,}: " + ", ".join(parts) if parts else "0"
