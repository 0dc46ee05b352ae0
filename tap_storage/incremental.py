"""What the SDK's stream is made to do differently with replication keys: compare them as instants.

The SDK compares them as text, fails on a record without one, and takes a bookmark from the future at its word.
"""

from __future__ import annotations

import logging
from datetime import datetime, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError, FatalSyncError
from singer_sdk.helpers._typing import is_boolean_type, is_datetime_type, is_string_type
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_storage import settings
from tap_storage.bookmarks import Window, format_instant, parse_instant

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog


class IncrementalStream(RESTStream[int]):
    """A stream whose bookmark is an instant, and which emits what lies in the window of the run."""

    _bookmark_ceiling: datetime

    def lower_bookmark_ceiling(self, moment: datetime) -> None:
        """Let the bookmark not pass this moment, at which reading began: later records may lie on pages read before."""
        self._bookmark_ceiling = min(self._bookmark_ceiling, moment)

    def check_keys(self, source: str) -> None:
        """Raise ConfigurationError where the stream's keys are not fields of its schema.

        source: of the keys, "Setting" or "Catalog:".
        """
        properties = self.effective_schema["properties"]
        incremental = self.replication_method == REPLICATION_INCREMENTAL
        if not incremental and self.replication_method != REPLICATION_FULL_TABLE:
            msg = f"The catalog's replication-method of {self.name} must be INCREMENTAL or FULL_TABLE"
            raise ConfigurationError(msg)
        if incremental and not self.replication_key:
            msg = f"The catalog has no replication-key for {self.name}, as INCREMENTAL needs: add it, or set FULL_TABLE"
            raise ConfigurationError(msg)
        for key in self.primary_keys or []:
            if key not in properties:
                fields = ", ".join(properties)
                msg = f"{source} primary_keys: {key} is not in the schema of {self.name}, which has {fields}"
                raise ConfigurationError(msg)
        if self.replication_key and not is_datetime_type(properties.get(self.replication_key, {"type": "null"})):
            times = [name for name, field in properties.items() if is_datetime_type(field)]
            msg = (
                f"{source} replication_key: {self.replication_key} is not a date-time in the schema of {self.name}; "
                f"use {' or '.join([*times, 'none'])}: without one the full table is read"
            )
            raise ConfigurationError(msg)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        configured = (list(self.primary_keys or []), self.replication_key)
        super().apply_catalog(catalog)
        self.check_keys("Catalog:")
        incremental = self.replication_method == REPLICATION_INCREMENTAL
        if (list(self.primary_keys or []), self.replication_key if incremental else configured[1]) != configured:
            self.log(
                "The catalog's keys are used, and differ from primary_keys or replication_key in the settings: "
                "discover again to use those",
                level=logging.WARNING,
            )

    @override
    def get_records(self, context: Context | None) -> Iterator[Record]:
        """Yield the records in the window; those without a readable replication key are always in it."""
        self._bookmark_ceiling = datetime.now(timezone.utc)
        window = self._window(context)
        key = self.replication_key
        told = False
        for record in self.request_records(context):
            instant = parse_instant(record.get(key)) if key else None
            if key and instant is None and not told:
                told = True
                identity = {name: record.get(name) for name in self.primary_keys or []}
                self.log(
                    "Records without a readable %s are emitted by every run, %s for one",
                    key,
                    identity,
                    level=logging.WARNING,
                )
            if window.holds(instant):
                yield record

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record:
        # The SDK would make true of anything else, the text "false" included.
        for name in self._truth_values:
            if row.get(name) not in (None, False, True):
                identity = {key: row.get(key) for key in self.primary_keys or []}
                msg = f"Field {name} of record {identity} is neither true nor false, as the schema has it"
                raise FatalSyncError(msg)
        return row

    @override
    def compare_start_date(self, value: str, start_date_value: str) -> str:
        # Read as everywhere else: the SDK's reading does not know all forms that were accepted for start_date.
        return max(
            value, start_date_value, key=lambda text: parse_instant(text) or datetime.min.replace(tzinfo=timezone.utc)
        )

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return none: the ceiling does what the SDK's signpost does, and goes by the API's clock too."""

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        # Private, but the only place where the SDK looks at a record's replication key.
        key = self.replication_key or ""
        if instant := parse_instant(latest_record.get(key)):
            value = format_instant(min(instant, self._bookmark_ceiling))
            super()._increment_stream_state({key: value}, context=context)

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK calls every error that ends a sync unhandled; the command reports it, once.
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    @cached_property
    def _truth_values(self) -> list[str]:
        properties = self.effective_schema["properties"].items()
        return [name for name, field in properties if is_boolean_type(field) and not is_string_type(field)]

    def _window(self, context: Context | None) -> Window:
        configured = settings.window(self.config)
        start = self.get_starting_replication_key_value(context)
        return configured if start is None else Window(parse_instant(start), configured.end)
