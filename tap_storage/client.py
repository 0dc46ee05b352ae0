"""One attempt at one request: connection, redirects, and what its failure means for the next."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from datetime import datetime, timezone
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_storage import failures
from tap_storage.failures import TransientError
from tap_storage.redirects import followed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.streams.rest import HTTPRequest

    from tap_storage.transport import Transport
    from tap_storage.verdict import Traffic

PAGE_TIMEOUTS = 10
"""A whole page may take this many times `timeout`."""
MOST_REDIRECTS = 5
LARGEST_BODY = 64 << 20
"""Bytes; a page that is larger, decompressed, is not read."""
CHUNK = 1 << 16
MOST_DIGITS = 20
"""Of a length that is taken for one."""


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer as it came. asked: when it was asked for, by this machine's clock or the server's, the one behind."""

    body: bytes
    asked: datetime


class Client:
    """Asks an API, from several threads, until it is closed.

    log: is told of redirects. observe: is told the status and seconds of each answer. traffic: is counted up.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        log: Callable[[str], object],
        observe: Callable[[int, float], object],
        traffic: Traffic,
    ) -> None:
        self.throttle = transport.throttle
        self._transport = transport
        self._connection = transport.connection
        self._traffic = traffic
        self._log = log
        self._observe = observe
        self._telling = threading.Lock()
        self._closed = threading.Event()
        self._last: requests.PreparedRequest | None = None

    @property
    def timeout(self) -> float:
        """Seconds that pass between two bytes at most."""
        return self._connection.timeout

    @property
    def page_timeout(self) -> float:
        """Seconds that a whole page may take."""
        return PAGE_TIMEOUTS * self._connection.timeout

    def ask(
        self, request: HTTPRequest, *, attempt: int, begin: Callable[[], object], expect: Callable[[int], object]
    ) -> Response:
        """Ask once, when the throttle lets it.

        attempt: 1 for the first. begin: is called when the request is sent. expect: is told how many bytes come next.
        Raises TransientError, with the wait that it asks for, or FatalAPIError; ClosedError when nothing is to be asked
        any more.
        """
        try:
            return self._get(request, begin, expect)
        except Exception as error:  # noqa: BLE001 (what is not a failure of the request is raised as it is)
            if failures.closed_meanwhile(error):
                self._transport.take_closure()
            raise self.judge(error, attempt=attempt) from None

    def judge(self, error: Exception, *, attempt: int) -> Exception:
        """Return what an exception in this attempt at a page comes to: a TransientError says when to ask again."""
        told = failures.of_exception(error, timeout=self._connection.timeout, page_timeout=self.page_timeout)
        if isinstance(told, TransientError) and told.again_at is None:
            seconds = self._seconds(attempt) if told.retry_after is None else told.retry_after
            told.again_at = time.monotonic() + self._spread(seconds)
            if told.wants_silence:
                self.throttle.pause(told.again_at - time.monotonic(), told)
        return told

    def refuse(self, error: TransientError, *, attempt: int) -> None:
        """Raise FatalAPIError if a page is not to be asked for again after so many attempts."""
        longest = self._connection.max_backoff
        msg = f"{error}" + (f" ({attempt} attempts)" if attempt > 1 else "")
        if attempt > self._connection.max_retries:
            msg = f"{msg}: {error.remedy}"
            raise FatalAPIError(msg) from None
        wanted = error.retry_after
        if wanted is not None and wanted > longest:
            msg = f"{msg}, and Retry-After asks for {wanted:.0f} s of silence: run again later, or raise max_backoff"
            raise FatalAPIError(msg) from None

    def close(self) -> None:
        """Ask nothing more."""
        self._closed.set()

    def _seconds(self, attempt: int) -> float:
        return min(self._connection.backoff_factor * 2.0 ** min(attempt - 1, 64), self._connection.max_backoff)

    def _spread(self, seconds: float) -> float:
        """Return a wait that is up to a second longer, but no longer than the longest unless it was before."""
        jitter = random.random() * min(seconds, 1)
        return max(seconds, min(seconds + jitter, self._connection.max_backoff))

    def _get(self, request: HTTPRequest, begin: Callable[[], object], expect: Callable[[int], object]) -> Response:
        """Ask for one page, following redirects on the same server."""
        url, own = request.url, request.encode_params()
        for _ in range(MOST_REDIRECTS + 1):
            prepared = self._prepare(url, own, request.headers)
            self.throttle.wait(self._closed)
            begin()
            with self._telling:
                self._traffic.requests += 1
            asked = datetime.now(timezone.utc)
            response = self._transport.send(prepared)
            if response.status_code < HTTPStatus.OK:
                # The answer proper is still to come on this connection, and the next request would take it for its own.
                response.close()
            body = self._receive(response, expect)
            with self._telling:
                self._traffic.bytes += len(body)
                self._observe(response.status_code, response.elapsed.total_seconds())
            if not response.is_redirect:
                if failure := failures.of_status(response, self._connection.retry_statuses):
                    raise failure
                return Response(body, min(asked, failures.date(response.headers, "Date") or asked))
            url = followed(url, response.headers["Location"], own)
            self._tell_of_redirect(url)
        msg = "is redirected in circles. Check base_url and path"
        raise FatalAPIError(msg)

    def _prepare(self, url: str, query: str, headers: dict[str, str]) -> requests.PreparedRequest:
        """Prepare a request as the session does; like the last one but for its address, since headers do not change."""
        last, session = self._last, self._transport.session
        if last is None or session.cookies:
            prepared = session.prepare_request(requests.Request("GET", url, params=query, headers=headers))
            self._last = None if session.cookies else prepared
            return prepared
        prepared = last.copy()
        prepared.prepare_url(url, query)
        return prepared

    def _receive(self, response: requests.Response, expect: Callable[[int], object]) -> bytes:
        """Read the body of an answer, up to the largest that is acceptable."""
        length = response.headers.get("Content-Length", "")
        # All at once where it cannot turn out to be larger than it says: in small pieces, it costs twice as much.
        whole = length.isdecimal() and len(length) < MOST_DIGITS and "Content-Encoding" not in response.headers
        chunks, size = [], 0
        if whole:
            self._expect(min(int(length), LARGEST_BODY), response, expect)
        for chunk in self._pieces(response, min(int(length), LARGEST_BODY) or CHUNK if whole else CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if not whole:
                self._expect(len(chunk), response, expect)
            if size > LARGEST_BODY:
                response.close()
                msg = f"has a body of more than {LARGEST_BODY >> 20} MiB: lower limit"
                raise FatalAPIError(msg)
        return b"".join(chunks)

    @staticmethod
    def _pieces(response: requests.Response, size: int) -> Iterator[bytes]:
        try:
            yield from response.iter_content(size)
        except ValueError as error:  # what comes of a negative length
            raise requests.exceptions.ChunkedEncodingError(error, request=response.request) from None

    @staticmethod
    def _expect(size: int, response: requests.Response, expect: Callable[[int], object]) -> None:
        try:
            expect(size)
        except Exception:
            response.close()  # its rest would be taken for the next answer
            raise

    def _tell_of_redirect(self, url: str) -> None:
        path = urlsplit(url).path
        with self._telling:
            if path not in self._transport.told:
                self._transport.told.add(path)
                self._log(f"The API redirects to the path {path}: set path to it to save a request a page")
