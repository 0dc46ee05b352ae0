"""What becomes of records that the schema does not foresee: told of once a field, never lost without a word."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import FatalAPIError, FatalSyncError

from tap_storage.conform import Conformer, MisfitError
from tap_storage.shape import types_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk import Stream
    from singer_sdk.helpers.types import Record

    from tap_storage.records import Page
    from tap_storage.verdict import Verdict


class Drift:
    """Makes the records of a stream fit its schema. nulls: whether a value that cannot is null; else it is an error."""

    def __init__(self, stream: Stream, *, nulls: bool, verdict: Verdict, log: Callable[..., None]) -> None:
        self._name = stream.name
        self._primary_keys: Sequence[str] = stream.primary_keys or []
        self._verdict = verdict
        self._log = log
        self._fields: Mapping[str, Any] = stream.effective_schema["properties"]
        self._nulls = nulls
        self._told: set[str] = set()
        self._told_unreadable = False
        self._conformer = Conformer(
            stream.effective_schema,
            selects=stream.mask.__getitem__,
            keys=self._primary_keys,
            # An unreadable replication key is told of, and does not end a run.
            lenient=[stream.replication_key] if stream.replication_key else [],
            nulls=nulls,
        )

    def fit(self, record: Record) -> dict[str, Any]:
        """Return a record that fits. Raises FatalSyncError."""
        try:
            fitted = self._conformer.fit(record)
        except MisfitError as misfit:
            raise self._error(record, misfit) from None
        if self._conformer.nulled:
            self._tell_of_nulled(record)
        if self._conformer.unknown:
            self._tell_of_unknown()
        return fitted

    def look_at(self, page: Page) -> None:
        """Tell of the fields that the schema does not have, in a page whose records fit."""
        try:
            for record in page.records:
                self._conformer.fit(record)
        except (FatalAPIError, MisfitError):  # what is unreadable there is not emitted
            self._tell_of_unreadable()
        self._conformer.nulled.clear()
        self._tell_of_unknown()

    def _tell_of_unreadable(self) -> None:
        if not self._told_unreadable:
            self._told_unreadable = True
            self._log(
                "Left out, as the schema does not have them: fields of a page with values that cannot be read. To see "
                "which, ask the API for it",
                level=logging.WARNING,
            )

    def _tell_of_unknown(self) -> None:
        unknown = self._conformer.unknown
        new = [path for path in dict.fromkeys(unknown) if path not in self._told]
        unknown.clear()
        self._told.update(new)
        if new:
            self._log(
                "Left out, as the schema does not have them: %s. To have them, discover again (with Meltano: "
                "--refresh-catalog), or add them to schema",
                ", ".join(new),
                level=logging.WARNING,
            )

    def _tell_of_nulled(self, record: Record) -> None:
        nulled = self._conformer.nulled
        self._verdict.nulled += len(nulled)
        for path in dict.fromkeys(nulled):
            if path not in self._told:
                self._told.add(path)
                self._log(
                    "Field %s does not fit the schema, and is null in such records, as on_misfit says: %s for one",
                    path,
                    self._identity(record),
                    level=logging.WARNING,
                )
        nulled.clear()

    def _error(self, record: Record, misfit: MisfitError) -> FatalSyncError:
        name = next((name for name in record if misfit.path == name or misfit.path.startswith(f"{name}.")), None)
        if name is None:
            subject = f"Field {misfit.path} of record" if misfit.path else "Record"
            msg = f"{subject} {self._identity(record)} {misfit}: correct the schema"
            return FatalSyncError(msg)
        mended = json.dumps({self._name: {name: self._taking(name, record[name])}})
        null = "" if self._nulls else ', or set on_misfit: "null" to lose it'
        msg = (
            f"Field {misfit.path} of record {self._identity(record)} {misfit}. To take it as it comes, give it another "
            f"type (in meltano.yml, under the extractor: schema: {mended}){null}. A column that is there already may "
            "have to be altered first"
        )
        return FatalSyncError(msg)

    def _identity(self, record: Record) -> dict[str, Any]:
        return {name: record.get(name) for name in self._primary_keys}

    def _taking(self, name: str, value: Any) -> Mapping[str, Any]:
        """Return a schema of the field that takes this value as it is, and those that fitted."""
        if isinstance(value, dict):
            return {"type": ["object", "null"], "additionalProperties": True}
        if isinstance(value, list):
            return {"type": ["array", "null"], "items": {}}
        kind = (
            "number" if isinstance(value, Decimal) and "integer" in types_of(self._fields.get(name, {})) else "string"
        )
        return {"type": kind if name in self._primary_keys else [kind, "null"]}
