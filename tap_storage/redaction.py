"""Keep secrets out of every line that a log handler writes.

The API key travels in the URL, and URLs turn up in debug lines, tracebacks and the errors of other libraries.
So lines are cleaned where they leave the process, whoever wrote them and whichever logging configuration is in force.
"""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MASK = "***"
SHORTEST = 4
"""Characters: anything shorter is part of ordinary words and numbers, and would blot out the log."""


def conceal(secrets: Collection[str]) -> None:
    """Let no log handler that is installed now write any of these secrets again.

    secrets: raw values; those below four characters are passed over.
    """
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
        self._values.update(secret for secret in secrets if len(secret) >= SHORTEST)
        longest_first = sorted(self._values, key=len, reverse=True)
        spellings = "|".join("".join(map(_spellings, secret)) for secret in longest_first)
        self._pattern = re.compile(spellings) if spellings else None

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
        except ValueError:
            return self.secrets.mask(line)
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


def handlers() -> Iterator[logging.Handler]:
    """Yield the handlers of all loggers that there are now."""
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    for logger in loggers:
        if isinstance(logger, logging.Logger):
            yield from logger.handlers


def _spellings(character: str) -> str:
    r"""Return a pattern of the ways one character is written: as it is, percent-encoded, or escaped.

    Escapes are those of JSON and of Python's repr, however often they were applied (`\"`, `\\\"`, `\\u00e4`).
    """
    utf8, utf16 = (
        character.encode("utf-8", "surrogatepass"),
        character.encode("utf-16-be", "surrogatepass"),
    )
    units = [utf16[i : i + 2].hex() for i in range(0, len(utf16), 2)]
    ways = [
        rf"\\*{re.escape(character)}",
        "".join(f"%(?:25)*{byte:02x}" for byte in utf8),
        "".join(rf"\\+u{unit}" for unit in units),
        "".join(rf"\\+x{byte:02x}" for byte in utf8),
        rf"\\+U{ord(character):08x}",
    ]
    if ord(character) <= 0xFF:  # noqa: PLR2004
        ways.append(rf"\\+x{ord(character):02x}")
    if character == " ":
        ways.append(r"\+")
    raw, *encoded = ways
    return f"(?:{raw}|(?i:{'|'.join(encoded)}))"
