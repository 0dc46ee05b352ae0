"""Does a parameter leave out the records that are older than a date?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_storage.bookmarks import Instants
from tap_storage.probe import keys
from tap_storage.probe.fields import UPDATED, column
from tap_storage.probe.findings import Finding, some
from tap_storage.probe.hints import unique
from tap_storage.probe.interview import narrow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tap_storage.probe.interview import Interview, Page

BY_FIELD = (
    "{0}__gte", "{0}_gte", "{0}[gte]", "{0}_after", "{0}_from", "{0}_since", "min_{0}", "{0}_min", "{0}__gt", "{0}_gt",
    "{0}.gte", "{0}:gte", "{0}>", "filter[{0}][gte]", "{0}_start", "{0}[after]", "{0}_ge", "{0}[gt]", "{0}[from]",
)  # fmt: skip
BY_VERB = ("{0}_after", "{0}_since", "{0}_from", "{0}After", "{0}Since", "{0}From", "{0}_start", "{0}_gte", "{0}_min")
BY_DATE = ("since", "start_date", "from_date", "date_from", "startDate", "fromDate", "start_time", "from")
TOGETHER = 48
MOST_SINGLES = 6
MOST_BOUNDS = 12
UNITS_S = (86_400, 3600, 60, 1)


def start(interview: Interview) -> Iterator[Finding]:
    """Look for the parameter, by a date in the middle of those on the first page."""
    name = interview.believed["replication_key"]
    scale: Any = keys.scale(interview)
    page = interview.base
    known = sorted({value for value in column(page.records, name, scale) if value is not None}) if name else []
    if len(known) < 3:  # noqa: PLR2004 (nothing before, at and after a bound)
        words = f"not asked: {name} has too few different values" if name else "not asked: there is no replication key"
        yield Finding("start_param", None, words)
        return
    trial = Trial(interview, scale, known)
    for form in _forms(interview, name):
        if found := trial.search(_names(interview, name), form):
            settings = {"start_param": found} | ({"datetime_format": form} if form != "iso" else {})
            yield Finding("start_param", found, trial.seen, settings=settings)
            return
        if trial.strict or trial.doubt:
            break
    words = trial.seen or "no request was left to ask"
    doubt = trial.doubt or "the API may have one by another name: without it every run reads all pages"
    if interview.believed.get("start_param"):
        doubt = f"the one that is configured was not seen to filter; {doubt}"
    yield Finding("start_param", None, words, doubt)


class Trial:
    """Filters held against the first page. known: the different replication keys on it, lowest first."""

    def __init__(self, interview: Interview, scale: Any, known: Sequence[Any]) -> None:
        self.interview, self.scale, self.known = interview, scale, known
        self.bound = known[len(known) // 2]
        self.seen = ""
        self.doubt = ""
        self.asker = interview.asker
        self.strict = False
        """Whether parameters that the API does not know are not passed over."""
        self.group: Sequence[str] = ()
        """The names that were last seen to filter."""
        self.alone = ""
        """The name that was last seen to filter without others."""

    def search(self, names: Sequence[str], form: str) -> str:
        """Return the name that filters by values in this form, empty if none does."""
        effect = self._effect(names, form)
        if effect is None:  # taken ill, or for filters of another kind: the likeliest one by one
            self.strict = True
            return next((name for name in self._likely(names) if self._effect([name], form)), "")
        if not effect:
            return ""
        if self._effect(self._pick(names, form), form) and self.alone:
            return self.alone
        found: str = narrow(names, lambda group: bool(self._effect(group, form)), first=12)
        if self.asker.left and self.alone != found:
            self._effect([found], form)
        if self.alone != found:
            self.doubt = f"one of these seemed to filter, and which could not be found out: {some(self.group, 12)}"
        return self.alone

    def _pick(self, names: Sequence[str], form: str) -> Sequence[str]:
        """Return the name that seems to filter: groups of names get other bounds, and the oldest record tells which."""
        while len(names) > 1 and self.asker.left > 1:
            most = min(len(names), len(self.known) - 1, MOST_BOUNDS)
            bounds = [self.known[(i + 1) * (len(self.known) - 1) // most] for i in range(most)]
            groups = [names[i * len(names) // most : (i + 1) * len(names) // most] for i in range(most)]
            page = self._ask({name: bound for group, bound in zip(groups, bounds, strict=True) for name in group}, form)
            field = self.interview.believed["replication_key"]
            values = [value for value in column(page.records, field, self.scale) if value is not None]
            if not values:
                break
            names = groups[min(range(most), key=lambda i: abs(bounds[i] - min(values)))]
        return names[:1]

    def _ask(self, bounds: Mapping[str, Any], form: str) -> Page:
        """Ask for the first page with these lower bounds, written as the tap writes them."""
        scale = Instants(form) if isinstance(self.scale, Instants) else self.scale
        written = {name: scale.start_parameter(bound) for name, bound in bounds.items()}
        base = self.interview.base
        page = self.interview.page(limit=base.limit, offset=base.offset, extra=written)
        words = "=".join(next(iter(written.items()))) if len(written) == 1 else f"{len(written)} usual names"
        self.seen = f"asked for {words}: {page.answer.status}, {len(page.records)} records"
        return page

    def _likely(self, names: Sequence[str]) -> list[str]:
        endings = ("_gte", "[gte]", "_after", "_since", "since")
        return [name for name in names if name.endswith(endings)][:MOST_SINGLES]

    def _effect(self, names: Sequence[str], form: str) -> bool | None:
        """Tell whether these parameters together filter; None for an error, or where records are lacking."""
        if not self.asker.left:
            return False
        base = self.interview.base
        page = self._ask(dict.fromkeys(names, self.bound), form)
        if not page.records:
            return None
        before, due = self._split(base)
        below, _ = self._split(page)
        if below or not before:
            return False
        self.seen += f", none from before; without it {len(before)} of {len(base.records)} are"
        kept = set(map(self.interview.identity, page.records))
        lost = [record for record in due if self.interview.identity(record) not in kept]
        full = len(page.records) >= len(base.records)
        if lost and not (full and len(lost) <= len(due) // 2):
            return None
        self.group = names
        self.alone = names[0] if len(names) == 1 else ""
        return True

    def _split(self, page: Page) -> tuple[list[Any], list[Any]]:
        """Return the records that a filter leaves out, however coarse it is, and those that it has to keep."""
        field = self.interview.believed["replication_key"]
        first = [value for value in column(self.interview.base.records, field, self.scale) if value is not None]
        # An API may know no seconds, or no hours: as much is granted as the first page can still tell.
        lowest = next(
            (low for unit in UNITS_S if min(first) < (low := self.scale.before(self.bound, unit))),
            self.scale.before(self.bound, 1),
        )
        dated = list(zip(page.records, column(page.records, field, self.scale), strict=True))
        return (
            [record for record, value in dated if value is not None and value < lowest],
            [record for record, value in dated if value is not None and value > self.bound],
        )


def _names(interview: Interview, field: str) -> list[str]:
    """Return what such a parameter is usually called, the likeliest first, without the names of fields."""
    verbs = ("updated", "modified") if UPDATED.search(field) else ("created",)
    stem = field.rpartition("_")[0] if field.endswith(("_at", "_on", "_date", "_time")) else field
    by_verb = [name.format(verb) for verb in unique((stem,), verbs) for name in BY_VERB]
    own = interview.believed.get("start_param") or ""
    names = unique([own], [name.format(field) for name in BY_FIELD], by_verb, BY_DATE)
    sent = {interview.believed["limit_param"], interview.believed["offset_param"], *interview.believed["params"]}
    present = {name for record in interview.base.records[:50] for name in record}
    return [name for name in names if name not in sent | present][:TOGETHER]


def _forms(interview: Interview, field: str) -> list[str]:
    form = interview.believed["datetime_format"]
    if form != "iso":
        return [form]
    blank = any(" " in str(record.get(field)) for record in interview.base.records)
    return ["%Y-%m-%d %H:%M:%S", "iso"] if blank else ["iso", "epoch"]
