"""One request, one page: connection, retries, timeouts and redirects.

Errors say what happened and what to do about it. They are built from what is known to be harmless, never from a URL, a
body or another library's message: the API key and parameter values may be in all of them.
"""

from __future__ import annotations

import dataclasses
import os
import random
import ssl
import time
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

CHUNK = 1 << 16
PAGE_TIMEOUTS = 10
"""A whole page may take this many times `timeout`."""
MOST_REDIRECTS = 5

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
            connection.base_url, {}, stream=True, verify=None, cert=None
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
                wait = self._wait(attempt, error)
                attempt += 1
                if wait is None or attempt > self._connection.max_retries:
                    tries = f" ({attempt} attempts)" if attempt > 1 else ""
                    msg = f"{what} {error}{tries}: {error.remedy}"
                    raise FatalAPIError(msg) from None
                self._log(f"{what} {error}: asking again in {wait:.1f} s")
                self._sleep(wait)
            except FatalAPIError as error:
                msg = f"{what} {error}"
                raise FatalAPIError(msg) from None

    def _wait(self, attempt: int, error: TransientError) -> float | None:
        """Seconds to wait after the failed attempt (counted from 0), or None where that would be too long."""
        longest = self._connection.max_backoff
        wanted = error.retry_after
        if wanted is not None and wanted > longest:
            return None
        wait = self._connection.backoff_factor * 2.0 ** min(attempt, 64) if wanted is None else wanted
        return min(wait + random.random() * min(wait, 1), longest)

    def _attempt(self, request: HTTPRequest, read: Callable[[Response], T]) -> T:
        try:
            return read(self._get(request))
        except UnreadablePageError as error:
            msg = f"answered with a body that {error}"
            raise TransientError(msg, "check base_url and path, or run again later") from None
        except requests.exceptions.SSLError as error:
            refused = any(isinstance(cause, ssl.SSLCertVerificationError) for cause in _causes(error))
            msg = "could not be asked for: " + (
                "the server's certificate was refused. Check base_url; REQUESTS_CA_BUNDLE names a CA bundle of your own"
                if refused
                else "the server does not speak TLS as it should. Check base_url: https, or plain http?"
            )
            raise FatalAPIError(msg) from None
        except requests.exceptions.ProxyError:
            msg = "could not be asked for: the proxy failed"
            raise TransientError(msg, "check the proxy that HTTP_PROXY or HTTPS_PROXY names") from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            msg = f"got no answer within {self._connection.timeout:g} s"
            raise TransientError(msg, "check base_url, or raise timeout") from None
        except (requests.exceptions.ConnectionError, urllib3.exceptions.HTTPError) as error:
            msg = f"could not be read: {_reason(error)}"
            raise TransientError(msg, "check base_url and that the server is up, or run again later") from None
        except requests.RequestException:
            msg = "could not be asked for: this is no address. Check base_url and path"
            raise FatalAPIError(msg) from None

    def _get(self, request: HTTPRequest) -> Response:
        """Ask for one page, following redirects on the same server."""
        deadline = time.monotonic() + PAGE_TIMEOUTS * self._connection.timeout
        url, own = request.url, request.encode_params()
        for _ in range(MOST_REDIRECTS + 1):
            prepared = self._session.prepare_request(requests.Request("GET", url, params=own, headers=request.headers))
            timeout = self._connection.timeout
            with self._session.send(prepared, timeout=timeout, allow_redirects=False, **self._transport) as response:
                self._observe(response.status_code, response.elapsed.total_seconds())
                if not response.is_redirect:
                    self._check_status(response)
                    return Response(_read_body(response, deadline, timeout), _date(response, "Date"))
                url = self._redirected(url, response.headers["Location"], own)
        msg = "is redirected in circles. Check base_url and path"
        raise FatalAPIError(msg)

    def _redirected(self, url: str, location: str, own: str) -> str:
        """Return the address to ask instead, less the parameters that the tap sends itself.

        Another host, port or scheme (but for http to https) is refused: the API key would go there too.
        """
        old, new = urlsplit(url), urlsplit(urljoin(url, location))
        if not (
            new.hostname == old.hostname
            and (_origin(new) == _origin(old) or (_origin(old)[1], _origin(new)[1]) == (80, 443))
        ):
            msg = (
                "is redirected to another server, where the API key must not go. Set base_url to the address you trust"
            )
            raise FatalAPIError(msg)
        if not self._redirects_told:
            self._redirects_told = True
            self._log(f"The API redirects to the path {new.path}: set base_url and path to it to save a request a page")
        names = {name for name, _ in parse_qsl(own, keep_blank_values=True)}
        foreign = [pair for pair in parse_qsl(new.query, keep_blank_values=True) if pair[0] not in names]
        return new._replace(query=urlencode(foreign), fragment="").geturl()

    def _check_status(self, response: requests.Response) -> None:
        status = response.status_code
        if response.ok and not 300 <= status < 400:  # noqa: PLR2004
            return
        phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
        msg = f"was answered with {status} {phrase}"
        remedy = REMEDIES.get(status, "run again later, or ask those who run the API")
        if status in self._connection.retry_statuses:
            raise TransientError(msg, remedy, retry_after=_retry_after(response))
        msg = f"{msg}: {remedy}"
        raise FatalAPIError(msg)


def _read_body(response: requests.Response, deadline: float, timeout: float) -> bytes:
    """Read the body as it arrives, so that a trickle cannot hold the run up for ever."""
    chunks = []
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        chunks.append(chunk)
        if time.monotonic() > deadline:
            msg = f"did not arrive whole within {PAGE_TIMEOUTS * timeout:g} s"
            raise TransientError(msg, "lower limit, or raise timeout")
    return b"".join(chunks)


def _retry_after(response: requests.Response) -> float | None:
    """Seconds that Retry-After asks for, in seconds or as a date by the server's own clock."""
    try:
        return max(0.0, float(response.headers["Retry-After"]))
    except KeyError:
        return None
    except ValueError:
        until = _date(response, "Retry-After")
        now = _date(response, "Date") or datetime.now(timezone.utc)
        return max(0.0, (until - now).total_seconds()) if until else None


def _date(response: requests.Response, header: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(response.headers[header])
    except (KeyError, TypeError, ValueError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _origin(url: SplitResult) -> tuple[str, int]:
    return url.scheme, url.port or {"http": 80, "https": 443}.get(url.scheme, 0)


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
