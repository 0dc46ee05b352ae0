"""The results as a picture: two panels of bars, as plain SVG that is readable on light and on dark pages."""

from __future__ import annotations

import dataclasses
from html import escape
from typing import TYPE_CHECKING

from benchmarks import contenders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from benchmarks.results import Results

WIDTH = 820
LABELS = 190
"""Pixels for the contenders' names."""

FIGURES = 90
"""Pixels behind the longest bar, for its figure."""

BAR = 18
STEP = 27
PANEL_HEAD = 62
MARGIN = 22
OURS = {contenders.TAP_STORAGE.name, contenders.TAP_STORAGE_16.name}

STYLE = """
  text { font: 13px system-ui, -apple-system, "Segoe UI", Helvetica, Arial, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 15px }
  .quiet { font-size: 12px; fill: #656d76 }
  .mine { font-weight: 600 }
  .page { fill: #ffffff }
  .ours { fill: #1a7f5a }
  .peer { fill: #a9b4c0 }
  .floor { fill: #d8dee4 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 }
    .quiet { fill: #8d96a0 }
    .page { fill: #0d1117 }
    .ours { fill: #3fb98a }
    .peer { fill: #57606a }
    .floor { fill: #373e47 }
  }
"""


@dataclasses.dataclass(frozen=True)
class Panel:
    """A set of bars. bars: names and values, in the order from top to bottom. unit: behind each figure."""

    title: str
    subtitle: str
    bars: Sequence[tuple[str, float]]
    text: Callable[[float], str]

    @property
    def height(self) -> int:
        """Pixels from its title to its last bar."""
        return PANEL_HEAD + STEP * len(self.bars)


def plot(results: Results) -> str:
    """Return the text of results.svg; a panel whose cell was not measured is left out."""
    panels = list(_panels(results))
    height = MARGIN + sum(panel.height + MARGIN for panel in panels)
    drawn: list[str] = []
    top = MARGIN
    for panel in panels:
        drawn += _draw(panel, top)
        top += panel.height + MARGIN
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    )
    told = "; ".join(f"{panel.title}: {_told(panel)}" for panel in panels)
    lines = [
        f'{opening} role="img">',
        f"<title>{escape(told)}</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="page" width="{WIDTH}" height="{height}" rx="8"/>',
        *drawn,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _panels(results: Results) -> Iterator[Panel]:
    waiting = results.cell("20ms-100-flat")
    if waiting:
        bars = [(name, waiting.rate(name)) for name in waiting.contenders]
        yield Panel(
            "Records per second from an API that takes 20 ms to answer",
            f"limit {waiting.limit:,}, {waiting.records:,} records, start included; more is better",
            sorted(bars, key=lambda bar: -bar[1]),
            lambda value: f"{value:,.0f}",
        )
    busy = results.cell("instant-1000-flat")
    if busy:
        bars = [(name, busy.cpu_us(name)) for name in busy.contenders]
        yield Panel(
            "Microseconds of CPU per record",
            f"limit {busy.limit:,}, {busy.records:,} records, start included; less is better",
            sorted(bars, key=lambda bar: bar[1]),
            lambda value: f"{value:.1f} µs",
        )


def _draw(panel: Panel, top: int) -> Iterator[str]:
    yield f'<text class="title" x="{MARGIN}" y="{top + 16}">{escape(panel.title)}</text>'
    yield f'<text class="quiet" x="{MARGIN}" y="{top + 36}">{escape(panel.subtitle)}</text>'
    longest = max(value for _, value in panel.bars)
    room = WIDTH - LABELS - FIGURES - 2 * MARGIN
    for index, (name, value) in enumerate(panel.bars):
        y = top + PANEL_HEAD + STEP * index - 6
        mine = ' class="mine"' if name in OURS else ""
        length = max(2, room * value / longest)
        x = MARGIN + LABELS
        yield f'<text{mine} x="{x - 10}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
        yield f'<rect class="{_kind(name)}" x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="3"/>'
        yield f'<text{mine} x="{x + length + 8:.1f}" y="{y + 13}">{panel.text(value)}</text>'


def _kind(name: str) -> str:
    if name in OURS:
        return "ours"
    return "floor" if name == contenders.BARE_LOOP.name else "peer"


def _told(panel: Panel) -> str:
    return ", ".join(f"{name} {panel.text(value)}" for name, value in panel.bars)
