"""Does the API key work, where does it belong, and is it needed at all?"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tap_storage.probe.findings import Finding, StuckError, quote
from tap_storage.probe.interview import NO_CREDENTIAL, Credential, narrow
from tap_storage.probe.lists import complaint, lists

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_storage.probe.asking import Answer
    from tap_storage.probe.interview import Interview, Page

QUERY = ("api_key", "apikey", "key", "token", "access_token", "apiKey")
HEADERS = ("X-API-Key", "Api-Key", "apikey", "X-Auth-Token")
SCHEMES = ("Bearer ", "Token ", "", "ApiKey ", "Api-Key ")
NAMED = re.compile(r"\b[A-Za-z]\w*[_-][\w-]*(?:key|token)\b|(?<=['\"`])[A-Za-z]*(?:key|token)(?=['\"`])", re.IGNORECASE)
BAD_REQUEST = 400
MOST_SINGLES = 6
ABOUT_KEYS = re.compile(
    r"api.?key|token|credential|unauthori[sz]|not authori[sz]|authenticat|forbidden|access denied|permission",
    re.IGNORECASE,
)


def configured(interview: Interview) -> Credential:
    """Return how the config sends the key."""
    settings = interview.believed
    location = settings["auth_location"] if settings.get("api_key") else "none"
    return NO_CREDENTIAL if location == "none" else Credential(location, settings["auth_param"])


def refused(answer: Answer) -> bool:
    """Tell whether an answer says that the key is missing or wrong, by its status or in words."""
    if answer.status in (401, 403):
        return True
    telling = (
        answer.status in (200, BAD_REQUEST)
        and not answer.fault
        and not any(found for _, found in lists(answer.document))
    )
    return telling and bool(ABOUT_KEYS.search(complaint(answer.document)))


def search(interview: Interview, answer: Answer, url: str, *, limit: int | None, offset: int | None) -> Page:
    """Find out where the key belongs, after an answer that refused it; returns the page that came with it there.

    Raises StuckError where it is refused everywhere.
    """
    said = quote(complaint(answer.document))
    told = f"{answer.status}" + (f", and said: {said}" if said else "")
    if not interview.believed.get("api_key"):
        msg = f"The API wants a key (it answered {told}), and none is configured: set api_key"
        raise StuckError(msg)
    good, strict = answer, False

    def works(group: Sequence[Credential]) -> bool:
        nonlocal good, strict
        there = interview.ask(limit=limit, offset=offset, url=url, credentials=group)
        accepted = not refused(there) and there.status < BAD_REQUEST
        strict = strict or (there.status == BAD_REQUEST and not refused(there))
        good = there if accepted else good
        return accepted

    groups = list(_groups(interview, answer))
    for group in groups:
        if works(group):
            interview.credential = narrow(group, works)
            return interview.read(good, limit, offset)
        if strict and limit is not None:
            return search(interview, answer, url, limit=None, offset=None)
    # An API that takes no parameters but its own wants to be asked with one name at a time.
    for single in groups[0][:MOST_SINGLES] if strict else []:
        if works([single]):
            interview.credential = single
            return interview.read(good, limit, offset)
    msg = (
        f"The API refused the key in every place that was tried (it answered {told}). Check api_key; if it is right, "
        "see the vendor's documentation for the name that carries it, and set auth_location and auth_param; or for a "
        "user name or the like that goes with it, and set params or headers"
    )
    raise StuckError(msg)


def _groups(interview: Interview, answer: Answer) -> Iterator[list[Credential]]:
    """Yield ways to send the key that can be tried in one request: all the usual ones, then other words before it."""
    own = configured(interview)
    named = [] if answer.fault else list(dict.fromkeys(NAMED.findall(complaint(answer.document))))[:3]
    scheme = answer.headers.get("WWW-Authenticate", "").split(" ")[0].strip(",")
    names = dict.fromkeys([own.name, *named])
    query = [Credential("query", name) for name in [*names, *QUERY] if name]
    headers = {name.lower(): Credential("header", name) for name in [*names, *HEADERS] if name}
    headers.pop("authorization", None)
    schemes = [each for each in SCHEMES if scheme and each.strip().lower() == scheme.lower()] or list(SCHEMES[:1])
    known = scheme.lower() in [each.strip().lower() for each in SCHEMES if each]
    prefixed = [Credential("header", "Authorization", prefix) for prefix in schemes]
    everything = list(dict.fromkeys([*query, *headers.values()]))
    if not _fits_a_header(interview.believed["api_key"]):
        yield list(dict.fromkeys(query))
        return
    hinted = [*(prefixed if known else []), *(each for each in everything if each.name in named and each != own)]
    if hinted:
        yield hinted
    yield list(dict.fromkeys([*everything, *prefixed]))
    for prefix in SCHEMES:
        if prefix not in schemes:
            yield [Credential("header", "Authorization", prefix)]


def key(interview: Interview) -> Iterator[Finding]:
    """Say whether the key works, and what the API answers without it."""
    way, wanted = interview.credential, configured(interview)
    found = "" if way == wanted else f"not where the config says ({wanted})"
    settings = {"auth_location": way.location} | ({"auth_param": way.name} if way.name else {})
    value = {"location": way.location, "param": way.name, "prefix": way.prefix}
    if way == NO_CREDENTIAL:
        yield Finding("key", None, "asked without it: the answer has records", settings=settings)
        return
    base = interview.base
    page = interview.page(limit=base.limit, offset=base.offset, credentials=[])
    doubt = f"api_key must begin with '{way.prefix}'" if way.prefix else ""
    needless = len(page.records) >= len(base.records) and interview.position(page) is not None
    if needless:
        without = "without it: records as well"
        doubt = "the API seems to serve anybody, so nothing shows that the key is right: auth_location: none works too"
    else:
        without = f"without it: {page.answer.status}" + f", {len(page.records) or 'no'} records"
    evidence = f"asked with it: {base.answer.status}, with records{'; ' + found if found else ''}; {without}"
    yield Finding("key", value, evidence, doubt, settings)


def _fits_a_header(value: str) -> bool:
    return re.fullmatch(r"(?! )[\t\x20-\x7e\xa0-\xff]*(?<! )", value) is not None
