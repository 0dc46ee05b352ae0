"""The questions in their order: each adds what it finds out to what the next one may rely on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from tap_storage.probe import access, extent, filters, keys, opening, paging, types
from tap_storage.probe.asking import UnreachableError
from tap_storage.probe.findings import Finding, SpentError, StuckError
from tap_storage.probe.pace import pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tap_storage.probe.interview import Interview

    Ask = Callable[[Interview], Iterator[Finding]]

QUESTIONS: Sequence[Ask] = (
    opening.host,
    keys.primary,
    access.key,
    paging.names,
    extent.total,
    extent.largest,
    keys.replication,
    keys.order,
    filters.start,
    types.fields,
)
SPENT = "no request was left to ask: set what was found out, and run the probe again"
OPTIONAL: Mapping[Ask, str] = {extent.total: "total", extent.largest: "page_size", filters.start: "start_param"}
"""Questions, by what they find out, without an answer to which the collection can be read all the same."""


@dataclasses.dataclass(frozen=True)
class Report:
    """What a probe came to.

    stuck: why the settings are not believed to read the collection; empty if they are. fields: of the records. stream:
    its name. own: settings that the user did not give, and that no question was about.
    """

    findings: Sequence[Finding]
    settings: Mapping[str, Any]
    requests: int
    stuck: str
    fields: frozenset[str]
    stream: str
    own: frozenset[str]


def probe(interview: Interview, *, stream: str) -> Report:
    """Ask everything, as far as one can get. stream: name of the collection."""
    stuck = _ask(interview)
    if interview.asker.answers:
        for finding in pace(interview):
            interview.add(finding)
    opened = any(finding.name == "records" for finding in interview.findings)
    if not stuck and not (opened and interview.moves):
        stuck = "The collection cannot be read whole: see what was found out about offset_param"
    fields = frozenset(name for record in interview.base.records for name in record) if opened else frozenset()
    own = frozenset({"user_agent", "resources"} - interview.explicit)
    return Report(interview.findings, interview.believed, interview.asker.requests, stuck, fields, stream, own)


def _ask(interview: Interview) -> str:
    """Put the questions; returns why one could not go on, empty if all were put, or all that matter."""
    for question in QUESTIONS:
        stuck = _put(interview, question)
        if stuck and question in OPTIONAL:
            interview.add(Finding(OPTIONAL[question], None, stuck, "see to it, and run the probe again"))
        elif stuck:
            return stuck
    return ""


def _put(interview: Interview, question: Ask) -> str:
    """Put one question; returns why it could not be answered, empty if it was."""
    if not interview.asker.left and question in OPTIONAL:
        return SPENT
    try:
        for finding in question(interview):
            interview.add(finding)
    except SpentError:
        return SPENT
    except (StuckError, UnreachableError) as error:
        return str(error)
    return ""
