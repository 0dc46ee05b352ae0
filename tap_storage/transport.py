"""The connections to an API, and how hard it may be asked: one of these for all streams, and all their workers."""

from __future__ import annotations

import importlib.util
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.utils import prepend_scheme_if_needed, select_proxy
from singer_sdk.exceptions import ConfigurationError
from urllib3.util import parse_url

from tap_storage.connections import Adapter
from tap_storage.throttle import Throttle

if TYPE_CHECKING:
    from tap_storage.settings import Connection


MOST_CLOSURES = 3
"""Times that a kept connection may turn out to be closed, before each request has one of its own."""


class Transport:
    """Sends requests over connections that are kept alive.

    Raises ConfigurationError where the environment names a CA bundle that is not there, or a proxy that cannot be one.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.throttle = Throttle(
            most=connection.concurrency, rate=connection.requests_per_second, longest=connection.max_backoff
        )
        self.told: set[str] = set()
        """Paths that the API redirects to, and that the log has."""
        self._closures = 0
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, Adapter(pool_connections=1, pool_maxsize=connection.concurrency))
        # Resolved once, since requests would look through the environment at every request.
        self._environment = environment(self.session, connection.base_url)
        for name in ("urllib3.connection", "urllib3.response"):
            # They tell of odd headers at every answer: with a traceback, and what they hold, which may be secret.
            logging.getLogger(name).setLevel(logging.ERROR)

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request, and return the answer as far as its headers."""
        session = self.session
        if self._closures >= MOST_CLOSURES:
            session = requests.Session()
            session.trust_env = False
            session.cookies = self.session.cookies
            request.headers["Connection"] = "close"
        return session.send(request, timeout=self.connection.timeout, allow_redirects=False, **self._environment)

    def take_closure(self) -> None:
        """Take in that the API closed a kept connection as it was asked: others are as old; after a few, keep none."""
        self._closures += 1
        self.session.close()


def environment(session: requests.Session, base_url: str) -> dict[str, Any]:
    """Return what the environment says of proxies and certificates, as arguments for `send`, from now on for good.

    Raises ConfigurationError where that cannot be used.
    """
    found: dict[str, Any] = dict(session.merge_environment_settings(base_url, {}, stream=True, verify=None, cert=None))
    session.trust_env = False
    if isinstance(found["verify"], str) and not Path(found["verify"]).exists():
        msg = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that does not exist: correct or unset it"
        raise ConfigurationError(msg)
    proxy = select_proxy(base_url, found["proxies"])
    if proxy and not _can_be_proxy(proxy):
        msg = (
            "HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names what cannot be a proxy: begin it with http://, followed by "
            "host and port, or name the host in NO_PROXY. A socks5:// proxy needs the package PySocks"
        )
        raise ConfigurationError(msg)
    return found


def _can_be_proxy(address: str) -> bool:
    try:
        parsed = parse_url(prepend_scheme_if_needed(address, "http"))  # type: ignore[no-untyped-call]
    except ValueError:
        return False
    socks = (parsed.scheme or "").startswith("socks") and importlib.util.find_spec("socks")
    return bool(parsed.host and (parsed.scheme in {"http", "https"} or socks))
