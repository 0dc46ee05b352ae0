"""What the matrix came to, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo.text_table import text_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torture.leaks.bench import Outcome

NONE = "·"


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the cells run, by failure and output, with the leaks in brackets, and the sums."""
    failures = list(dict.fromkeys(outcome.cell.failure for outcome in outcomes))
    outputs = list(dict.fromkeys(outcome.cell.output for outcome in outcomes))
    rows = [[failure, *(_count(outcomes, failure, output) for output in outputs)] for failure in sorted(failures)]
    leaking = [outcome for outcome in outcomes if outcome.found]
    endless = [outcome for outcome in outcomes if outcome.status is None]
    sums = ["all", *(_count(outcomes, "", output) for output in outputs)]
    legend = "\n".join(f"{number}: {output}" for number, output in enumerate(outputs, 1))
    text = text_table(["failure", *(str(number) for number in range(1, len(outputs) + 1))], [*rows, sums])
    told = f"{len(outcomes)} cells; cells with leaks: {len(leaking)}; without an end: {len(endless)}"
    return f"{text}\n\n{legend}\n\n{told}"


def _count(outcomes: Sequence[Outcome], failure: str, output: str) -> str:
    cells = [o for o in outcomes if o.cell.output == output and failure in ("", o.cell.failure)]
    leaking = sum(bool(outcome.found) for outcome in cells)
    return (f"{len(cells)}" if cells else NONE) + (f" ({leaking})" if leaking else "")
