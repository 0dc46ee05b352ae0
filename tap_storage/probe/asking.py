"""One request at a time, few of them, with the tap's own rules for redirects, rates, proxies and certificates.

Unlike the client, it hands back answers of any status: what an API says when it refuses is what a probe learns from.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import requests
from singer_sdk.exceptions import FatalAPIError

from tap_storage import failures
from tap_storage.failures import TransientError
from tap_storage.probe.findings import SpentError, StuckError
from tap_storage.records import UnreadablePageError, decode
from tap_storage.redirects import followed
from tap_storage.transport import environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_storage.settings import Connection

MOST = 20
"""Requests that a probe sends, with retries and redirects."""
MOST_REDIRECTS = 5
LARGEST_BODY = 64 << 20
PAGE_TIMEOUTS = 10
CHUNK = 1 << 16
LONGEST_WAIT = 60
TOO_MUCH = "An answer is too large, or takes too long: lower limit, or raise timeout"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back. url: where from, without the query that was sent. fault: why the body is no JSON, if so."""

    status: int
    headers: Mapping[str, str]
    url: str
    size: int
    seconds: float
    document: Any = None
    fault: str = ""

    @property
    def good(self) -> bool:
        """Whether it is JSON, and no error status."""
        return self.status in failures.SUCCESS and not self.fault


class UnreachableError(Exception):
    """No answer came. tls: whether it was TLS that failed."""

    def __init__(self, message: str, *, tls: bool) -> None:
        super().__init__(message)
        self.tls = tls


class Asker:
    """Sends requests and counts them. Raises ConfigurationError where the CA bundle or the proxy is none."""

    def __init__(self, connection: Connection) -> None:
        self.answers: list[Answer] = []
        self.requests = 0
        self._connection = connection
        self._due = 0.0
        self._session = requests.Session()
        self._transport = environment(self._session, connection.base_url)

    @property
    def left(self) -> int:
        """Requests that may still be sent."""
        return MOST - self.requests

    def get(self, url: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Answer:
        """Ask, follow redirects on the same server, and ask once more after a failure that may pass.

        Raises UnreachableError where no answer comes, SpentError, or StuckError for a redirect to another server or a
        wish for a long silence.
        """
        try:
            answer = self._follow(url, query, headers)
            if answer.status not in self._connection.retry_statuses:
                return answer
            wait = failures.retry_after(answer.headers)
        except (requests.RequestException, ValueError) as error:
            wait = None
            if not isinstance(self._judged(error), TransientError):
                tls = isinstance(error, requests.exceptions.SSLError)
                raise UnreachableError(self._told(error), tls=tls) from None
        self._rest(wait)
        try:
            return self._follow(url, query, headers)
        except (requests.RequestException, ValueError) as error:
            raise UnreachableError(self._told(error), tls=False) from None

    def _rest(self, wanted: float | None) -> None:
        """Wait as many seconds as the API wants, or else as the tap would."""
        longest, own = self._connection.max_backoff, self._connection.backoff_factor
        if wanted is not None and wanted > min(LONGEST_WAIT, longest):
            msg = f"The API wants {wanted:.0f} s of silence (Retry-After): run the probe again after that"
            raise StuckError(msg)
        self._due = max(self._due, time.monotonic() + (min(own, longest) if wanted is None else wanted))

    def _follow(self, url: str, query: Sequence[tuple[str, str]], headers: Mapping[str, str]) -> Answer:
        own = urlencode(query)
        for _ in range(MOST_REDIRECTS + 1):
            response, body, seconds = self._send(url, own, headers)
            if not response.is_redirect:
                answer = _read(response, body, seconds, url.partition("?")[0])
                self.answers.append(answer)
                return answer
            try:
                url = followed(url, response.headers["Location"], own)
            except (FatalAPIError, ValueError) as error:
                told = error if isinstance(error, FatalAPIError) else "is redirected to what is no address"
                msg = f"The collection {told}"
                raise StuckError(msg) from None
        msg = "The collection is redirected in circles: check base_url and path"
        raise StuckError(msg)

    def _send(self, url: str, query: str, headers: Mapping[str, str]) -> tuple[requests.Response, bytes, float]:
        if self.left < 1:
            raise SpentError
        time.sleep(max(0.0, self._due - time.monotonic()))
        began = time.monotonic()
        self._due = began + (1 / rate if (rate := self._connection.requests_per_second) else 0)
        self.requests += 1
        prepared = self._session.prepare_request(requests.Request("GET", url, params=query, headers=dict(headers)))
        answer: Future[tuple[requests.Response, bytes]] = Future()
        # In a thread of its own, as an answer may come a byte at a time, head included, and no timeout would end it.
        threading.Thread(target=self._receive, args=(prepared, answer), daemon=True).start()
        try:
            response, body = answer.result(PAGE_TIMEOUTS * self._connection.timeout)
        except FutureTimeoutError as error:
            if type(error) is not FutureTimeoutError:  # one of the connection's own, which are its subclasses
                raise
            raise StuckError(TOO_MUCH) from None
        return response, body, time.monotonic() - began

    def _receive(self, request: requests.PreparedRequest, answer: Future[tuple[requests.Response, bytes]]) -> None:
        """Send a request and read the answer, or hand on what went wrong."""
        timeout = self._connection.timeout
        try:
            response = self._session.send(request, timeout=timeout, allow_redirects=False, **self._transport)
            body = bytearray()
            for chunk in response.iter_content(CHUNK):
                body += chunk
                if len(body) > LARGEST_BODY:
                    response.close()
                    raise StuckError(TOO_MUCH)  # noqa: TRY301 (it is handed on)
            answer.set_result((response, bytes(body)))
        except BaseException as error:  # noqa: BLE001 (raised again where the answer is wanted)
            answer.set_exception(error)

    def _judged(self, error: Exception) -> Exception:
        timeout = self._connection.timeout
        return failures.of_exception(error, timeout=timeout, page_timeout=PAGE_TIMEOUTS * timeout)

    def _told(self, error: Exception) -> str:
        judged = self._judged(error)
        return f"{judged}: {judged.remedy}" if isinstance(judged, TransientError) else str(judged)


def _read(response: requests.Response, body: bytes, seconds: float, url: str) -> Answer:
    document, fault = None, ""
    try:
        document = decode(body)
    except UnreadablePageError as error:
        fault = str(error)
    return Answer(response.status_code, response.headers, url, len(body), seconds, document, fault)
