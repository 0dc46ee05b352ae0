"""What secrets look like: each shape is one that some way of writing, cutting or quoting gets wrong."""

from __future__ import annotations

import dataclasses
import string
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

SHAPES = {
    "plain": "{}-{}-{}",
    "reserved": "{}+/=%&?#{}",
    "quotes": "{}\"x\\n'`{}",
    "unicode": "{}üß{}ключ🔑",
    "digits": "",
    "short": "",
    "long": "",
    "spaces": "{}  two words {}",
    "percent": "{}%41%zz%2F{}",
}
LATIN = "{}üß§{}"
"""Unicode, where a header is to carry it."""
WORD_LENGTH = 6
DIGITS_LENGTH = 11
LONG_LENGTH = 400


@dataclasses.dataclass(frozen=True)
class Secrets:
    """The secrets of one cell: what the tap has in its settings, and what stands in an address."""

    key: str
    header: str
    parameter: str
    proxy: str
    user: str

    def by_name(self) -> dict[str, str]:
        """Return them all, with what they are called."""
        return dataclasses.asdict(self)


def make(rng: Random, shape: str, *, header: bool) -> Secrets:
    """Make secrets, of which the key has this shape, and the others the ones after it. header: the key goes in one."""
    names = list(SHAPES)
    key, second, third = ((names * 2)[names.index(shape) + 3 * step] for step in range(3))
    return Secrets(
        key=_one(rng, key, header=header),
        header=_one(rng, second, header=True),
        parameter=_one(rng, third, header=False),
        proxy=_one(rng, "plain", header=False),
        user=_one(rng, "plain", header=False),
    )


def _one(rng: Random, shape: str, *, header: bool) -> str:
    if shape == "digits":
        return str(rng.randrange(10 ** (DIGITS_LENGTH - 1), 10**DIGITS_LENGTH))
    if shape == "short":
        return f"{rng.choice('QXZ')}{rng.choice('789')}{rng.choice('qxz')}{rng.choice('!~*')}"
    if shape == "long":
        return "".join(rng.choices(string.ascii_letters + string.digits, k=LONG_LENGTH))
    pattern = LATIN if header and shape == "unicode" else SHAPES[shape]
    words = ("".join(rng.choices(string.ascii_letters + string.digits, k=WORD_LENGTH)) for _ in range(3))
    return pattern.format(*words)
