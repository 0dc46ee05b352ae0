"""JSON that is nearly right: trees with a wrong value, and texts with wrong bytes."""

from __future__ import annotations

import copy
import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from random import Random

    Edit = Callable[[Random, list[Any] | dict[str, Any], Any], None]


class Raw(str):
    """JSON, or what looks like it, that is written as it is."""

    __slots__ = ()


NUMBERS = [
    "0", "-0", "1", "-1", "1.0", "1.10", "1e2", "1E400", "-1e-400", "1e999999999", "1e-999999999", "0.1",
    "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
    "18446744073709551616", "9" * 30, "9" * 400, "9" * 5000, "0." + "1" * 40, "1e99999999999999999999", "1" + "0" * 30,
    "253402300800", "1e16",
]  # fmt: skip
"""Numbers that JSON allows, and that are hard to keep."""
NO_JSON = ["NaN", "Infinity", "-Infinity", "01", "+1", "1.", ".5", "0x10", "1e", "None", "undefined", "'a'", "-", "tru"]
TEXTS = [
    "", " ", "null", "true", "false", "0", "-1", "1.5", "1e3", "a" * 5000, "é" * 300, "\x00", "\x1b[2Ja\x07",
    "two\nlines", "\r", "\t", "\u2028\u2029\x85", "\ufeff", "𝄞🏖️", "\u202eabc", 'a"b\\c', "%s %d {} ${x}",
    "../../etc/passwd",
    "<b>&amp;</b>", "a.b", "$", "$..*", "data", "id", "*", "[", "{", "[]", "{}", "a,b",
]  # fmt: skip
DATES = [
    "2024-01-31T00:00:00Z", "2024-01-31", "2024-02-30T00:00:00Z", "0000-00-00", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00", "2024-01-31T24:00:00Z", "2024-01-31t00:00:00z",
    "2024-01-31 00:00:00.1234567+01",
    "2024-W05-1", "20240131T000000Z", "2024-01-31T00:00:60Z", "2024-01-31T00:00:00", "1706659200", "1706659200000",
    "Wed, 31 Jan 2024 00:00:00 GMT", "31/01/2024", "2024-01-31T00:00:00Z junk",
    "\uff12\uff10\uff12\uff14-01-31T00:00:00Z", "-2024-01-31",
    "2024-01-31T00:00:00+25:00", "99999-01-01T00:00:00Z",
]  # fmt: skip
SURROGATES = ['"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\ud800\\u0041"', '"\\uZZZZ"']
DEPTHS = (3, 50, 500, 1500, 20_000)
LONG = (1_000, 70_000, 400_000)
BYTES = [
    b"\x00", b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xa8", b"\r\n", b"\x1b[31m", b'"',
    b"\\", b"{", b"}",
    b"[", b"]", b",", b":", b"null", b"-", b"e5", b"9" * 25, b"//", b"/*", b"\xf0\x9f\x92\xa9", b"\x80",
]  # fmt: skip
TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null|[\[\]{}:,]')


def chance(random: Random, share: float) -> bool:
    """Tell whether something is to be so, in this share of all cases."""
    return random.random() < share


def odd_value(random: Random) -> Any:
    """Return a value that is hard to handle, now and then no JSON at all."""
    simple: list[Callable[[], Any]] = [
        *[lambda: Raw(random.choice(NUMBERS))] * 5,
        *[lambda: random.choice(TEXTS)] * 3,
        *[lambda: random.choice(DATES)] * 3,
        lambda: None,
        lambda: random.choice((True, False)),
        lambda: random.choice(([], [None], [[]], [1, "a", None], [{}], [{"a": 1}], [{"a": {"b": []}}])),
        lambda: random.choice(({}, {"": 1}, {"a": None}, {"id": "x", "data": []}, {"a.b": {"c": 1}}, {"a\nb": 1})),
        lambda: Raw(random.choice(SURROGATES)),
        lambda: Raw(random.choice(NO_JSON)),
        lambda: _nested(random),
        lambda: random.choice("aé\\") * random.choice(LONG),
        lambda: random.randrange(-(10**6), 10**6),
    ]
    return simple[random.randrange(len(simple))]()


def _nested(random: Random) -> Raw:
    depth = random.choice(DEPTHS)
    begin, end = random.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")))
    return Raw(begin * depth + "1" + end * (depth if chance(random, 0.9) else depth - 1))


def dump(value: Any) -> str:
    """Write a tree as JSON; what is raw, as it is."""
    if isinstance(value, Raw):
        return value
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(name)}:{dump(inner)}" for name, inner in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def broken_tree(random: Random, tree: Any, *, times: int = 1) -> Any:
    """Return a copy of a tree in which so many things are wrong: a value, a name, an element too many or too few."""
    holder = [copy.deepcopy(tree)]
    for _ in range(times):
        places = list(_places(holder))
        if not places:
            break
        container, key = random.choice(places)
        random.choice(EDITS)(random, container, key)
    return holder[0] if holder else None


def _places(node: Any) -> Iterator[tuple[Any, Any]]:
    for key, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
        yield node, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


def _replace(random: Random, container: Any, key: Any) -> None:
    container[key] = odd_value(random)


def _remove(_: Random, container: Any, key: Any) -> None:
    del container[key]


def _duplicate(random: Random, container: Any, key: Any) -> None:
    if isinstance(container, list):
        container.insert(random.randrange(len(container) + 1), copy.deepcopy(container[key]))
    elif isinstance(container[key], dict):
        container[key] = Raw("{" + '"id":' + dump(odd_value(random)) + "," + dump(container[key])[1:])
    else:
        container[random.choice(TEXTS)] = container[key]


def _rename(random: Random, container: Any, key: Any) -> None:
    value = container[key]
    del container[key]
    if isinstance(container, list):
        container.append(value)
    else:
        container[random.choice([*TEXTS, str(key).upper(), f"{key} ", f"{key}2"])] = value


def _wrap(random: Random, container: Any, key: Any) -> None:
    container[key] = random.choice(([container[key]], {str(key): container[key]}, dump(container[key])))


def _swap(random: Random, container: Any, key: Any) -> None:
    other = random.choice(list(container) if isinstance(container, dict) else range(len(container)))
    container[key], container[other] = container[other], container[key]


def _add(random: Random, container: Any, key: Any) -> None:
    if isinstance(container, dict):
        container[random.choice(TEXTS)] = odd_value(random)
    else:
        container.insert(key, odd_value(random))


EDITS: tuple[Edit, ...] = (_replace, _replace, _replace, _replace, _remove, _duplicate, _rename, _wrap, _swap, _add)


def broken_text(random: Random, text: bytes) -> bytes:
    """Return a text with one thing wrong in its bytes or tokens."""
    at, until = sorted(random.randrange(len(text) + 1) for _ in range(2))
    until = min(until, at + 40)
    edits: list[Callable[[], bytes]] = [
        lambda: text[:at] + bytes([random.randrange(256)]) + text[at + 1 :],
        lambda: text[:at] + text[until:],
        lambda: text[:until] + text[at:until] * random.choice((1, 2, 50)) + text[until:],
        lambda: text[:at] + random.choice(BYTES) + text[at:],
        lambda: text[:at],
        lambda: text + random.choice([*BYTES, text, b"\n\n", b"junk", b"\x00" * 9]),
        lambda: random.choice((b"\xef\xbb\xbf", b" \n", b"\xff\xfe", b"while(1);", b"\xef\xbb\xbf" * 2)) + text,
        lambda: text.decode("utf-8", "surrogateescape").encode(random.choice(("utf-16", "utf-32")), "replace"),
        lambda: text.replace(b",", random.choice((b",\r\n", b" , \n", b",,", b";")), random.choice((1, -1))),
    ]
    tokens: Callable[[], bytes] = partial(_broken_tokens, random, text)
    return random.choice([*edits, *[tokens] * 6])()


def _broken_tokens(random: Random, text: bytes) -> bytes:
    """Return a text with a token of it replaced, removed, doubled, or changed for another."""
    found = list(TOKEN.finditer(text))
    if not found:
        return text
    one, other = (random.choice(found) for _ in range(2))
    new = random.choice(
        (
            dump(odd_value(random)).encode("utf-8", "surrogatepass"),
            b"",
            one[0] * 2,
            other[0],
            random.choice(NUMBERS).encode(),
            random.choice(NO_JSON).encode(),
        )
    )
    return text[: one.start()] + new + text[one.end() :]
