"""Connections that tell whether the server closed them while they were kept: that is nobody's failure.

A server may close an idle connection at any time, also just as the next request is on its way (RFC 9112, 9.3.1). Where
one does so time and again, the others that are kept would use up all retries.
"""

from __future__ import annotations

import contextlib
import ssl
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import ProxyManager
    from urllib3.response import HTTPResponse


class ClosedMeanwhileError(ConnectionError):
    """The server closed a kept connection before it answered the next request on it."""


class _Kept(HTTPConnection):
    """Knows whether it has been answered on."""

    _answered = False

    @override
    def connect(self) -> None:
        self._answered = False
        super().connect()

    @override
    def request(self, *args: Any, **options: Any) -> None:
        with self._telling():
            super().request(*args, **options)

    @override
    def getresponse(self) -> HTTPResponse:  # type: ignore[override]  # as urllib3 has it
        with self._telling():
            response = super().getresponse()
        self._answered = True
        return response

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except (ConnectionError, ssl.SSLEOFError) as error:
            if not self._answered:
                raise
            raise ClosedMeanwhileError from error


class _KeptTLS(_Kept, HTTPSConnection):
    """The same, over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Kept


class _PoolTLS(HTTPSConnectionPool):
    ConnectionCls = _KeptTLS


POOLS = {"http": _Pool, "https": _PoolTLS}


class Adapter(HTTPAdapter):
    """Sends over connections of this kind."""

    @override
    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = POOLS

    @override
    def proxy_manager_for(self, proxy: str, **options: Any) -> ProxyManager:
        manager: ProxyManager = super().proxy_manager_for(proxy, **options)
        manager.pool_classes_by_scheme = POOLS
        return manager
