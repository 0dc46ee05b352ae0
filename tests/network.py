"""The network between the tap and an API: TLS, a forward proxy, and a server whose every byte is chosen.

Each listens while its `with` block runs, one thread for each connection, and keeps a journal of what it was asked.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from demo.fake_api.incoming import Request, take

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

CHUNK = 1 << 16


class Listener:
    """Serves each connection by `serve`, over TLS where there is a context for it. host: also "::1"."""

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self._server = socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        self._context = context
        self.port: int = self._server.getsockname()[1]
        self.address = f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}"

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Listen no more."""
        with contextlib.suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._server.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, _ = self._server.accept()
                threading.Thread(target=self.converse, args=[client], daemon=True).start()

    def converse(self, plain: socket.socket) -> None:
        """Serve one connection from its very first byte."""
        # A client that goes away, or does not trust the certificate, is no failure of the server.
        with contextlib.suppress(OSError), plain:
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._context.wrap_socket(plain, server_side=True) if self._context else plain as client:
                self.serve(client)

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end."""
        raise NotImplementedError


def requests_of(client: socket.socket) -> Iterator[Request]:
    """Yield the requests that come over a connection until its client closes it."""
    received = bytearray()
    while data := client.recv(CHUNK):
        received += data
        while request := take(received):
            yield request


def relay(one: socket.socket, other: socket.socket) -> None:
    """Pass bytes on in both directions until one side has closed."""
    across = {one: other, other: one}
    while True:
        for source in select.select(list(across), [], [])[0]:
            if not (data := source.recv(CHUNK)):
                return
            while isinstance(source, ssl.SSLSocket) and source.pending():
                data += source.recv(source.pending())
            across[source].sendall(data)


class Relay(Listener):
    """Passes on all that comes to another server: with a context, TLS in front of one that has none."""

    def __init__(self, port: int, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        super().__init__(host, context)
        self._port = port

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end."""
        with socket.create_connection(("127.0.0.1", self._port)) as server:
            relay(client, server)


class Proxy(Listener):
    """A forward proxy that leads to one server, whatever host it is asked for: names need not exist.

    refusal: the status line and headers that it answers everything with, if given.
    """

    def __init__(self, port: int, refusal: str = "") -> None:
        super().__init__()
        self._port = port
        self._refusal = refusal
        self.journal: list[Request] = []

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end."""
        for request in requests_of(client):
            self.journal.append(request)
            if self._refusal:
                client.sendall(f"HTTP/1.1 {self._refusal}\r\nContent-Length: 0\r\n\r\n".encode())
                continue
            with socket.create_connection(("127.0.0.1", self._port)) as server:
                if request.method == "CONNECT":
                    client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                    relay(client, server)
                    return
                self._forward(request, client, server)

    @staticmethod
    def _forward(request: Request, client: socket.socket, server: socket.socket) -> None:
        """Pass on a request that names its whole address, and what is answered."""
        path = request.target.split("/", 3)[3]
        kept = {name: value for name, value in request.headers.items() if not name.startswith("proxy-")}
        lines = [f"{name}: {value}" for name, value in {**kept, "connection": "close"}.items()]
        server.sendall("\r\n".join([f"{request.method} /{path} HTTP/1.1", *lines, "", ""]).encode("latin-1"))
        while data := server.recv(CHUNK):
            client.sendall(data)


class Asked(NamedTuple):
    """A request as an odd server sees it. turn: 1 for the first on its connection."""

    manner: str
    connection: int
    turn: int
    offset: int
    limit: int


class Ending(Enum):
    """How a connection ends that its client would have kept."""

    CLOSED = 0
    RESET = 1


Manner = Callable[[bytes, Asked], "Iterable[bytes | float | Ending]"]
"""Makes of a page's JSON what is done about a request: bytes to send, seconds to wait, how to end the connection."""


class OddServer(Listener):
    """Serves records to each path in the manner of that name. idle_s: seconds after which it closes a connection."""

    def __init__(
        self,
        manners: Mapping[str, Manner],
        records: Sequence[object],
        *,
        host: str = "127.0.0.1",
        idle_s: float | None = None,
    ) -> None:
        super().__init__(host)
        self.journal: list[Asked] = []
        self.idled = threading.Event()
        """Set once a connection was closed for being idle."""
        self._manners = manners
        self._records = records
        self._idle_s = idle_s

    def serve(self, client: socket.socket) -> None:
        """Serve one connection to its end."""
        client.settimeout(self._idle_s)
        try:
            for turn, request in enumerate(requests_of(client), 1):
                asked = self._asked(request, client, turn)
                for step in self._manners[asked.manner](self._page(asked), asked):
                    if isinstance(step, bytes):
                        client.sendall(step)
                    elif isinstance(step, float):
                        time.sleep(step)
                    else:
                        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", step.value, 0))
                        return
        except TimeoutError:
            client.close()
            self.idled.set()

    def _asked(self, request: Request, client: socket.socket, turn: int) -> Asked:
        offset, limit = (int(request.parameters.get(name, usual)) for name, usual in (("offset", 0), ("limit", 50)))
        asked = Asked(request.path.strip("/"), client.getpeername()[1], turn, offset, limit)
        self.journal.append(asked)
        return asked

    def _page(self, asked: Asked) -> bytes:
        page = self._records[asked.offset : asked.offset + asked.limit]
        return json.dumps({"data": page, "total": len(self._records)}).encode()
