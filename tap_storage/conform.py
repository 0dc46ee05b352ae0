"""Values held against the schema: converted where nothing is lost, else refused, so that a target need not validate.

The SDK's own conformance makes true of the text "false", and leaves most other misfits as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.contrib.msgspec import encoder
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR

from tap_storage.conversions import CONVERSIONS, FORMATS, UNLIKE, json_type
from tap_storage.shape import SAYS_TYPES, types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

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

    schema: of a record. selects: tells whether what is at a breadcrumb is selected; what is not is left alone.
    lenient: fields whose texts need not be in the format that the schema names. nulled: is told the path of each value
    that did not fit, and is null now; None to refuse them. unknown: is told the path of each field that the schema
    lacks.
    """

    def __init__(
        self,
        schema: Schema,
        *,
        selects: Callable[[Breadcrumb], bool],
        lenient: Collection[str],
        nulled: Callable[[str], object] | None,
        unknown: Callable[[str], object],
    ) -> None:
        self._selects = selects
        self._lenient = {("properties", name) for name in lenient}
        self._nulled = nulled
        self._unknown = unknown
        fit = self._object(schema, ())
        self._fit = fit if schema.keys() <= SAYS_TYPES else _validated(schema, fit)

    def fit(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record that fits. Raises MisfitError."""
        fitted: dict[str, Any] = self._fit(record, "")
        return fitted

    def _compile(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes a value fit a schema."""
        if not self._selects(breadcrumb):
            return lambda value, _: value
        branches = [self._compile(branch, breadcrumb) for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
        fit = _first(branches) if branches and "type" not in schema else self._typed(schema, breadcrumb)
        return fit if schema.keys() <= SAYS_TYPES else _validated(schema, fit)

    def _typed(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes a value one of the types of a schema."""
        kinds = types_of(schema)
        if not kinds:
            return lambda value, _: value
        inside = {"object": self._object(schema, breadcrumb), "array": self._array(schema, breadcrumb)}
        written = None if breadcrumb in self._lenient else FORMATS.get(schema.get("format", ""))
        nouns = NOUNS | ({"string": f"a text ({schema['format']})"} if written else {})
        wanted = " or ".join(nouns[kind] for kind in nouns if kind in kinds)

        def fit(value: Any, path: str) -> Any:
            kind = json_type(value)
            if kind in kinds or (kind == "integer" and "number" in kinds):
                if kind in inside:
                    return inside[kind](value, path)
                if kind != "string" or not written or written(value):
                    return value
            for target, convert in CONVERSIONS.items():
                converted = convert(value) if target in kinds else UNLIKE
                if converted is not UNLIKE and (target != "string" or not written or written(converted)):
                    return converted
            raise MisfitError(path, f"is {NOUNS[kind]}, and the schema has {wanted}")

        return fit

    def _object(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes the fields of an object fit."""
        fields: Schema = schema.get("properties", {})
        more = schema.get("additionalProperties", bool(breadcrumb) and not fields)
        fits = {name: self._compile(field, (*breadcrumb, "properties", name)) for name, field in fields.items()}
        other = (
            self._compile(more, breadcrumb) if isinstance(more, dict) else (lambda value, _: value) if more else None
        )
        nullable = {name for name, field in fields.items() if _is_nullable(field)}
        required = [name for name in schema.get("required", ()) if self._selects((*breadcrumb, "properties", name))]

        def fit(value: Mapping[str, Any], path: str) -> dict[str, Any]:
            fitted = {}
            for name, inner in value.items():
                where = f"{path}.{name}" if path else name
                if fit_field := fits.get(name, other):
                    fitted[name] = self._fit_or_null(fit_field, inner, where, nullable=name in nullable)
                else:
                    self._unknown(where)
            for name in required:
                if name not in fitted:
                    raise MisfitError(f"{path}.{name}" if path else name, "is not there, and the schema requires it")
            return fitted

        return fit

    def _array(self, schema: Schema, breadcrumb: Breadcrumb) -> Fit:
        """Return what makes the elements of a list fit."""
        items = schema.get("items")
        if not items or not isinstance(items, dict):
            return lambda value, _: value
        element, nullable = self._compile(items, breadcrumb), _is_nullable(items)
        return lambda value, path: [self._fit_or_null(element, inner, path, nullable=nullable) for inner in value]

    def _fit_or_null(self, fit: Fit, value: Any, path: str, *, nullable: bool) -> Any:
        try:
            return fit(value, path)
        except MisfitError as error:
            if self._nulled is None or not nullable:
                raise
            self._nulled(error.path)
            return None


def _is_nullable(schema: Schema) -> bool:
    branches = [branch for key in ("anyOf", "oneOf") for branch in schema.get(key, ())]
    return "null" in types_of(schema) or any(_is_nullable(branch) for branch in branches)


def _first(branches: Iterable[Fit]) -> Fit:
    """Return what takes the first schema of several that a value fits, or else can be made to fit."""

    def fit(value: Any, path: str) -> Any:
        converted = []
        for branch in branches:
            try:
                fitted = branch(value, path)
            except MisfitError as error:
                misfit = error
                continue
            if type(fitted) is type(value) and fitted == value:
                return value
            converted.append(fitted)
        if not converted:
            raise misfit
        return converted[0]

    return fit


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
