"""An answer as a type of msgspec: the way to the list of records and to the total, and nothing else."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING, Any

import msgspec
from jsonpath_ng import Child, Fields, JSONPath, Root
from msgspec import UNSET, Raw, UnsetType

from tap_storage.records import compile_path, exact_decoder, read_count
from tap_storage.shape import UnfitError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Envelope:
    """Opens answers.

    records: type of the list of records. data_selector, total_path: JSONPaths, which have to be names of keys, one
    after the other; total_path may be "". Raises UnfitError for other paths.
    """

    def __init__(self, records: Any, data_selector: str, total_path: str) -> None:
        self._data = _names(compile_path(data_selector))
        self._total = _names(compile_path(total_path)) if total_path and self._data else []
        # A key that is written just as a path goes before what the path means.
        paths = {data_selector: self._data, total_path: self._total}
        self._literal = [path for path, names in paths.items() if self._data and names and names != [path]]
        tree: dict[str, Any] = {}
        _plant(tree, self._data, records)
        _plant(tree, self._total, Any)
        for key in self._literal:
            tree.setdefault(key, Raw)
        self._decoder = exact_decoder(_struct(tree, self._data) if self._data else records)

    def open(self, body: bytes | memoryview) -> tuple[Sequence[Any], int | None]:
        """Return the records, and the total if it is stated.

        Raises msgspec.MsgspecError for an answer of another type, UnfitError for one with a key named like a path.
        """
        document = self._decoder.decode(body)
        if any(_get(document, key) is not UNSET for key in self._literal):
            raise UnfitError
        total = reduce(_get, self._total, document) if self._total else None
        return reduce(_get, self._data, document), read_count(total)


def _names(path: JSONPath) -> list[str]:
    if isinstance(path, Root):
        return []
    if isinstance(path, Fields) and len(path.fields) == 1 and path.fields[0] != "*":
        return [path.fields[0]]
    if isinstance(path, Child):
        return [*_names(path.left), *_names(path.right)]
    raise UnfitError


def _plant(tree: dict[str, Any], names: Sequence[str], leaf: Any) -> None:
    """Put a type at the end of a way through a tree."""
    for name in names[:-1]:
        tree = tree.setdefault(name, {})
        if not isinstance(tree, dict):
            raise UnfitError
    if names and tree.setdefault(names[-1], leaf) is not leaf:
        raise UnfitError


def _struct(tree: dict[str, Any], required: Sequence[str]) -> Any:
    """Return the type of an object with these keys. required: the way through it that has to be there."""
    kinds = {name: _struct(node, required[1:]) if isinstance(node, dict) else node for name, node in tree.items()}
    fields: list[Any] = [(_field(name), kind) for name, kind in kinds.items() if name in required[:1]]
    for name, kind in kinds.items():
        if name not in required[:1]:
            fields.append((_field(name), kind if kind in (Any, Raw) else kind | None | UnsetType, UNSET))
    try:
        return msgspec.defstruct("Envelope", fields, rename={_field(name): name for name in tree})
    except ValueError:  # quotes, backslashes and control characters
        raise UnfitError from None


def _field(name: str) -> str:
    return f"key_{name.encode().hex()}"


def _get(document: Any, name: str) -> Any:
    return getattr(document, _field(name), UNSET)
