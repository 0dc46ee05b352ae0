"""A dlt `rest_api` configuration as dlt understands it: out of a file, and with the defaults of its resources.

The file is JSON, YAML, Python or Markdown, and nothing in it is executed.
"""

from __future__ import annotations

import ast
import contextlib
import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import click
import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

    Path = tuple[str, ...]
    Leaves = dict[Path, tuple[str, Any]]
    """Values that hold no others, by their path within a resource or the client; each with where it is in the file."""

COMPUTED = object()
"""Stands for a value that only running the file would tell: a secret, a variable, a call."""
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def read(text: str) -> dict[str, Any]:
    """Return the one configuration that a text holds; where the text computes a value, COMPUTED stands."""
    found = _parsed(text) or [each for block in FENCED.findall(text) for each in _parsed(block)]
    if len(found) == 1:
        return found[0]
    msg = f"The file holds {len(found) or 'no'} dlt rest_api configurations: one object with client and resources"
    raise click.ClickException(msg)


def leaves(value: Any, where: str, path: Path = ()) -> Iterator[tuple[Path, tuple[str, Any]]]:
    """Yield the leaves of a value at this place in the file; what is empty is one, too."""
    if isinstance(value, dict) and (value or not path):
        for key, inner in value.items():
            yield from leaves(inner, f"{where}.{key}".lstrip("."), (*path, key))
    else:
        yield path, (where, value)


def merged(own: Leaves, defaults: Leaves) -> Leaves:
    """Lay a resource over its defaults as dlt does: each option takes the place of a whole default, params by name."""
    given = {_option(path) for path in own}
    return {path: leaf for path, leaf in defaults.items() if _option(path) not in given} | own


def _option(path: Path) -> Path:
    return path[: 3 if path[:2] == ("endpoint", "params") else 2 if path[:1] == ("endpoint",) else 1]


def _parsed(text: str) -> list[dict[str, Any]]:
    """Return the configurations that a text holds in the first language that has any."""
    for parse in (_json, _python, _yaml):
        with contextlib.suppress(ValueError, TypeError, SyntaxError, RecursionError, MemoryError, yaml.YAMLError):
            if found := [each for each in parse(text) if _is_configuration(each)]:
                return found
    return []


def _is_configuration(value: Any) -> bool:
    return (
        isinstance(value, dict) and isinstance(value.get("client"), dict) and isinstance(value.get("resources"), list)
    )


def _json(text: str) -> list[Any]:
    return [json.loads(text)]


def _yaml(text: str) -> list[Any]:
    # Through JSON, as YAML has dates, and keys that are no texts.
    return [json.loads(json.dumps(yaml.safe_load(text), default=str))]


def _python(text: str) -> list[Any]:
    return [_value(node) for node in ast.walk(ast.parse(textwrap.dedent(text))) if isinstance(node, ast.Dict)]


def _value(node: ast.expr) -> Any:
    """Return what an expression says literally, in the values that JSON has."""
    if isinstance(node, ast.Dict):
        keys = (key.value if isinstance(key, ast.Constant) else "**" for key in node.keys)
        return {str(key): _value(value) for key, value in zip(keys, node.values, strict=True)}
    if isinstance(node, (ast.List, ast.Tuple)):
        return [_value(element) for element in node.elts]
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return COMPUTED
    return value if value is None or isinstance(value, (str, int, float)) else COMPUTED
