"""The server: connections that read requests and send answers in the manner told."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from demo.fake_api.answers import error
from demo.fake_api.behaviour import Behaviour
from demo.fake_api.endpoints import PREFIX, control
from demo.fake_api.incoming import take
from demo.fake_api.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from demo.fake_api.answers import Answer
    from demo.fake_api.incoming import Request
    from demo.fake_api.service import Service

FOREVER = 10**8

PLAIN = Behaviour()
"""How control requests are answered, whatever the data requests get."""


def connections(service: Service) -> Callable[[], asyncio.Protocol]:
    """Return what asyncio calls for each new connection."""
    return lambda: Connection(service)


class Connection(asyncio.Protocol):
    """One client's connection: a request after the other, never two at a time."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._received = bytearray()
        self._sending: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Serve what is whole by now."""
        self._received += data
        self._serve()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Send no more."""
        if self._sending:
            self._sending.cancel()

    def _serve(self) -> None:
        while self._sending is None and not self._transport.is_closing():
            try:
                request = take(self._received)
            except ValueError as defect:
                answer = error(400, str(defect))
                self._transport.write(b"".join(encode(answer, PLAIN, closes=True)))
                self._transport.close()
                return
            if request is None:
                return
            self._answer(request)

    def _answer(self, request: Request) -> None:
        if request.path.startswith(PREFIX):
            self._send(control(self._service, request), PLAIN, closes=not request.keeps_alive)
            return
        behaviour = self._service.behaviour
        delay = self._service.delay()
        answer = self._service.answer(request)
        closes = behaviour.close or not request.keeps_alive or answer.manner == "cut"
        if answer.manner == "whole" and not delay:
            self._send(answer, behaviour, closes=closes)
        else:
            slowly = self._send_slowly(answer, behaviour, delay, closes=closes)
            self._sending = asyncio.get_running_loop().create_task(self._then(slowly))

    async def _then(self, sending: Coroutine[None, None, None]) -> None:
        """Go on with what was received meanwhile, once the answer is sent."""
        await sending
        self._sending = None
        self._serve()

    def _send(self, answer: Answer, behaviour: Behaviour, *, closes: bool) -> None:
        self._transport.write(b"".join(encode(answer, behaviour, closes=closes)))
        if closes:
            self._transport.close()

    async def _send_slowly(self, answer: Answer, behaviour: Behaviour, delay: float, *, closes: bool) -> None:
        await asyncio.sleep(delay)
        head, body = encode(answer, behaviour, closes=closes)
        if answer.manner == "unanswered":
            await asyncio.sleep(FOREVER if answer.seconds is None else answer.seconds)
        elif answer.manner == "cut":
            self._transport.write(head + body[: len(body) // 2])
        elif answer.manner == "trickle":
            self._transport.write(head)
            await self._trickle(body, answer.seconds)
        elif answer.manner == "trickle_headers":
            await self._trickle(head + body, answer.seconds)
        elif answer.manner == "whole":
            self._transport.write(head + body)
        if closes or not answer.arrives:
            self._transport.close()

    async def _trickle(self, content: bytes, interval: float | None) -> None:
        for byte in content:
            self._transport.write(bytes((byte,)))
            await asyncio.sleep(interval or 0)
