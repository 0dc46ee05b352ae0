"""Where a redirect may lead: to another place on the same server, and nowhere else, since the API key goes along."""

from __future__ import annotations

from urllib.parse import SplitResult, parse_qsl, urlencode, urljoin, urlsplit

from singer_sdk.exceptions import FatalAPIError

HTTP, HTTPS = ("http", 80), ("https", 443)


def followed(url: str, location: str, own: str) -> str:
    """Return the address that a redirect leads to, less the parameters that the tap sends itself.

    url: what was asked for. location: the answer's header. own: the tap's query, which is sent again. Raises
    FatalAPIError for another host, port or scheme (but from http to https), and ValueError for what is no address.
    """
    old, new = urlsplit(url), urlsplit(urljoin(url, location))
    same = _origin(new) == _origin(old) or (_origin(old), _origin(new)) == (HTTP, HTTPS)
    if new.hostname != old.hostname or "@" in new.netloc or not same:
        msg = (
            "is redirected to another server, where the API key must not go. Set base_url to that server if you trust "
            "it; if it asks for a login, check api_key, auth_param and auth_location"
        )
        raise FatalAPIError(msg)
    names = {name for name, _ in parse_qsl(own, keep_blank_values=True)}
    foreign = [pair for pair in parse_qsl(new.query, keep_blank_values=True) if pair[0] not in names]
    return new._replace(query=urlencode(foreign), fragment="").geturl()


def _origin(url: SplitResult) -> tuple[str, int]:
    return url.scheme, url.port or dict((HTTP, HTTPS)).get(url.scheme, 0)
