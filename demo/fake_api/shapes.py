"""JSON values read into frozen dataclasses; the annotations are the rules.

Understood: bool, int, float, str, None, object (anything), `Literal`, `Annotated` with
`AtLeast`, unions, `tuple[X, ...]` (a JSON list), `Mapping[str, str]` and dataclasses. A
field whose JSON key is a Python keyword ends in an underscore (`from_`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import MISSING, asdict, dataclass, fields, is_dataclass
from types import NoneType, UnionType
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

WORDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    NoneType: "null",
    object: "anything",
}


class Refused(ValueError):  # noqa: N818 - reads as the sentence it is
    """A value without the shape asked for; the message says where and what fits."""


@dataclass(frozen=True)
class AtLeast:
    """The lower bound of a number, as in `Annotated[int, AtLeast(1)]`."""

    minimum: float


Positive = Annotated[int, AtLeast(1)]
Duration = Annotated[float, AtLeast(0)]


def read(shape: type[T], value: object, where: str) -> T:
    """Return the JSON object as an instance of the dataclass.

    where: what the value is called in messages. Raises Refused for unknown and missing
    keys, for values of another shape, and for what the dataclass itself refuses.
    """
    if not isinstance(value, dict):
        raise _refusal(shape, value, where)
    shapes = get_type_hints(shape, include_extras=True)
    known = {field.name.rstrip("_"): field.name for field in fields(shape)}  # type: ignore[arg-type]
    if unknown := sorted(set(value) - set(known)):
        message = f"{where}: unknown key {unknown[0]!r}, expected {', '.join(known)}"
        raise Refused(message)
    if missing := sorted(_required(shape) - set(value)):
        message = f"{where}: missing key {missing[0]!r}"
        raise Refused(message)
    given = {known[key]: _read(shapes[known[key]], part, f"{where}.{key}") for key, part in value.items()}
    try:
        return shape(**given)
    except Refused as refusal:
        message = f"{where}: {refusal}"
        raise Refused(message) from None


def as_json(instance: object) -> dict[str, object]:
    """Return the JSON object that `read` would turn into this dataclass instance."""
    told: dict[str, object] = asdict(
        instance,  # type: ignore[call-overload]
        dict_factory=lambda pairs: {key.rstrip("_"): value for key, value in pairs},
    )
    return told


def _required(shape: Any) -> set[str]:
    return {each.name for each in fields(shape) if each.default is MISSING and each.default_factory is MISSING}


def _read(shape: Any, value: object, where: str) -> object:
    reader = READERS.get(get_origin(shape))
    if reader:
        return reader(shape, value, where)
    if is_dataclass(shape):
        return read(shape, value, where)  # type: ignore[arg-type]
    if shape is object or type(value) is shape:
        return value
    if shape is float and type(value) is int:
        return value
    raise _refusal(shape, value, where)


def _bounded(shape: object, value: object, where: str) -> object:
    inner, bound = get_args(shape)
    number = _read(inner, value, where)
    if number < bound.minimum:
        message = f"{where}: expected at least {bound.minimum}, not {value}"
        raise Refused(message)
    return number


def _any_of(shape: object, value: object, where: str) -> object:
    for part in get_args(shape):
        with suppress(Refused):
            return _read(part, value, where)
    raise _refusal(shape, value, where)


def _literal(shape: object, value: object, where: str) -> object:
    if value in get_args(shape):
        return value
    raise _refusal(shape, value, where)


def _tuple(shape: object, value: object, where: str) -> object:
    if not isinstance(value, (list, tuple)):
        raise _refusal(shape, value, where)
    part = get_args(shape)[0]
    return tuple(_read(part, each, f"{where}[{index}]") for index, each in enumerate(value))


def _mapping(shape: object, value: object, where: str) -> object:
    if isinstance(value, dict) and all(isinstance(v, str) for v in value.values()):
        return value
    raise _refusal(shape, value, where)


READERS: dict[object, Callable[[object, object, str], object]] = {
    Annotated: _bounded,
    Union: _any_of,
    UnionType: _any_of,
    Literal: _literal,
    tuple: _tuple,
    Mapping: _mapping,
}


def _refusal(shape: object, value: object, where: str) -> Refused:
    expected = _described(shape)
    return Refused(f"{where}: expected {expected}, not {json.dumps(value)}")


def _described(shape: Any) -> str:
    origin, parts = get_origin(shape), get_args(shape)
    if origin is Annotated:
        words = f"{_described(parts[0])} from {parts[1].minimum}"
    elif origin in (Union, UnionType):
        words = " or ".join(map(_described, parts))
    elif origin is Literal:
        words = " or ".join(map(json.dumps, parts))
    elif origin is tuple:
        words = f"a list of {_described(parts[0])}"
    elif origin is Mapping:
        words = "an object of strings"
    elif is_dataclass(shape):
        names = (field.name.rstrip("_") for field in fields(shape))
        words = "an object with " + ", ".join(map(json.dumps, names))
    else:
        words = WORDS[shape]
    return words
