"""The keys of a stream held against its schema, before anything is asked for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError, SingerSDKError
from singer_sdk.helpers._typing import is_datetime_type, is_integer_type, is_string_type
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL

from tap_storage import settings
from tap_storage.bookmarks import Instants, Numbers, Scale

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclasses.dataclass(frozen=True)
class Keys:
    """What identifies the records of a stream, and tells new ones.

    stream: its name. properties: JSON schemas of its fields. alone: whether there are no other streams, for which
    settings may be meant that are not for this one.
    """

    stream: str
    primary: Sequence[str]
    replication: str | None
    method: str
    properties: Mapping[str, Any]
    alone: bool = True

    def scale(self, datetime_format: str) -> Scale:
        """Return how the replication key is read and written."""
        field = self.properties.get(self.replication or "", {})
        written = datetime_format != "iso" and _has_type(field, is_string_type)
        whole = _has_type(field, is_integer_type) and not written
        return Numbers(datetime_format) if whole else Instants(datetime_format)

    def check(self, source: str, config: settings.Config, *, whole: bool = True) -> None:
        """Raise ConfigurationError where the keys are not fields of the schema, or cannot do what is wanted of them.

        source: of the keys, "Setting" or "Catalog:". whole: whether the schema has all fields.
        """
        incremental = self.method == REPLICATION_INCREMENTAL
        if not incremental and self.method != REPLICATION_FULL_TABLE:
            msg = f"The catalog's replication-method of {self.stream} must be INCREMENTAL or FULL_TABLE"
            raise ConfigurationError(msg)
        if incremental and not self.replication:
            msg = (
                f"The catalog has no replication-key for {self.stream}, as INCREMENTAL needs: add it, or set FULL_TABLE"
            )
            raise ConfigurationError(msg)
        for key in self.primary:
            if whole and key not in self.properties:
                fields = ", ".join(self.properties)
                msg = f"{source} primary_keys: {key} is not in the schema of {self.stream}, which has {fields}"
                raise ConfigurationError(msg)
        if self.replication and (whole or self.replication in self.properties):
            self._check_replication(source, self.properties.get(self.replication), config)

    def _check_replication(self, source: str, given: Mapping[str, Any] | None, config: settings.Config) -> None:
        field = given or {}
        written = config["datetime_format"] != "iso" and _has_type(field, is_string_type)
        if _has_type(field, is_datetime_type) or written:
            return
        if not _has_type(field, is_integer_type):
            fit = [
                name
                for name, field in self.properties.items()
                if _has_type(field, is_datetime_type) or _has_type(field, is_integer_type)
            ]
            what = "not" if given is None else "neither a date-time nor an integer"
            mend = "add it there as it is in the records, or use" if config.get("schema") and given is None else "use"
            msg = (
                f"{source} replication_key: {self.replication} is {what} in the schema of {self.stream}; {mend} "
                f"{', '.join([*fit, 'or none'])}: without one the full table is read"
            )
            raise ConfigurationError(msg)
        if not self.alone:
            return
        what = f"the replication_key {self.replication} is an integer"
        if config["lookback_window"] not in (0, settings.LOOKBACK):
            msg = f"Setting lookback_window: is for date-times, and {what}: leave it out."
            raise ConfigurationError(msg)
        if config["datetime_format"] not in ("epoch", "epoch_ms"):
            for name in ("start_date", "end_date"):
                if config.get(name):
                    msg = (
                        f"Setting {name}: cannot be compared, as {what}: leave it out, or set datetime_format to "
                        "epoch or epoch_ms if that counts seconds or milliseconds since 1970."
                    )
                    raise ConfigurationError(msg)


def _has_type(field: Mapping[str, Any], check: Callable[[dict[str, Any]], bool | None]) -> bool:
    """Tell whether a field is of a type. The SDK fails on one that is of any."""
    try:
        return bool(check(dict(field)))
    except (ValueError, SingerSDKError):
        return False
