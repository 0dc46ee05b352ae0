"""The connections to an API, and how hard it may be asked: one of these for all streams, and all their workers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from singer_sdk.exceptions import ConfigurationError

from tap_storage.throttle import Throttle

if TYPE_CHECKING:
    from tap_storage.settings import Connection


class Transport:
    """Sends requests over connections that are kept alive.

    Raises ConfigurationError where the environment names a CA bundle that is not there.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.throttle = Throttle(
            most=connection.concurrency, rate=connection.requests_per_second, longest=connection.max_backoff
        )
        self.told: set[str] = set()
        """Paths that the API redirects to, and that the log has."""
        self.session = requests.Session()
        for scheme in ("http://", "https://"):
            self.session.mount(scheme, HTTPAdapter(pool_connections=1, pool_maxsize=connection.concurrency))
        # Resolved once, since requests would look through the environment at every request.
        self._environment = self.session.merge_environment_settings(
            connection.base_url, {}, stream=True, verify=None, cert=None
        )
        self.session.trust_env = False
        bundle = self._environment["verify"]
        if isinstance(bundle, str) and not Path(bundle).exists():
            msg = "REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that does not exist: correct or unset it"
            raise ConfigurationError(msg)

    def send(self, request: requests.PreparedRequest) -> requests.Response:
        """Send a request, and return the answer as far as its headers."""
        return self.session.send(request, timeout=self.connection.timeout, allow_redirects=False, **self._environment)

    def disconnect(self) -> None:
        """Let go of the connections that are not in use; the next request makes a new one."""
        self.session.close()
