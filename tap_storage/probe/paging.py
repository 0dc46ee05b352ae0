"""Which parameters set the size of a page and where it begins, and how the offset counts."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from tap_storage.probe.findings import Finding, StuckError
from tap_storage.probe.hints import LIMITS, OFFSETS, PARTNERS, Hints, named, unique
from tap_storage.probe.interview import narrow
from tap_storage.probe.standing import WHOLE_PAGES, still

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_storage.probe.interview import Interview, Page

FEW = 3
FAR = 8
"""Asked for with FEW records, an offset that is neither a multiple of a page, nor one, nor one off."""
LIKELY = 6
"""Names that are asked about before the others."""
LEFT_FOR_THE_REST = 4
"""Requests that are kept from the search for names."""


class Steps:
    """Small questions about paging.

    few, far: the limit and the offset that they ask for, so that both can be told from the first page.
    """

    def __init__(self, interview: Interview) -> None:
        self.interview = interview
        known = len(interview.base.records)
        self.few, self.far = (FEW, FAR) if known > FAR else (1, min(2, known - 1))
        self.asked: list[str] = []
        self.shuffled = False
        """Whether known records came in another order than on the first page."""
        self.limit, self.offset = "", ""
        """The names that the last answer goes by."""

    def ask(self, limits: Sequence[str], offsets: Sequence[str]) -> tuple[bool, int | None]:
        """Ask by these names; returns whether a limit is heeded, and where in the first page the answer begins.

        Each name gets a value of its own, so that the answer tells which one it goes by.
        """
        self.limit, self.offset = "", ""
        if self.interview.asker.left <= LEFT_FOR_THE_REST:
            return False, None
        sizes = {name: self.few + i for i, name in enumerate(limits)}
        starts = {name: self.far + 2 * i for i, name in enumerate(offsets)}
        page = self.interview.page(extra=sizes | starts)
        place = self._judge(page, sizes | starts)
        held = len(page.records)
        self.limit = next((n for n, size in sizes.items() if size == held != len(self.interview.base.records)), "")
        self.offset = next((n for n, start in starts.items() if place in (start, start - 1)), "")
        return bool(self.limit), place

    def _judge(self, page: Page, sent: Mapping[str, int]) -> int | None:
        """Return where in the first page an answer begins."""
        base, identity = self.interview.base, self.interview.identity
        place = self.interview.position(page)
        where = f"from record {place} on" if place is not None else "unknown ones" if page.records else "no records"
        known = list(map(identity, base.records[place or 0 :][: len(page.records)]))
        self.shuffled = place is not None and list(map(identity, page.records[: len(known)])) != known
        words = ", ".join(f"{name}={value}" for name, value in sent.items())
        words = words if len(sent) <= FEW + 1 else f"{len(sent)} usual names at once"
        self.asked.append(f"asked for {words}: {page.answer.status}, {len(page.records)} records, {where}")
        return place

    def moved(self, place: int | None) -> bool:
        """Tell whether an offset led to another place on the first page."""
        return place is not None and place > 0


def names(interview: Interview) -> Iterator[Finding]:
    """Find the names of the limit and the offset."""
    settings, base = interview.believed, interview.base
    sent = {settings["limit_param"]: str(base.limit), settings["offset_param"]: str(base.offset)}
    hints = Hints(base.answer, settings["data_selector"], records=len(base.records), sent=sent)
    steps = Steps(interview)
    if len(base.records) < 2:  # noqa: PLR2004 (nothing can be seen to move)
        yield Finding("paging", None, "one record", "too few records to see what the parameters do")
        interview.moves = interview.heeds_limit = True
        return
    limit, offset, place = _search(interview, steps, hints)
    interview.heeds_limit, interview.moves = bool(limit), bool(offset)
    # What the first page was asked with by other names was not heard.
    interview.base = dataclasses.replace(
        base,
        limit=base.limit if limit in ("", settings["limit_param"]) else None,
        offset=base.offset if offset in ("", settings["offset_param"]) else None,
    )
    interview.pages = [interview.base]
    evidence = "; ".join(steps.asked[:1] + steps.asked[1:][-1:])
    if steps.shuffled:
        msg = (
            f"The order of the records changes from one request to the next ({evidence}): pages would miss some. "
            "If the API has a parameter to sort by, put it into params (sort: id)"
        )
        raise StuckError(msg)
    if limit:
        yield Finding("limit_param", limit, evidence, settings={"limit_param": limit})
    else:
        taken_ill = base.limit is None
        doubt = "no parameter for the size of a page was found"
        yield Finding("limit_param", None, evidence, doubt, {"limit_param": ""} if taken_ill else {})
    if offset:
        yield from _moving(interview, steps, offset, place, evidence)
    else:
        yield from still(interview, hints, evidence)


def _search(interview: Interview, steps: Steps, hints: Hints) -> tuple[str, str, int | None]:
    """Return the names of limit and offset, empty where there is none, and where the offset led."""
    own = (interview.believed["limit_param"], interview.believed["offset_param"])
    fields = {name for record in interview.base.records[:50] for name in record}
    complaints = [named(answer) for answer in interview.asker.answers if answer.status in range(400, 423)]
    limits = unique(hints.limits, *(told for told, _ in complaints), without=fields)
    offsets = unique(hints.offsets, *(told for _, told in complaints), without=fields)
    rounds = [([own[0]] if own[0] else [], [own[1]] if own[1] else [])]
    if set(limits) - {own[0]} or set(offsets) - {own[1]}:
        rounds.insert(0 if hints.offsets and own[1] not in hints.offsets else 1, (limits[:3], offsets[:3]))
    rounds.append((unique(limits, LIMITS, without=fields), unique(offsets, OFFSETS, without=fields)))
    pairs = [
        ([limit], [partner]) for limit, partners in PARTNERS.items() for partner in partners[:1] if limit != own[0]
    ]
    pairs.sort(key=lambda pair: -(pair[0][0] in limits) - (pair[1][0] in offsets))
    limit, offset, place = "", "", None
    for some_limits, some_offsets in [*rounds, *pairs]:
        trying = ([limit] if limit else some_limits, [offset] if offset else some_offsets)
        heeded, at = steps.ask(*trying)
        guess = (limit or steps.limit, offset or steps.offset)
        if all(guess) and guess != (*trying[0], *trying[1]):
            alone, led = steps.ask(guess[:1], guess[1:])
            if alone and steps.moved(led):
                return *guess, led
        limit = limit or (_limit(steps, *trying) if heeded else "")
        if not offset and steps.moved(at):
            offset, place = _offset(steps, [limit] if limit else trying[0], trying[1], at)
        if (limit and offset) or interview.asker.left <= LEFT_FOR_THE_REST:
            break
        if at is not None and some_limits == rounds[-1][0]:
            break  # all names together were answered as if there were none: one by one they do no better
    return limit, offset, place


def _limit(steps: Steps, limits: Sequence[str], offsets: Sequence[str]) -> str:
    found: str = narrow(limits, lambda group: steps.ask(group, offsets)[0], first=LIKELY)
    return found


def _offset(steps: Steps, limits: Sequence[str], offsets: Sequence[str], place: int | None) -> tuple[str, int | None]:
    """Return the one name that moves the page, and where it leads."""
    led = {tuple(offsets): place}

    def works(group: Sequence[str]) -> bool:
        led[tuple(group)] = steps.ask(limits, group)[1]
        return steps.moved(led[tuple(group)])

    partners = [name for name in PARTNERS.get(limits[0] if limits else "", ()) if name in offsets]
    ordered = unique(partners, offsets)
    found: str = narrow(ordered, works, first=len(partners))
    return found, led.get((found,), place)


def _moving(interview: Interview, steps: Steps, offset: str, place: int | None, evidence: str) -> Iterator[Finding]:
    """Say what a parameter that moves the page counts, and from where."""
    settings = {"offset_param": offset}
    far, few = steps.far, steps.few
    if place == far or place is None:
        yield Finding("offset_param", offset, evidence, settings=settings)
        yield Finding("offset_step", 1, f"offset {far} with {few} records at a time is no multiple, and was heeded")
    elif place == far - 1:
        yield Finding("offset_param", offset, evidence, settings=settings | {"initial_offset": 1})
        yield Finding("first_offset", 1, f"offset {far} begins with the {far}th record: the API counts from 1")
    elif place in (far * few, (far - 1) * few):
        interview.moves = False
        doubt = f"{offset} counts pages, not records: this tap reads by offsets of records, and cannot use it"
        yield Finding("offset_param", None, evidence, doubt)
    else:
        yield Finding("offset_param", offset, evidence, settings=settings)
        yield Finding("offset_step", "whole pages", f"offset {far} begins at record {place}", WHOLE_PAGES)
