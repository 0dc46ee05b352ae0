"""A server that hands back what it was sent, in every place of an answer that a client may quote."""

from __future__ import annotations

import json
import socketserver
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

import trustme

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n"


def _json(status: str, echo: str, headers: bytes = b"") -> bytes:
    names = dict.fromkeys([echo, *(value.partition("=")[2] for value in echo.split("&"))], 1)
    body = json.dumps({"error": f"no such api_key: {echo}", **names, "data": None}).encode()
    return b"HTTP/1.1 %b\r\nConnection: close\r\n%bContent-Length: %d\r\n\r\n%b" % (
        status.encode(),
        headers,
        len(body),
        body,
    )


ANSWERS: dict[str, Callable[[str], bytes]] = {
    "status": lambda echo: echo.encode() + b"\r\n\r\n",
    "reason": lambda echo: b"HTTP/1.1 500 " + echo.encode() + b"\r\nContent-Length: 0\r\n\r\n",
    "header": lambda echo: HEAD + echo.replace(":", " ").encode() + b"\r\nX: 1\r\n\r\n{}",
    "location": lambda echo: b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /" + echo.encode() + b"\r\n\r\n",
    "latin location": lambda echo: (
        b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /" + echo.encode("latin-1", "replace") + b"\r\n\r\n"
    ),
    "chunk": lambda echo: HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + echo.encode() + b"\r\n{}\r\n0\r\n\r\n",
    "length": lambda echo: HEAD + b"Content-Length: 1, " + echo.encode() + b"\r\n\r\n{}",
    "encoding": lambda echo: HEAD + b"Content-Encoding: gzip\r\n\r\n" + echo.encode(),
    "names": lambda echo: _json("200 OK", echo),
    "complaint": lambda echo: _json("401 Unauthorized", echo, b"WWW-Authenticate: " + echo.encode() + b"\r\n"),
    "bad request": lambda echo: _json("400 Bad Request", echo),
    "wait": lambda echo: _json("429 Too Many Requests", echo, b"Retry-After: " + echo.encode() + b"\r\n"),
    "links": lambda echo: _json("200 OK", echo, b"Link: </?next=" + echo.encode() + b'>; rel="next"\r\n'),
    "proxy": lambda echo: b"HTTP/1.1 407 " + echo.encode() + b"\r\nContent-Length: 0\r\n\r\n",
}


def echo_of(request: bytes) -> str:
    """Return the target and the headers of a request, decoded, in one line."""
    target, *headers = request.decode("latin-1").split("\r\n")
    values = [line.partition(": ")[2] for line in headers if line.lower().startswith(("x-", "api-key", "proxy-auth"))]
    query = unquote_plus(target.split(" ")[1].partition("?")[2] if " " in target else target)
    return "&".join([query, *(f"header={value}" for value in values)]).replace("\r", "").replace("\n", "")


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        request: bytes = b""
        while b"\r\n\r\n" not in request:
            received: bytes = self.request.recv(65536)
            if not received:
                return
            request += received
        mode = request.split(b"/")[1].split(b"?")[0].split(b" ")[0].decode().replace("-", " ")
        answer = ANSWERS.get(mode, ANSWERS["proxy"])
        self.request.sendall(answer(echo_of(request.partition(b"\r\n\r\n")[0])))


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what this is for."""


@contextmanager
def serving(*, tls: bool = False) -> Iterator[str]:
    """Serve on a port of this machine while the block runs; yields `host:port`. tls: by a certificate nobody trusts."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
