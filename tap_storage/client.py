"""One request, one page: connection, retries, redirects, and a limit to how long a page may take."""

from __future__ import annotations

import dataclasses
import random
import threading
import time
from concurrent.futures import Future, wait
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import requests
from singer_sdk.exceptions import ConfigurationError, FatalAPIError

from tap_storage import failures
from tap_storage.failures import TransientError
from tap_storage.redirects import followed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from singer_sdk.streams.rest import HTTPRequest

    from tap_storage.settings import Connection
    from tap_storage.verdict import Traffic

T = TypeVar("T")

PAGE_TIMEOUTS = 10
"""A whole page may take this many times `timeout`."""
MOST_REDIRECTS = 5
LARGEST_BODY = 1 << 30
"""Bytes; a page that is larger, decompressed, is not read."""
CHUNK = 1 << 16
MOMENT_S = 1.0
"""How long at most nothing is done while waiting."""


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer as it came. date: the server's clock, None where it does not tell."""

    body: bytes | bytearray
    date: datetime | None


class Client:
    """Fetches pages over one kept-alive connection.

    log: is told of retries. observe: is told the status and seconds of each answer. traffic: is counted up. waiting: is
    called about every second while there is nothing to do.
    Raises ConfigurationError where the environment names a CA bundle that is not there.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        log: Callable[[str], object],
        observe: Callable[[int, float], object],
        traffic: Traffic,
        waiting: Callable[[], object],
    ) -> None:
        self._waiting = waiting
        self._traffic = traffic
        self._connection = connection
        self._log = log
        self._observe = observe
        self._session = requests.Session()
        # Resolved once, since requests would look through the environment at every request.
        self._transport = self._session.merge_environment_settings(
            connection.base_url, {}, stream=True, verify=None, cert=None
        )
        self._session.trust_env = False
        bundle = self._transport["verify"]
        if isinstance(bundle, str) and not Path(bundle).exists():
            msg = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that does not exist: correct or unset it"
            raise ConfigurationError(msg)
        self._redirect_told = False

    def fetch(self, request: HTTPRequest, read: Callable[[Response], T], *, what: str) -> T:
        """Return what `read` makes of the answer to a request, asking again where a failure may pass.

        what: the subject of messages, such as "storage_data at offset 300". Raises FatalAPIError.
        """
        attempts = 0
        while True:
            attempts += 1
            try:
                return self._attempt(request, read)
            except FatalAPIError as error:
                msg = f"{what} {error}"
                raise type(error)(msg) from None
            except TransientError as error:
                seconds = self._wait(attempts, error, what)
                self._log(f"{what} {error}: asking again in {seconds:.1f} s")
                self._pause(seconds)
                self._traffic.retries += 1
                self._traffic.seconds_waited += seconds

    def _wait(self, attempts: int, error: TransientError, what: str) -> float:
        """Seconds to wait after so many failed attempts. Raises FatalAPIError when it is enough."""
        longest = self._connection.max_backoff
        wanted = error.retry_after
        msg = f"{what} {error}" + (f" ({attempts} attempts)" if attempts > 1 else "")
        if attempts > self._connection.max_retries:
            msg = f"{msg}: {error.remedy}"
            raise FatalAPIError(msg) from None
        if wanted is not None and wanted > longest:
            msg = f"{msg}, and Retry-After asks for {wanted:.0f} s of silence: run again later, or raise max_backoff"
            raise FatalAPIError(msg) from None
        seconds = self._connection.backoff_factor * 2.0 ** min(attempts - 1, 64) if wanted is None else wanted
        return min(seconds + random.random() * min(seconds, 1), longest)

    def _attempt(self, request: HTTPRequest, read: Callable[[Response], T]) -> T:
        """Ask once. Raises TransientError or FatalAPIError."""
        timeout = self._connection.timeout
        page_timeout = PAGE_TIMEOUTS * timeout
        try:
            return read(self._within(page_timeout, lambda: self._get(request)))
        except Exception as error:  # noqa: BLE001 (what is not a failure of the request is raised as it is)
            told = failures.of_exception(error, timeout=timeout, page_timeout=page_timeout)
            raise told from None

    def _get(self, request: HTTPRequest) -> Response:
        """Ask for one page, following redirects on the same server."""
        url, own = request.url, request.encode_params()
        for _ in range(MOST_REDIRECTS + 1):
            prepared = self._session.prepare_request(requests.Request("GET", url, params=own, headers=request.headers))
            timeout = self._connection.timeout
            self._traffic.requests += 1
            response = self._session.send(prepared, timeout=timeout, allow_redirects=False, **self._transport)
            body = self._receive(response)
            self._observe(response.status_code, response.elapsed.total_seconds())
            if response.status_code < failures.SUCCESS.start:
                # The answer proper is still to come on this connection, and the next request would take it for its own.
                self._session.close()
            if not response.is_redirect:
                if failure := failures.of_status(response, self._connection.retry_statuses):
                    raise failure
                return Response(body, failures.date(response, "Date"))
            url = followed(url, response.headers["Location"], own)
            if not self._redirect_told:
                self._redirect_told = True
                self._log(
                    f"The API redirects to the path {urlsplit(url).path}: set path to it to save a request a page"
                )
        msg = "is redirected in circles. Check base_url and path"
        raise FatalAPIError(msg)

    def _receive(self, response: requests.Response) -> bytearray:
        """Read the body of an answer, up to the largest that is acceptable."""
        body = bytearray()
        for chunk in response.iter_content(CHUNK):
            body += chunk
            if len(body) > LARGEST_BODY:
                response.close()
                msg = f"has a body of more than {LARGEST_BODY >> 20} MiB: lower limit"
                raise FatalAPIError(msg)
        self._traffic.bytes += len(body)
        return body

    def _pause(self, seconds: float) -> None:
        """Wait so long, and no longer idle than a moment."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            time.sleep(min(left, MOMENT_S))
            self._waiting()

    def _within(self, seconds: float, action: Callable[[], T]) -> T:
        """Return what the action returns; after so many seconds raise concurrent.futures.TimeoutError, and leave it be.

        Timeouts of sockets begin anew with each byte, so that a trickle of them would hold the run up for ever.
        """
        outcome: Future[T] = Future()

        def act() -> None:
            try:
                outcome.set_result(action())
            except BaseException as error:  # noqa: BLE001 (raised again where the outcome is asked for)
                outcome.set_exception(error)

        threading.Thread(target=act, daemon=True).start()
        end = time.monotonic() + seconds
        while not wait([outcome], timeout=min(MOMENT_S, max(0.0, end - time.monotonic()))).done:
            if time.monotonic() >= end:
                raise FutureTimeoutError
            self._waiting()
        return outcome.result()
