"""Tiny APIs in the shapes that are met in the wild, each a function from a request to an answer."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

KEY = "k3y-for-a-shape"


class Asked(NamedTuple):
    """A request: its path, its query as text and by name, its headers by lower-case name."""

    path: str
    query: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


class Answer(NamedTuple):
    """A status, a document (or text, sent as it is), and more headers."""

    status: int
    document: Any
    headers: Mapping[str, str] = {}


def records(count: int = 130) -> list[dict[str, Any]]:
    """Make records with growing ids, an hour apart."""
    first = datetime(2024, 1, 1, tzinfo=timezone.utc)
    moments = [first + timedelta(hours=i) for i in range(count)]
    return [
        {"id": i + 1, "name": f"record {i + 1}", "created_at": f"{moment:%Y-%m-%dT%H:%M:%SZ}"}
        for i, moment in enumerate(moments)
    ]


class Serving:
    """Serves a shape while a `with` block runs. asked: every request, oldest first."""

    def __init__(self, answer: Callable[[Asked], Answer]) -> None:
        self.asked: list[Asked] = []
        serving = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                params = dict(parse_qsl(parts.query, keep_blank_values=True))
                asked = Asked(parts.path, parts.query, params, headers)
                serving.asked.append(asked)
                status, document, more = answer(asked)
                body = document.encode() if isinstance(document, str) else json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **more}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


ALL = records()


def linked(asked: Asked) -> Answer:
    """Answer like a framework: key after `Token `, a slash at the end, links to the next page, an index at the root."""
    if asked.path == "/":
        return Answer(200, {"things": f"http://{asked.headers['host']}/api/things/"})
    if asked.path == "/api/things":
        return Answer(301, "", {"Location": f"/api/things/?{asked.query}"})
    if asked.path != "/api/things/":
        return Answer(404, "<h1>Not Found</h1>")
    if asked.headers.get("authorization") != f"Token {KEY}":
        return Answer(401, {"detail": "Authentication credentials were not provided."}, {"WWW-Authenticate": "Token"})
    limit, offset = min(int(asked.params.get("limit", 10)), 40), int(asked.params.get("offset", 0))
    following = f"http://{asked.headers['host']}{asked.path}?limit={limit}&offset={offset + limit}"
    more = offset + limit < len(ALL)
    return Answer(
        200, {"count": len(ALL), "next": following if more else None, "results": ALL[offset : offset + limit]}
    )


def filtering(asked: Asked) -> Answer:
    """Answer with a bare list, and take every parameter that it does not know for a filter by a field."""
    if asked.path != "/records":
        return Answer(404, {})
    own = ("_start", "_limit", "created_at_gte")
    found = [record for record in ALL if record["created_at"] >= asked.params.get("created_at_gte", "")]
    for name, value in asked.params.items():
        found = [record for record in found if name in own or str(record.get(name)) == value]
    start, limit = int(asked.params.get("_start", 0)), int(asked.params.get("_limit", len(ALL)))
    return Answer(200, found[start : start + limit], {"X-Total-Count": str(len(found))})


def headed(asked: Asked) -> Answer:
    """Answer with a bare list that only a Link header says how to go on from; the key is in a header."""
    if asked.headers.get("x-api-key") != KEY:
        return Answer(403, {"message": "Forbidden"})
    size, start = min(int(asked.params.get("page_size", 25)), 50), int(asked.params.get("first_row", 0))
    link = f'<http://{asked.headers["host"]}{asked.path}?page_size={size}&first_row={start + size}>; rel="next"'
    return Answer(200, ALL[start : start + size], {"Link": link} if start + size < len(ALL) else {})


def taking(asked: Asked) -> Answer:
    """Answer with a list two levels down, by skip and take, and filter by a parameter; refuses in words, with 200."""
    if asked.params.get("token") != KEY:
        return Answer(200, {"ok": False, "error": {"message": "Invalid API token"}})
    found = [record for record in ALL if record["created_at"] > asked.params.get("createdSince", "")]
    take, skip = min(int(asked.params.get("take", 30)), 60), int(asked.params.get("skip", 0))
    answer = {"items": found[skip : skip + take], "facets": [{"name": "a"}], "totalItems": len(found)}
    return Answer(200, {"ok": True, "result": answer, "took": len(asked.query)})


def from_one(asked: Asked) -> Answer:
    """Count from 1, refuse 0, and say what it was asked."""
    start, count = int(asked.params.get("startIndex", 1)), int(asked.params.get("count", 20))
    if start < 1 or not set(asked.params) <= {"startIndex", "count", "key"}:
        return Answer(400, {"detail": "only startIndex (from 1) and count are known"})
    if asked.params.get("key") != KEY:
        return Answer(401, {"detail": "missing query parameter 'key'"})
    page = ALL[start - 1 : start - 1 + count]
    return Answer(200, {"totalResults": len(ALL), "itemsPerPage": len(page), "startIndex": start, "Resources": page})


def odata(asked: Asked) -> Answer:
    """Answer as OData does, and turn down more than 50 records in words."""
    top, skip = int(asked.params.get("$top", 20)), int(asked.params.get("$skip", 0))
    if top > 50:
        return Answer(400, {"error": {"message": "The limit of '50' for Top query has been exceeded."}})
    return Answer(200, {"@odata.count": len(ALL), "value": ALL[skip : skip + top]})


def numbered(asked: Asked) -> Answer:
    """Page by numbers only."""
    page = int(asked.params.get("page", 1))
    return Answer(200, {"data": ALL[20 * page - 20 : 20 * page], "page": page})


def tokened(asked: Asked) -> Answer:
    """Page by tokens only."""
    start = int(asked.params.get("cursor", "c0")[1:])
    return Answer(200, {"data": ALL[start : start + 20], "next_cursor": f"c{start + 20}"})


def numbered_in_one(asked: Asked) -> Answer:
    """Page by numbers, but let a page be as large as is asked for."""
    page, size = int(asked.params.get("page", 1)), int(asked.params.get("per_page", 20))
    return Answer(200, {"data": ALL[size * (page - 1) : size * page], "page": page, "total": len(ALL)})


def detour(asked: Asked) -> Answer:
    """Send every request around twice."""
    hops = asked.params.get("hop", "0")
    if hops != "2":
        return Answer(302, "", {"Location": f"{asked.path}?hop={int(hops) + 1}"})
    offset, limit = int(asked.params.get("offset", 0)), int(asked.params.get("limit", 20))
    return Answer(200, {"data": ALL[offset : offset + limit], "total": len(ALL)})


def whole(_: Asked) -> Answer:
    """Answer with everything, whatever is asked for."""
    return Answer(200, {"objects": {"all": ALL}})
