"""A server that answers with whatever bytes a case has, be they HTTP or not."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    Answer = Callable[[int, dict[str, str]], bytes]

PATIENCE_S = 5
TLS_HELLO = b"\x16"
PATH = "/"
"""Under which the path of a request is beside its parameters."""


class RawServer:
    """Serves one request a connection, while the `with` block does; then closes it.

    answer: of the present case, told how many requests came before in it and the parameters of this one; it returns the
    whole answer, head and body.
    """

    def __init__(self) -> None:
        self.requests = 0
        self._answer: Answer = lambda _, __: b""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def serve(self, answer: Answer) -> None:
        """Begin a case."""
        self.requests, self._answer = 0, answer

    def __enter__(self) -> Self:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # it is closed
            while True:
                connection, _ = self._socket.accept()
                with connection, contextlib.suppress(OSError):  # whoever asked is gone
                    connection.settimeout(PATIENCE_S)
                    self._take(connection)

    def _take(self, connection: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head and not head.startswith(TLS_HELLO):
            received = connection.recv(1 << 16)
            if not received:
                return
            head += received
        words = head.split(b"\r\n")[0].decode("latin-1").split(" ")
        if len(words) > 1 and words[0] != "CONNECT":
            number, self.requests = self.requests, self.requests + 1
            connection.sendall(
                self._answer(number, {**dict(parse_qsl(urlsplit(words[1]).query)), PATH: urlsplit(words[1]).path})
            )


def answer(body: bytes, *, status: str = "200 OK", headers: bytes = b"") -> bytes:
    """Return an answer of HTTP. headers: further lines, each with its end."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n".encode()
    return head + b"Connection: close\r\n" + headers + b"\r\n" + body
