"""What can go wrong with a request, told as cause and remedy, and whether it may pass.

Messages are built from what is known to be harmless, never from a URL, a body or another library's message: the API key
and parameter values may be in all of them. Each is a predicate: "was answered with 404 Not Found: check …".
"""

from __future__ import annotations

import http.client
import math
import os
import re
import ssl
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from functools import lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

import requests
import urllib3
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError

from tap_storage.connections import ClosedMeanwhileError
from tap_storage.records import UnreadablePageError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

SUCCESS = range(200, 300)

CHECK_AUTH = (
    "and auth_param and auth_location, which say how it is sent; an API may also want a user name or the like in "
    "params or headers"
)
CHECK_PAGE = "check limit (the API may allow fewer), limit_param, offset_param and params"
CHECK_ADDRESS = "check base_url and path"
CHECK_HOST = "check the host and port in base_url, and that the server is up, or run again later"
CHECK_REQUEST = "check base_url, path, params and headers"
CHECK_SLASH = f"{CHECK_ADDRESS}, and whether path must end with a slash"
CHECK_TWICE = "base_url holds path, or its beginning, already: leave it out there"
CHECK_SITE = (
    "check base_url and path, which lead to a page for people; if it asks for a login, check api_key, auth_param and "
    "auth_location"
)
CHECK_TLS = "if the server wants TLS, begin base_url with https"
ASK_LATER = (
    "run again later, or ask those who run the API. If only high offsets fail, read less at a time, with a filter by "
    "start_param"
)
REMEDIES = {
    400: CHECK_PAGE,
    401: f"check api_key, {CHECK_AUTH}",
    403: f"check that api_key may read this collection, {CHECK_AUTH}",
    404: CHECK_SLASH,
    405: CHECK_SLASH,
    407: "check the proxy that HTTP_PROXY or HTTPS_PROXY names, or name the host in NO_PROXY",
    410: CHECK_SLASH,
    414: "shorten params",
    422: CHECK_PAGE,
    429: "run again later, or raise max_retries or max_backoff",
}
TELLING = (400, 401, 403, 422)
"""Statuses that may be about what was sent, which is therefore told."""
USUAL_HEADERS = frozenset({"accept", "accept-encoding", "connection", "user-agent"})
NAMES_SHOWN = 12
NO_TLS = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")
"""What OpenSSL calls an answer that is not TLS."""
NO_HTTP = (http.client.HTTPException, urllib3.exceptions.InvalidHeader)
BROKEN_OFF = (http.client.RemoteDisconnected, http.client.IncompleteRead)
EXPIRED, WRONG_HOST = (9, 10), (62, 64)
"""X509_V_ERR_… of OpenSSL: not valid yet or any more; of another host or address."""

REFUSALS = range(400, 500)
"""Statuses by which an API may say that it serves nothing at an offset …"""
NO_REFUSALS = (401, 403, 407, 408, 429)
"""… but for those, which say something of the request."""


class RefusedError(FatalAPIError):
    """The API refuses to serve what was asked for."""


class UnprovenError(FatalAPIError):
    """What the API answered does not prove that no record is missing, or speaks against it."""


class TransientError(RetriableAPIError):
    """A failure that may pass when asked again.

    retry_after: seconds that the server wants to be left alone, None where it names none. wants_silence: whether it
    wants that of all requests.
    """

    def __init__(
        self, message: str, remedy: str, *, retry_after: float | None = None, wants_silence: bool = False
    ) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.retry_after = retry_after
        self.wants_silence = wants_silence
        self.again_at: float | None = None
        """When to ask again, on the monotonic clock."""


def of_status(response: requests.Response, retried: Collection[int]) -> TransientError | FatalAPIError | None:
    """Return what an answer's status says went wrong; None if nothing did. retried: statuses that may pass."""
    status = response.status_code
    if status in SUCCESS:
        return None
    phrase = HTTPStatus(status).phrase if status in HTTPStatus._value2member_map_ else "unknown status"
    msg = f"was answered with {status} {phrase}"
    remedy = _remedy(response)
    if status in retried or status < SUCCESS.start:
        wanted = retry_after(response.headers)
        silence = wanted is not None or status == HTTPStatus.TOO_MANY_REQUESTS
        return TransientError(msg, remedy, retry_after=wanted, wants_silence=silence)
    kind = RefusedError if status in REFUSALS and status not in NO_REFUSALS else FatalAPIError
    return kind(f"{msg}: {remedy}")


def _remedy(response: requests.Response) -> str:
    """Return what to do about an error status, with the names of what was sent, and never the values."""
    status, url = response.status_code, urlsplit(response.request.url or "")
    remedy = REMEDIES.get(status, CHECK_REQUEST if status in REFUSALS else ASK_LATER)
    if remedy == CHECK_SLASH and re.search(r"(/.+)\1(/|$)", url.path):
        return CHECK_TWICE
    if status not in TELLING:
        return remedy
    sent = parse_qsl(url.query, keep_blank_values=True)
    headers = [name for name in response.request.headers if name.lower() not in USUAL_HEADERS]
    told = [f"parameters {', '.join(list(dict.fromkeys(name for name, _ in sent))[:NAMES_SHOWN])}"] if sent else []
    told += [f"headers {', '.join(headers[:NAMES_SHOWN])}"] if headers else []
    remedy += f" (sent: {'; '.join(told)})" if told else ""
    if blank := next((name for name, value in sent if value != value.strip()), None):
        remedy += f". What is sent as {blank} begins or ends with a blank or a line break: remove it"
    return f"{remedy}; {CHECK_TLS}" if status == HTTPStatus.BAD_REQUEST and url.scheme == "http" else remedy


def of_exception(error: Exception, *, timeout: float, page_timeout: float) -> Exception:  # noqa: PLR0911 (a table)
    """Return the TransientError or FatalAPIError that tells of an exception; any other exception as it is.

    timeout: seconds to connect, and between bytes. page_timeout: seconds for the whole page.
    """
    if isinstance(error, UnreadablePageError):
        remedy = CHECK_SITE if "HTML" in str(error) else f"{CHECK_ADDRESS}, or run again later"
        return TransientError(f"answered with a body that {error}", remedy)
    if type(error) is FutureTimeoutError:
        return TransientError(f"did not arrive whole within {page_timeout:g} s", "lower limit, or raise timeout")
    if isinstance(error, requests.exceptions.ContentDecodingError):
        return TransientError(
            "answered with a body that cannot be decompressed", f"{CHECK_ADDRESS}, or run again later"
        )
    if isinstance(error, requests.exceptions.SSLError) and not _has(error, ssl.SSLEOFError):
        return FatalAPIError(f"could not be asked for: {_tls(error)}")
    if isinstance(error, (requests.exceptions.ProxyError, requests.exceptions.InvalidProxyURL)):
        return TransientError("could not be asked for: the proxy failed", REMEDIES[407])
    if isinstance(error, requests.exceptions.Timeout) or _has(error, urllib3.exceptions.ReadTimeoutError):
        return TransientError(f"got no answer within {timeout:g} s", "check base_url, or raise timeout")
    # ValueError is what the library says that looks at an address first; a header in an answer may be invalid too.
    if isinstance(error, ValueError) and not isinstance(error, requests.exceptions.InvalidHeader):
        return FatalAPIError(f"could not be asked for, or is redirected to, what is no address: {CHECK_ADDRESS}")
    if isinstance(error, requests.RequestException):
        plain = error.request is not None and str(error.request.url).startswith("http:")
        remedy = f"{CHECK_HOST}; {CHECK_TLS}" if plain else CHECK_HOST
        return TransientError(f"could not be read: {_reason(error)}", remedy)
    return error


def date(headers: Mapping[str, str], name: str) -> datetime | None:
    """Return the instant that a header of an answer names, None if it names none."""
    return _instant(headers.get(name, ""))


@lru_cache  # all answers of a second have the same
def _instant(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds Retry-After asks for, itself or as a date by the server's own clock; None for neither."""
    try:
        seconds = float(headers["Retry-After"].partition(",")[0])  # a comma joins a header that came twice
    except KeyError:
        return None
    except ValueError:
        until = date(headers, "Retry-After")
        now = date(headers, "Date") or datetime.now(timezone.utc)
        seconds = (until - now).total_seconds() if until else math.nan
    return max(0.0, seconds) if math.isfinite(seconds) else None


def _tls(error: requests.exceptions.SSLError) -> str:
    """Say what is wrong with a certificate, or with TLS altogether, and what to do."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLCertVerificationError):
            if cause.verify_code in WRONG_HOST:
                return "the server's certificate is for another host. Check the host in base_url"
            if cause.verify_code in EXPIRED:
                return (
                    "the server's certificate has expired or is not valid yet. Check base_url, and this machine's clock"
                )
            return (
                "the server's certificate was refused, as nobody trusted here signed it. Check base_url; "
                "REQUESTS_CA_BUNDLE may name a file with the certificate of an authority of your own"
            )
        if isinstance(cause, ssl.SSLError) and cause.reason in NO_TLS:
            return "the server speaks no TLS there. Begin base_url with http, or correct its port"
    return (
        "TLS failed. Check base_url, and that the file which REQUESTS_CA_BUNDLE names, if it is set, holds certificates"
    )


def _reason(error: BaseException) -> str:
    """Name what failed at the bottom of an error of requests, without its text."""
    for cause in _causes(error):
        if isinstance(cause, urllib3.exceptions.NameResolutionError):
            return "the name of the host is not known"
        if isinstance(cause, NO_HTTP) and not isinstance(cause, BROKEN_OFF):
            return "the answer is no valid HTTP, or has more than 100 headers"
        if isinstance(cause, OSError) and cause.errno and not isinstance(cause, ssl.SSLError):
            return os.strerror(cause.errno).lower()
    return "the connection broke off"


def closed_meanwhile(error: Exception) -> bool:
    """Tell whether a request failed because the server had closed the connection that was kept for it."""
    return _has(error, ClosedMeanwhileError)


def _has(error: BaseException, kind: type[BaseException]) -> bool:
    return any(isinstance(cause, kind) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those it was made of: requests and urllib3 wrap them as arguments and as `reason`."""
    yield error
    for inner in (getattr(error, "reason", None), error.__cause__, *error.args):
        if isinstance(inner, BaseException):
            yield from _causes(inner)
