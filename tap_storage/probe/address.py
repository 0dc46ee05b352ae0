"""An address as a person copies it out of a browser, taken apart into settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from tap_storage.probe.access import QUERY
from tap_storage.probe.hints import LIMITS, OFFSETS

if TYPE_CHECKING:
    from collections.abc import Mapping


def split(given: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the settings with path and query moved out of base_url, and notes of what was moved."""
    settings = dict(given)
    notes: list[str] = []
    url = settings.get("base_url")
    if not isinstance(url, str) or not url.strip():
        return settings, notes
    url = url.strip()
    if "://" not in url:
        url = f"https://{url}"
        notes.append("base_url had no scheme: https was tried")
    try:
        parts = urlsplit(url)
    except ValueError:
        return settings, notes  # refused later, with the remedy
    if parts.query or parts.fragment:
        notes.append("base_url had a query: it was taken apart")
        _take(settings, parse_qsl(parts.query, keep_blank_values=True))
    path = parts.path
    if path.strip("/") and not settings.get("path"):
        notes.append("base_url had a path: it was moved to path")
        settings["path"], path = path, ""
    settings["base_url"] = parts._replace(path=path, query="", fragment="").geturl()
    return settings, notes


def _take(settings: dict[str, Any], query: list[tuple[str, str]]) -> None:
    """Put the parameters of a query where the tap has settings for them, and the rest into params."""
    own = (settings.get("auth_param"), *QUERY)
    params = dict(settings["params"]) if isinstance(settings.get("params"), dict) else {}
    for name, value in query:
        if name in LIMITS and value.isdecimal():
            settings.setdefault("limit_param", name)
        elif name in OFFSETS and value.isdecimal():
            settings.setdefault("offset_param", name)
        elif name in own and not settings.get("api_key"):
            settings |= {"api_key": value, "auth_param": name, "auth_location": "query"}
        elif not (name == settings.get("auth_param", "api_key") and settings.get("api_key")):
            params[name] = value
    if params:
        settings["params"] = params
