"""Values held against the schema: converted where nothing is lost, else refused, so that a target need not validate.

The SDK's own conformance makes true of the text "false", and leaves most other misfits as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage.conversions import CONVERSIONS, FORMATS, UNLIKE, json_type
from tap_storage.shape import SAYS_TYPES, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    Schema = Mapping[str, Any]
    Breadcrumb = tuple[str, ...]
    Fit = Callable[[Any, str], Any]

NOUNS = {
    "object": "an object",
    "array": "a list",
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}


class MisfitError(ValueError):
    """A value does not fit. path: of the field in the record, with dots; the message is a predicate."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.path = path


class Conformer:
    """Makes records fit the schema of a stream.

    schema: of a record. selects: tells whether what is at a breadcrumb is selected; what is not is left alone. keys:
    fields that are never made null. lenient: fields whose texts need not be in the format that the schema names.
    nulls: whether a value that does not fit becomes null where it may be; else it is refused.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        selects: Callable[[Breadcrumb], bool],
        keys: Collection[str] = (),
        lenient: Collection[str] = (),
        nulls: bool = False,
    ) -> None:
        self.unknown: list[str] = []
        """Paths of fields that the schema lacks, in the records so far; for its reader to clear."""
        self.nulled: list[str] = []
        """Paths of values that are null now."""
        self._selects = selects
        self._keys = {("properties", name) for name in keys}
        self._lenient = {("properties", name) for name in lenient}
        self._nulls = nulls
        fit = self._object(schema, ())
        self._fit = fit if schema.keys() <= SAYS_TYPES else _validated(schema, fit)

    def fit(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record that fits. Raises MisfitError."""
        fitted: dict[str, Any] = self._fit(record, "")
        return fitted

    def _compile(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes a value fit a schema."""
        if not self._selects(breadcrumb):
            return _as_it_is
        branches = [self._compile(branch, breadcrumb) for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
        fit = self._first(branches) if branches and "type" not in schema else self._typed(schema, breadcrumb)
        return fit if schema.keys() <= SAYS_TYPES else _validated(schema, fit)

    def _typed(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes a value one of the types of a schema."""
        kinds = types_of(schema)
        if not kinds:
            return _as_it_is
        inside: dict[str, Fit] = {}
        if "object" in kinds:
            inside["object"] = self._object(schema, breadcrumb)
        if "array" in kinds:
            inside["array"] = self._array(schema, breadcrumb)
        written = None if breadcrumb in self._lenient else FORMATS.get(schema.get("format", ""))
        nouns = NOUNS | ({"string": f"a text ({schema['format']})"} if written else {})
        wanted = " or ".join(nouns[kind] for kind in nouns if kind in kinds)
        # A number that is made a text is no date, though it may look like one.
        conversions = [
            CONVERSIONS[kind] for kind in CONVERSIONS if kind in kinds and not (written and kind == "string")
        ]

        def fit(value: Any, path: str) -> Any:
            kind = json_type(value)
            if kind in kinds or (kind == "integer" and "number" in kinds):
                if kind in inside:
                    return inside[kind](value, path)
                if kind != "string" or not written or written(value):
                    return value
            for convert in conversions:
                if (converted := convert(value)) is not UNLIKE:
                    return converted
            raise MisfitError(path, f"is {NOUNS[kind]}, and the schema has {wanted}")

        return fit

    def _object(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes the fields of an object fit."""
        fields: Schema = schema.get("properties", {})
        patterns = [re.compile(pattern) for pattern in schema.get("patternProperties", ())]
        more = schema.get("additionalProperties", bool(breadcrumb) and not fields)
        fits = {name: self._compile(field, (*breadcrumb, "properties", name)) for name, field in fields.items()}
        other = self._compile(more, breadcrumb) if isinstance(more, dict) else _as_it_is if more else None
        nullable = {
            name
            for name, field in fields.items()
            if _takes_null(field) and (*breadcrumb, "properties", name) not in self._keys
        }
        required = [name for name in schema.get("required", ()) if self._selects((*breadcrumb, "properties", name))]

        def fit(value: Mapping[str, Any], path: str) -> dict[str, Any]:
            fitted = {}
            for name, inner in value.items():
                where = f"{path}.{name}" if path else name
                if fit_field := fits.get(name, other):
                    fitted[name] = self._fit_or_null(fit_field, inner, where, nullable=name in nullable)
                elif any(pattern.search(name) for pattern in patterns):
                    fitted[name] = inner
                else:
                    self.unknown.append(where)
            for name in required:
                if name not in fitted:
                    raise MisfitError(f"{path}.{name}" if path else name, "is not there, and the schema requires it")
            return fitted

        return fit

    def _array(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes the elements of a list fit."""
        items = schema.get("items")
        if not items or not isinstance(items, dict):
            return _as_it_is
        element, nullable = self._compile(items, breadcrumb), _takes_null(items)
        return lambda value, path: [self._fit_or_null(element, inner, path, nullable=nullable) for inner in value]

    def _fit_or_null(self, fit: Fit, value: Any, path: str, *, nullable: bool) -> Any:
        try:
            return fit(value, path)
        except MisfitError as error:
            if not (self._nulls and nullable):
                raise
            self.nulled.append(error.path)
            return None

    def _first(self, branches: Sequence[Fit]) -> Fit:
        """Return what takes the first schema of several that a value fits, or else loses least when it is made to."""

        def fit(value: Any, path: str) -> Any:
            attempts: list[tuple[int, Any, list[str], list[str]]] = []
            for branch in branches:
                known, kept = len(self.unknown), len(self.nulled)
                try:
                    fitted = branch(value, path)
                except MisfitError as error:
                    misfit = error
                    continue
                finally:
                    unknown, nulled = self.unknown[known:], self.nulled[kept:]
                    del self.unknown[known:], self.nulled[kept:]
                if not unknown and not nulled and type(fitted) is type(value) and fitted == value:
                    return fitted
                attempts.append((len(unknown) + len(nulled), fitted, unknown, nulled))
            if not attempts:
                raise misfit
            _, fitted, unknown, nulled = min(attempts, key=lambda attempt: attempt[0])
            self.unknown += unknown
            self.nulled += nulled
            return fitted

        return fit


def _as_it_is(value: Any, _: str) -> Any:
    return value


def _takes_null(schema: Schema) -> bool:
    return bool(DEFAULT_JSONSCHEMA_VALIDATOR(schema).is_valid(None))


def _validated(schema: Schema, fit: Fit) -> Fit:
    """Return what holds a value also against what a schema says beyond types."""
    validator = DEFAULT_JSONSCHEMA_VALIDATOR(schema)
    plain = msgspec.json.Decoder(float_hook=float)

    def fit_and_validate(value: Any, path: str) -> Any:
        fitted = fit(value, path)
        # Decimals cannot be divided by the schema's floats; and 1e400 is infinity.
        if not validator.is_valid(plain.decode(encoder.encode(fitted))):
            raise MisfitError(path, "does not fit what the schema says of it beyond its type")
        return fitted

    return fit_and_validate
