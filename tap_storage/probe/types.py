"""Which fields have other types than the first page shows: discovery looks at that page alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.inference import infer
from tap_storage.probe.findings import Finding, some

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_storage.probe.interview import Interview


def fields(interview: Interview) -> Iterator[Finding]:
    """Say which fields are of other types on pages further in; they are to be declared."""
    keys = interview.believed["primary_keys"]
    begins = [page for page in interview.seen if page.offset in (None, interview.first_offset)]
    first = max(begins, key=lambda page: len(page.records), default=interview.base)
    sampled = list(first.records[: interview.believed["limit"]])
    everything = [record for page in interview.seen for record in page.records]
    shown = infer(sampled, keys)
    later = {name: field for name, field in infer(everything, keys).items() if field != shown.get(name)}
    evidence = f"the first {len(sampled)} records against all that were seen, {len(everything)}"
    if later:
        evidence = f"{evidence}: {some(later)} would be of another type, or missing"
    doubt = "other pages may show still others: the run then says which"
    yield Finding("fields", len({*shown, *later}), evidence, doubt, schema=later)
