"""Is the host there, where is the collection, and where in its answers are the records?"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tap_storage.probe import access
from tap_storage.probe.asking import UnreachableError
from tap_storage.probe.findings import Finding, StuckError, quote, some
from tap_storage.probe.interview import NO_CREDENTIAL, Page, origin
from tap_storage.probe.lists import complaint, links, lists

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_storage.probe.asking import Answer
    from tap_storage.probe.interview import Interview

DEFAULT_PATH = "/v1/resource"
MOST_PLACES = 6
PAGING_REFUSED = (400, 405, 406, 409, 416, 422, 500)


def host(interview: Interview) -> Iterator[Finding]:
    """Find the collection, by way of the host, the key and the path."""
    interview.credential = access.configured(interview)
    asked = interview.url
    tried: dict[str, str] = {}
    places = [asked, *_places(interview)]
    page = None
    while places and len(tried) < MOST_PLACES and not (page and page.sound):
        if (url := places.pop(0)) in tried:
            continue
        page = _first(interview, url) if tried else _reach(interview, url)
        if not tried:
            yield _host(page.answer)
        tried[url] = _told(page.answer)
        if page.answer.status in interview.believed["retry_statuses"]:
            msg = f"The API is not in order, or busy (it answered {tried[url]}, twice): run the probe again later"
            raise StuckError(msg)
        index = {} if page.sound or page.answer.fault else links(page.answer.document, page.answer.url)
        if index:
            places = [_likeliest(interview, index), *places]
            tried[url] = f"an index of {some(index)}"
    seen = "; ".join(f"{urlsplit(url).path or '/'}: {told}" for url, told in tried.items())
    if page is None or not page.sound:
        msg = f"No list of records was found ({seen}). Set base_url and path to the address of the collection"
        raise StuckError(msg)
    yield from _found(interview, page, asked, seen)


def _host(answer: Answer) -> Finding:
    words = f"{urlsplit(answer.url).scheme} was answered with {answer.status} after {answer.seconds:.2f} s"
    return Finding("host", urlsplit(answer.url).netloc, words)


def _reach(interview: Interview, url: str) -> Page:
    """Ask for the first time; where there is no answer, try the other of http and https."""
    try:
        page = _first(interview, url)
        if not (url.startswith("http:") and page.answer.status == 400 and page.answer.fault):  # noqa: PLR2004
            return page
        failure = UnreachableError("was answered with 400, and no JSON", tls=False)
    except UnreachableError as error:
        page, failure = None, error
    try:
        if url.startswith("http:"):
            secure = _first(interview, "https" + url[4:])
            interview.believed["base_url"] = "https" + interview.believed["base_url"][4:]
            return secure
        if failure.tls and interview.asker.get("http" + url[5:], [], {}):
            msg = f"The host speaks plain http there, not https: set base_url to http://{urlsplit(url).netloc}…"
            raise StuckError(msg)
    except UnreachableError:
        pass
    if page:
        return page
    msg = f"The API {failure}"
    raise StuckError(msg)


def _first(interview: Interview, url: str) -> Page:
    """Ask for a first page as configured, then without what the API may have taken ill."""
    limit, offset = interview.believed["limit"], interview.first_offset
    page = interview.page(limit=limit, offset=offset, url=url)
    url = page.answer.url  # where a redirect led is asked from then on
    if access.refused(page.answer):
        page = access.search(interview, page.answer, url, limit=limit, offset=offset)
    page = _read(interview, page)
    if page.answer.status in PAGING_REFUSED or (page.sound and not page.records):
        bare = _read(interview, interview.page(url=url))
        if bare.answer.status == access.BAD_REQUEST and interview.credential.location == "query":
            bare = _without_key(interview, url)
        page = bare if bare.records or not page.sound else page
    if page.sound and not page.records and interview.credential.location == "query":
        # Some take any parameter for a filter, by a field that no record has.
        bare = _read(interview, interview.page(url=url, credentials=[]))
        if bare.records:
            interview.credential = NO_CREDENTIAL
            page = bare
    return page


def _without_key(interview: Interview, url: str) -> Page:
    """Ask for a page with nothing but what the config wants; find out where the key belongs, if one is missing then."""
    page = interview.page(url=url, credentials=[])
    if access.refused(page.answer):
        page = access.search(interview, page.answer, url, limit=None, offset=None)
    elif page.answer.good:
        interview.credential = NO_CREDENTIAL
    return _read(interview, page)


def _read(interview: Interview, page: Page) -> Page:
    """Find the records elsewhere, where they are not where they are believed to be."""
    if page.records or not page.answer.good or not (found := lists(page.answer.document)):
        return page
    interview.believed["data_selector"] = found[0][0]
    return interview.read(page.answer, page.limit, page.offset)


def _places(interview: Interview) -> Iterator[str]:
    """Yield where else the collection may be."""
    base, path, url = interview.believed["base_url"].rstrip("/"), interview.believed["path"], interview.url
    yield url.rstrip("/") if url.endswith("/") else f"{url}/"
    if parent := path.strip("/").rpartition("/")[0]:  # many have an index there
        yield f"{base}/{parent}/"
    if "path" not in interview.explicit and path != DEFAULT_PATH:
        yield interview.place(url, DEFAULT_PATH)
    if urlsplit(base).path:
        yield interview.place(origin(base), path)
        yield base
    else:
        yield f"{base}/"


def _likeliest(interview: Interview, index: dict[str, str]) -> str:
    """Return the address in an index that is named most like the collection that is wanted."""
    wanted = interview.believed["path"].strip("/").rpartition("/")[2]
    return next(
        (url for name, url in index.items() if wanted in (name, urlsplit(url).path)), next(iter(index.values()))
    )


def _told(answer: Answer) -> str:
    if answer.fault:
        return f"{answer.status}, a body that {answer.fault}"
    said = quote(complaint(answer.document))
    if said or answer.status not in range(200, 300):
        return f"{answer.status}" + (f", '{said}'" if said else "")
    if isinstance(answer.document, list) and answer.document:
        return f"{answer.status}, a list"
    names = answer.document if isinstance(answer.document, dict) else []
    return f"{answer.status}, with the keys {some(names)}" if names else f"{answer.status}, without records"


def _found(interview: Interview, page: Page, asked: str, seen: str) -> Iterator[Finding]:
    """Say where the collection is, and where its records are."""
    base = interview.believed["base_url"].rstrip("/")
    url = page.answer.url
    moved = {}
    if url != asked:
        moved = {"path": url[len(base) :]} if url.startswith(base) else {"path": urlsplit(url).path}
    if not url.startswith(base):
        base = origin(url)
    value = {"host": urlsplit(url).netloc, "path": urlsplit(url).path}
    doubt = "is it the collection that is meant?" if "index" in seen else ""
    settings = {"base_url": base, **moved}
    yield Finding("collection", value, f"asked for a page: {seen}", doubt, settings)
    yield _records(interview, page)
    interview.base = page
    interview.pages.append(page)
    if not page.records:
        msg = "The collection is empty, or a parameter leaves out everything: nothing more can be found out"
        raise StuckError(msg)


def _records(interview: Interview, page: Page) -> Finding:
    selector = interview.believed["data_selector"]
    others = [path for path, found in lists(page.answer.document) if path != selector and found]
    doubt = f"there are lists of objects at {some(others)} as well" if others else ""
    fields = some(page.records[0]) if page.records else ""
    evidence = f"{len(page.records)} objects in the first answer, with {fields}" if fields else "an empty list"
    return Finding("records", selector, evidence, doubt, {"data_selector": selector})
