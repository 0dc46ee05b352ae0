"""One request, one page: connection, retries, timeouts and redirects.

Errors say what happened and what to do about it. They are built from what is known to be harmless, never from a URL, a
body or another library's message: the API key and parameter values may be in all of them.
"""

from __future__ import annotations

import dataclasses
import math
import os
import random
import ssl
import threading
import time
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit

import requests
import urllib3
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_storage.records import UnreadablePageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from singer_sdk.streams.rest import HTTPRequest

    from tap_storage.settings import Connection

T = TypeVar("T")

SUCCESS = range(200, 300)
HTTP, HTTPS = ("http", 80), ("https", 443)
PAGE_TIMEOUTS = 10
"""A whole page may take this many times `timeout`."""
MOST_REDIRECTS = 5

BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidHeader,  # in an answer; those of the request were checked with the settings
)

REMEDIES = {
    400: "check params, limit (the API may allow fewer), limit_param and offset_param",
    401: "check api_key, and auth_param and auth_location, which say how it is sent",
    403: "check that api_key may read this collection, and auth_param and auth_location, which say how it is sent",
    404: "check base_url and path",
    405: "check base_url and path",
    407: "check the proxy that HTTP_PROXY or HTTPS_PROXY names",
    414: "shorten params",
    422: "check params, limit (the API may allow fewer), limit_param and offset_param",
    429: "run again later, or raise max_retries or max_backoff",
}


class TransientError(RetriableAPIError):
    """A failure that may pass when asked again.

    retry_after: seconds that the server wants to be left alone, None where it names none.
    """

    def __init__(self, message: str, remedy: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.retry_after = retry_after


@dataclasses.dataclass(frozen=True)
class Response:
    """An answer as it came. date: the server's clock, None where it does not tell."""

    body: bytes
    date: datetime | None


class Client:
    """Fetches pages over one kept-alive connection.

    log: is told of retries. observe: is told the status and seconds of each answer. sleep: waits for seconds.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        log: Callable[[str], object],
        observe: Callable[[int, float], object],
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._connection = connection
        self._log = log
        self._observe = observe
        self._sleep = sleep
        self._session = requests.Session()
        # Resolved once, since requests would look through the environment at every request.
        self._transport = self._session.merge_environment_settings(
            connection.base_url, {}, stream=False, verify=None, cert=None
        )
        self._session.trust_env = False
        self._redirects_told = False

    def fetch(self, request: HTTPRequest, read: Callable[[Response], T], *, what: str) -> T:
        """Return what `read` makes of the answer to a request, asking again where a failure may pass.

        what: the subject of messages, such as "storage_data at offset 300". Raises FatalAPIError.
        """
        attempt = 0
        while True:
            try:
                return self._attempt(request, read)
            except TransientError as error:  # noqa: PERF203 (asking again is the point)
                attempt += 1
                tries = f" ({attempt} attempts)" if attempt > 1 else ""
                wait = self._wait(attempt, error)
                if attempt > self._connection.max_retries:
                    msg = f"{what} {error}{tries}: {error.remedy}"
                    raise FatalAPIError(msg) from None
                if wait > self._connection.max_backoff:
                    msg = (
                        f"{what} {error}{tries}, and Retry-After asks for {wait:.0f} s without requests, "
                        f"more than max_backoff allows: run again later, or raise max_backoff"
                    )
                    raise FatalAPIError(msg) from None
                self._log(f"{what} {error}: asking again in {wait:.1f} s")
                self._sleep(wait)
            except FatalAPIError as error:
                msg = f"{what} {error}"
                raise FatalAPIError(msg) from None

    def _wait(self, attempt: int, error: TransientError) -> float:
        """Seconds to wait after so many failed attempts; more than max_backoff only where the server wants more."""
        longest = self._connection.max_backoff
        if error.retry_after is not None and error.retry_after > longest:
            return error.retry_after
        doubled = self._connection.backoff_factor * 2.0 ** min(attempt - 1, 64)
        wait = doubled if error.retry_after is None else error.retry_after
        return min(wait + random.random() * min(wait, 1), longest)

    def _attempt(self, request: HTTPRequest, read: Callable[[Response], T]) -> T:
        """Ask once. Raises TransientError or FatalAPIError, whatever went wrong."""
        timeout = self._connection.timeout
        try:
            return read(_within(PAGE_TIMEOUTS * timeout, lambda: self._get(request)))
        except UnreadablePageError as error:
            msg = f"answered with a body that {error}"
            raise TransientError(msg, "check base_url and path, or run again later") from None
        except FutureTimeoutError:
            msg = f"did not arrive whole within {PAGE_TIMEOUTS * timeout:g} s"
            raise TransientError(msg, "lower limit, or raise timeout") from None
        except requests.exceptions.SSLError as error:
            refused = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))
            msg = "could not be asked for: " + (
                "the server's certificate was refused. Check base_url; REQUESTS_CA_BUNDLE names a CA bundle of your own"
                if refused
                else "the server does not speak TLS as it should. Check base_url: https, or plain http?"
            )
            raise FatalAPIError(msg) from None
        except (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL):
            msg = "could not be asked for: the proxy failed"
            raise TransientError(msg, "check the proxy that HTTP_PROXY or HTTPS_PROXY names") from None
        except requests.exceptions.Timeout:
            msg = f"got no answer within {timeout:g} s"
            raise TransientError(msg, "check base_url, or raise timeout") from None
        except BROKEN as error:
            msg = f"could not be read: {_reason(error)}"
            raise TransientError(msg, "check base_url and that the server is up, or run again later") from None
        except ValueError:  # of whichever library looked at the address first
            msg = "could not be asked for, or is redirected to, what is no address. Check base_url and path"
            raise FatalAPIError(msg) from None
        except OSError:
            msg = "could not be asked for: there is no CA bundle where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE says"
            raise FatalAPIError(msg) from None

    def _get(self, request: HTTPRequest) -> Response:
        """Ask for one page, following redirects on the same server."""
        url, own = request.url, request.encode_params()
        for _ in range(MOST_REDIRECTS + 1):
            prepared = self._session.prepare_request(requests.Request("GET", url, params=own, headers=request.headers))
            timeout = self._connection.timeout
            response = self._session.send(prepared, timeout=timeout, allow_redirects=False, **self._transport)
            self._observe(response.status_code, response.elapsed.total_seconds())
            if not response.is_redirect:
                self._check_status(response)
                return Response(response.content, _date(response, "Date"))
            url = self._redirected(url, response.headers["Location"], own)
        msg = "is redirected in circles. Check base_url and path"
        raise FatalAPIError(msg)

    def _redirected(self, url: str, location: str, own: str) -> str:
        """Return the address to ask instead, less the parameters that the tap sends itself.

        Another host, port or scheme (but for http to https) is refused: the API key would go there too.
        """
        try:
            old, new = urlsplit(url), urlsplit(urljoin(url, location))
            same = new.hostname == old.hostname and "@" not in new.netloc
            trusted = same and (_origin(new) == _origin(old) or (_origin(old), _origin(new)) == (HTTP, HTTPS))
        except ValueError:
            trusted = False
        if not trusted:
            msg = "is redirected to another server, where the API key must not go. Set base_url to an address you trust"
            raise FatalAPIError(msg)
        if not self._redirects_told:
            self._redirects_told = True
            self._log(f"The API redirects to the path {new.path}: set base_url and path to it to save a request a page")
        names = {name for name, _ in parse_qsl(own, keep_blank_values=True)}
        foreign = [pair for pair in parse_qsl(new.query, keep_blank_values=True) if pair[0] not in names]
        return new._replace(query=urlencode(foreign), fragment="").geturl()

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if status in SUCCESS:
            return
        if status < SUCCESS.start:
            # The answer proper is still to come on this connection, where the next request would take it for its own.
            self._session.close()
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
        msg = f"was answered with {status} {phrase}"
        remedy = REMEDIES.get(status, "run again later, or ask those who run the API")
        if status in self._connection.retry_statuses or status < SUCCESS.start:
            raise TransientError(msg, remedy, retry_after=_retry_after(response))
        msg = f"{msg}: {remedy}"
        raise FatalAPIError(msg)


def _within(seconds: float, action: Callable[[], T]) -> T:
    """Return what the action returns; after so many seconds raise FutureTimeoutError, and leave it to itself.

    Timeouts of the sockets begin anew with each byte, so that a trickle of them would hold the run up for ever.
    """
    outcome: Future[T] = Future()

    def act() -> None:
        try:
            outcome.set_result(action())
        except BaseException as error:  # noqa: BLE001 (raised again where the outcome is asked for)
            outcome.set_exception(error)

    threading.Thread(target=act, daemon=True).start()
    return outcome.result(timeout=seconds)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that Retry-After asks for, in seconds or as a date by the server's own clock; None for neither."""
    try:
        seconds = float(response.headers["Retry-After"].partition(",")[0])  # a comma joins a header that came twice
    except KeyError:
        return None
    except ValueError:
        until = _date(response, "Retry-After")
        now = _date(response, "Date") or datetime.now(timezone.utc)
        seconds = (until - now).total_seconds() if until else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _date(response: requests.Response, header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(response.headers[header])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _origin(url: SplitResult) -> tuple[str, int]:
    return url.scheme, url.port or dict((HTTP, HTTPS)).get(url.scheme, 0)


def _reason(error: BaseException) -> str:
    """Name what failed at the bottom of an error of requests, without its text."""
    for cause in _causes(error):
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return "the name of the host is not known"
        if isinstance(cause, OSError) and cause.errno:
            return os.strerror(cause.errno).lower()
    return "the connection broke off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it was made of: requests and urllib3 wrap them as arguments and as `reason`."""
    yield error
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            yield from _causes(inner)
