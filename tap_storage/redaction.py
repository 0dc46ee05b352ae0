"""Keep secrets out of every line that a log handler writes.

The API key travels in the URL, and URLs turn up in debug lines, tracebacks and the errors of other libraries.
So lines are cleaned where they leave the process, whoever wrote them and whichever logging configuration is in force.
"""

from __future__ import annotations

import base64
import json
import logging
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from urllib.request import getproxies

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MASK = "***"
SHORTEST = 4
"""Characters: anything shorter is part of ordinary words and numbers, and would blot out the log."""
ESCAPES = 31
"""Backslashes before a character that was escaped five times; more are looked at in vain, as often as there are."""
BLANKS = (
    rf"(?i:\s|\+|%(?:25)*(?:20|0[9a-d])|\\{{1,{ESCAPES}}}(?:\s|[nrtfv]|x(?:20|0[9a-d])|u00(?:20|0[9a-d])|U00000020))+"
)
"""A pattern of blanks; of each, only one part can match, so that it is quick whatever follows."""
LONGEST = 4000
"""Characters of a line: names of fields and settings may come from anywhere, and have any length."""
TELLING = 1000
"""Characters of a secret that are looked for."""
BEGINNING = 32
"""Characters of one twice as long that give it away where it is cut off, as Python does with a value that it quotes."""
REST = r"[^\s\"'&,;<>\\]*"
"""What may follow them: up to where a value ends."""
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Characters that end a line, or that a terminal acts on."""


def conceal(secrets: Collection[str]) -> None:
    """Let no log handler that is installed now write any of these secrets again, nor a proxy's password.

    secrets: raw values; those below four characters are passed over.
    """
    secrets = [*secrets, *_of_proxies()]
    # Of a line that it cannot write, as on a full disk, logging would print the arguments, which nothing masks.
    logging.raiseExceptions = False
    for handler in handlers():
        formatter = handler.formatter
        if not isinstance(formatter, RedactingFormatter):
            formatter = RedactingFormatter(formatter or logging.Formatter())
            handler.setFormatter(formatter)
        formatter.secrets.add(secrets)


class Secrets:
    """Values to be masked in text, in whatever spelling they appear."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._values: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Mask these too."""
        # Blanks are what lines are broken at, and joined by.
        plain = (re.sub(r"\s+", " ", secret) for secret in secrets)
        self._values.update(secret for secret in plain if len(secret) >= SHORTEST)
        longest_first = sorted(self._values, key=len, reverse=True)
        spellings = "|".join(map(_pattern, longest_first))
        self._pattern = re.compile(spellings, re.DOTALL) if spellings else None

    def mask(self, text: str) -> str:
        """Return the text with each secret replaced."""
        return self._pattern.sub(MASK, text) if self._pattern else text


class RedactingFormatter(logging.Formatter):
    """Lets another formatter write the line, then masks the secrets in it."""

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self.inner = inner
        self.secrets = Secrets()

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = self.inner.format(record)
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            text = self.secrets.mask(line)
            return text if record.exc_info or record.exc_text or record.stack_info else legible(text)
        return json.dumps(self._mask_values(fields), separators=(",", ":"))

    def _mask_values(self, value: Any) -> Any:
        """Mask what a structured line says, not the field names that its reader looks for."""
        if isinstance(value, str):
            return self.secrets.mask(value)
        if isinstance(value, dict):
            return {key: self._mask_values(field) for key, field in value.items()}
        if isinstance(value, list):
            return [self._mask_values(element) for element in value]
        return value


def legible(text: str) -> str:
    """Return a text as one line that a terminal shows as it is, and cut where it is longer than anyone reads."""
    more = len(text) - LONGEST
    text = UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode(), text[:LONGEST])
    return f"{text}… ({more} characters more)" if more > 0 else text


def handlers() -> Iterator[logging.Handler]:
    """Yield all log handlers that there are now: those of loggers, and of other handlers."""
    # Private, but what logging.shutdown goes by; a handler that buffers for another is not to be told from outside.
    yield from filter(None, [reference() for reference in logging._handlerList])  # type: ignore[attr-defined]  # noqa: SLF001
    if logging.lastResort:
        yield logging.lastResort


def _of_proxies() -> Iterator[str]:
    """Yield what is secret in the environment's proxies: passwords, and how they are sent."""
    for address in getproxies().values():
        user = address.rpartition("@")[0].rpartition("//")[2]
        if user:
            yield from (password := user.partition(":")[2] or user, unquote(password))
            yield base64.b64encode(unquote(user).encode("latin-1", "replace")).decode()


def _pattern(secret: str) -> str:
    """Return a pattern of a secret; of one that is too long to look for whole, with all that follows its beginning."""
    spelled = [_spellings(character) for character in secret[:TELLING]]
    whole = "".join(spelled) + (".*" if len(secret) > TELLING else "")
    return whole if len(secret) < 2 * BEGINNING else f"{whole}|{''.join(spelled[:BEGINNING])}{REST}"


def _spellings(character: str) -> str:
    """Return a pattern of the ways one character is written, also where its UTF-8 was read as Latin-1, as in a header.

    A blank stands for any number of them.
    """
    if character == " ":
        return BLANKS
    if character.isascii():
        return _ways(character)
    return f"(?:{_ways(character)}|{''.join(map(_ways, character.encode('utf-8', 'surrogatepass').decode('latin-1')))})"


def _ways(character: str) -> str:
    r"""Return a pattern of one character as it is, percent-encoded, or escaped.

    Escapes are those of JSON and of Python's repr, however often they were applied (`\"`, `\\\"`, `\\u00e4`).
    """
    utf8, utf16 = (
        character.encode("utf-8", "surrogatepass"),
        character.encode("utf-16-be", "surrogatepass"),
    )
    units = [utf16[i : i + 2].hex() for i in range(0, len(utf16), 2)]
    ways = [
        rf"\\{{0,{ESCAPES}}}{re.escape(character)}",
        "".join(f"%(?:25)*{byte:02x}" for byte in utf8),
        "".join(rf"\\{{1,{ESCAPES}}}u{unit}" for unit in units),
        "".join(rf"\\{{1,{ESCAPES}}}x{byte:02x}" for byte in utf8),
        rf"\\{{1,{ESCAPES}}}U{ord(character):08x}",
    ]
    if ord(character) <= 0xFF:  # noqa: PLR2004
        ways.append(rf"\\{{1,{ESCAPES}}}x{ord(character):02x}")
    raw, *encoded = ways
    return f"(?:{raw}|(?i:{'|'.join(encoded)}))"
