"""The search: in what spellings a secret may turn up, and whether a text holds any of them."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PART = 12
"""Characters of the beginning and the end of a secret that must not be found either …"""
LONG = 20
"""… if it is at least so long."""
CERTAIN = 6
"""Characters of base64, or without blanks, below which a find would be chance."""
BASE64_GROUP = 3


@lru_cache(maxsize=64)
def spellings(secret: str) -> dict[str, str]:
    """Return what to search a text for, each with what it is called."""
    found: dict[str, str] = {}
    for kind, text in _texts(secret):
        for how, spelled in _encoded(text):
            found.setdefault(spelled, f"{kind}{how}")
    for how, spelled in _base64(secret):
        found.setdefault(spelled, how)
    return found


def leaks(text: str, secrets: Mapping[str, str]) -> list[str]:
    """Return what a text holds of secrets, as `name, spelling`. secrets: the values by name."""
    squeezed = re.sub(r"\s", "", text)
    found = []
    for name, secret in secrets.items():
        for spelled, how in spellings(secret).items():
            bare = re.sub(r"\s", "", spelled)
            if spelled in text:
                found.append(f"{name}, {how}")
            elif len(bare) >= CERTAIN and bare in squeezed:
                found.append(f"{name}, {how}, with other blanks")
    return found


def _texts(secret: str) -> Iterator[tuple[str, str]]:
    """Yield the secret, its ends, and what becomes of it where UTF-8 and Latin-1 are taken for each other."""
    yield "", secret
    if len(secret) >= LONG:
        yield "beginning, ", secret[:PART]
        yield "end, ", secret[-PART:]
    if not secret.isascii():
        yield "UTF-8 read as Latin-1, ", secret.encode().decode("latin-1")
        yield "UTF-8 read as Windows-1252, ", secret.encode().decode("cp1252", "replace")
        yield "Latin-1 read as UTF-8, ", secret.encode("latin-1", "replace").decode("utf-8", "replace")
        yield "ASCII, ", secret.encode("ascii", "replace").decode()


def _encoded(text: str) -> Iterator[tuple[str, str]]:
    yield "raw", text
    percent = quote(text, safe="")
    ways = {"percent": percent, "percent, slashes left": quote(text), "plus": quote_plus(text)}
    ways["percent, all"] = "".join(f"%{byte:02X}" for byte in text.encode())
    ways["percent, Latin-1"] = quote(text.encode("latin-1", "replace"), safe="")
    for how, spelled in ways.items():
        yield how, spelled
        yield f"{how}, lower", re.sub("%..", lambda escape: escape[0].lower(), spelled)
    yield "percent, twice", quote(percent, safe="")
    written = json.dumps(text)[1:-1]
    yield "JSON", written
    yield "JSON, not ASCII", json.dumps(text, ensure_ascii=False)[1:-1]
    yield "JSON, slashes escaped", written.replace("/", "\\/")
    yield "JSON, twice", json.dumps(written)[1:-1]
    yield "JSON, then percent", quote(written, safe="")
    yield "repr", repr(text)[1:-1]
    yield "repr, ASCII", ascii(text)[1:-1]
    yield "repr of bytes", repr(text.encode())[2:-1]
    yield "repr of bytes, Latin-1", repr(text.encode("latin-1", "replace"))[2:-1]
    yield "HTML", html.escape(text)


def _base64(secret: str) -> Iterator[tuple[str, str]]:
    """Yield the secret as base64, at each place in a longer text at which it may begin."""
    for encoding in ("utf-8", "latin-1"):
        content = secret.encode(encoding, "replace")
        yield f"base64, {encoding}", base64.b64encode(content).decode()
        for skipped in range(BASE64_GROUP):
            inner = content[skipped:]
            whole = inner[: len(inner) // BASE64_GROUP * BASE64_GROUP]
            for how, encode in (("base64", base64.b64encode), ("base64, for URLs", base64.urlsafe_b64encode)):
                spelled = encode(whole).decode()
                if len(spelled) >= CERTAIN:
                    yield f"{how}, {encoding}", spelled
    yield "hexadecimal", secret.encode().hex()
