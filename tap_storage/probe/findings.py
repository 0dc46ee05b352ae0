"""What the probe finds out, and why it may have to give up."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_QUOTE = 300


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing found out.

    value: None where there is no such thing. evidence: what was asked, and what was seen. doubt: what speaks against
    it, or was not shown. settings: what it makes of the tap's settings. options: settings that it makes likely, but
    that lose records where they are wrong. schema: types of fields that discovery would not find out.
    """

    name: str
    value: Any
    evidence: str
    doubt: str = ""
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    schema: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class StuckError(Exception):
    """Nothing more can be found out before the user has done what the message says."""


class SpentError(Exception):
    """All the requests that a probe may send were sent."""


def quote(text: Any) -> str:
    """Return a server's text in one line of sane length, without anything that could steer a terminal."""
    line = " ".join("".join(each if each.isprintable() else " " for each in str(text)).split())
    return line if len(line) <= LONGEST_QUOTE else f"({len(line)} characters)"


def printable(text: str) -> str:
    """Return a text of several lines without anything that could steer a terminal."""
    return "".join(each if each.isprintable() or each == "\n" else " " for each in text)


def some(names: Any, most: int = 8) -> str:
    """Return names in one line, not more of them than a person reads."""
    shown = [quote(name) for name in names]
    return ", ".join(shown[:most]) + (", …" if len(shown) > most else "")
