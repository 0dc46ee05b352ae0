"""Which fields identify a record and tell new ones, and how the collection is sorted by them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_storage.bookmarks import Instants, Numbers, Scale
from tap_storage.probe import fields
from tap_storage.probe.findings import Finding, some

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_storage.probe.interview import Interview

ENOUGH = 10
"""Records by which a field can be judged."""


def primary(interview: Interview) -> Iterator[Finding]:
    """Say by which fields the records differ."""
    records, own = interview.base.records, interview.believed["primary_keys"]
    doubt = f"only {len(records)} records were looked at" if len(records) < ENOUGH else ""
    found = fields.primary_keys(records)
    if own and fields.differ(records, own):
        found = [own, *(keys for keys in found if keys != own)]
    if not found:
        words = "no field, and no two of them, have a different text or whole number in each record"
        doubt = "without primary_keys a destination can only append: records that are read again come twice"
        yield Finding("primary_keys", None, words, doubt, {"primary_keys": []})
        return
    best, others = found[0], [" + ".join(keys) for keys in found[1:]]
    if len(best) > 1:
        doubt = "two fields together are the best that was found, which a few records cannot prove"
    words = f"there, not null, and different in {len(records)} records" + (f"; so: {some(others, 4)}" if others else "")
    yield Finding("primary_keys", best, words, doubt, {"primary_keys": best})


def replication(interview: Interview) -> Iterator[Finding]:
    """Say which field tells new records, and whether one tells changed ones."""
    records, own = interview.base.records, interview.believed["replication_key"]
    found = fields.dates(records)
    updated = [name for name in found if fields.UPDATED.search(name)]
    changed = ""
    if updated and (updated[0] != own or "replication_key" not in interview.explicit):
        changed = (
            f"{updated[0]} would find changed records as well; but where the API sorts by it, records move while they "
            "are read, and those without it are always read again"
        )
    if not own and "replication_key" in interview.explicit:
        yield Finding("replication_key", "", f"off, as configured; there are {some(found) or 'no dates'}")
        return
    every = fields.every_date(records)
    own = own if own in every else next(iter(found), "")
    if not own:
        yield _none(interview, list(every))
        return
    form = every[own]
    share = fields.missing(records, own)
    told = {"iso": "dates", "epoch": "seconds since 1970", "epoch_ms": "milliseconds since 1970"}[form]
    evidence = f"{told} in {len(records)} records" + (f", null in {share:.0%}" if share else "")
    if others := [name for name in every if name != own]:
        evidence += f"; so: {some(others, 4)}"
    if fields.UPDATED.search(own):
        changed = "it finds changed records, too; but where the API sorts by it, records move while they are read"
    elif not fields.CREATED.search(own):
        changed = "; ".join(filter(None, ["its name does not say that later records have later dates", changed]))
    settings = {"replication_key": own} | ({"datetime_format": form} if form != "iso" else {})
    yield Finding("replication_key", own, evidence, changed, settings)


def _none(interview: Interview, every: Sequence[str]) -> Finding:
    """Say that no field tells new records, but perhaps a growing number does."""
    keys = interview.believed["primary_keys"]
    grows = len(keys) == 1 and all(isinstance(record[keys[0]], int) for record in interview.base.records)
    doubt = "every run reads and loads everything"
    if grows:
        doubt += f"; if {keys[0]} only ever grows, replication_key: {keys[0]} finds new records"
    options = {"replication_key": keys[0]} if grows else {}
    words = f"no dates whose name says that they tell new records: {some(every)}" if every else "no field has dates"
    return Finding("replication_key", None, words, doubt, {"replication_key": ""}, options)


def scale(interview: Interview) -> Scale:
    """Return how the replication key is read."""
    form = interview.believed["datetime_format"]
    name = interview.believed["replication_key"]
    numeric = any(isinstance(record.get(name), int) for record in interview.base.records)
    return Numbers(form) if numeric else Instants(form)


def order(interview: Interview) -> Iterator[Finding]:
    """Say how the pages that were seen are sorted."""
    keys, replication_key = interview.believed["primary_keys"], interview.believed["replication_key"]
    records = [record for page in interview.pages for record in page.records]
    places = "; ".join(f"{len(page.records)} at offset {page.offset or 0}" for page in interview.pages)
    by_key = fields.direction(fields.column(records, keys[0])) if len(keys) == 1 else ""
    values = fields.column(records, replication_key, scale(interview)) if replication_key else []
    by_date = fields.direction(values)
    evidence = f"looked at {places}: by {replication_key or 'date'} {by_date or 'cannot be told'}, by "
    evidence += f"{some(keys) or 'key'} {by_key or 'cannot be told'}"
    far = len(interview.pages) > 1 or interview.whole or len(records) == interview.total
    sure = by_date in ("ascending", "descending") and far and len(records) >= ENOUGH and None not in values
    if "sort_order" in interview.explicit and interview.believed["sort_order"] == by_date:
        yield Finding("sort_order", by_date, evidence, "" if sure else "little was seen of it")
    elif sure and by_key != by_date:
        yield Finding("sort_order", by_date, evidence, _beware(by_date), {"sort_order": by_date})
    elif sure:
        doubt = f"sorted by {keys[0]} as well, and which of the two the API goes by cannot be seen. {_beware(by_date)}"
        yield Finding("sort_order", by_date, evidence, doubt, {"sort_order": "unsorted"}, {"sort_order": by_date})
    elif by_key in ("ascending", "descending") or by_date in ("ascending", "descending"):
        doubt = "too little was seen of it to rely on" if by_date in ("ascending", "descending") else ""
        yield Finding("sort_order", "unsorted", evidence, doubt, {"sort_order": "unsorted"})
    else:
        doubt = (
            "if the API has a parameter to sort by, put one into params (sort: id): an order that varies loses records"
        )
        yield Finding("sort_order", "unsorted", evidence, doubt, {"sort_order": "unsorted"})


def _beware(direction: str) -> str:
    return f"With sort_order: {direction} less is read, but a record that turns up with an older date is not seen"
