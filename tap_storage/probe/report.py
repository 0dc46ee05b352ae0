"""What a probe prints: for people, or as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from tap_storage.probe import block

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_storage.probe.plan import Report

WIDTH = 100
INDENT = " " * 16


def as_json(report: Report, schema: Mapping[str, Any], notes: list[str]) -> str:
    """Return the report as a JSON object."""
    findings = [
        {
            "name": finding.name,
            "value": finding.value,
            "evidence": finding.evidence,
            "doubt": finding.doubt,
            "options": finding.options,
        }
        for finding in report.findings
    ]
    doubts = [f"{finding.name}: {finding.doubt}" for finding in report.findings if finding.doubt]
    content = {
        "findings": findings,
        "config": block.config(report, schema),
        "schema": block.schema_of(report),
        "withheld": block.withheld(report, schema),
        "doubts": [*notes, *doubts, *filter(None, [report.stuck])],
        "requests": report.requests,
    }
    return json.dumps(content, indent=2, default=str)


def as_text(report: Report, schema: Mapping[str, Any], notes: list[str]) -> str:
    """Return the report in lines for people."""
    return "\n".join(_lines(report, schema, notes))


def _lines(report: Report, schema: Mapping[str, Any], notes: list[str]) -> Iterator[str]:
    yield f"Asked {report.requests} questions."
    yield from (f"Note: {note}" for note in notes)
    yield ""
    for finding in report.findings:
        value = "none" if finding.value is None else _shown(finding.value)
        yield f"{finding.name:<16}{value}"
        yield from _wrapped(finding.evidence)
        yield from _wrapped(f"doubt: {finding.doubt}" if finding.doubt else "")
    yield ""
    if report.stuck:
        yield "These settings do not read the collection yet (see the error for what to do). So far:"
    else:
        yield "For meltano.yml, under plugins, extractors, tap-storage:"
    yield ""
    yield from block.lines(report, schema)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {part}" for name, part in value.items() if part)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value) if value != "" else 'none, to be set to ""'


def _wrapped(text: str) -> list[str]:
    # Broken at blanks only, which masks expect in a secret.
    return textwrap.wrap(
        text, WIDTH, initial_indent=INDENT, subsequent_indent=INDENT, break_long_words=False, break_on_hyphens=False
    )
