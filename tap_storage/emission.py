"""What the SDK makes of a record, for a page at once: whether that can be, and how."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from singer_sdk import singerlib as singer
from singer_sdk.helpers._util import utc_now
from singer_sdk.mapper import SameRecordTransform

from tap_storage.interruption import heed_signal
from tap_storage.lane import Lane, LanePage
from tap_storage.output import write_whole
from tap_storage.shape import SAYS_TYPES, UnfitError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from singer_sdk import Stream, metrics
    from singer_sdk.helpers.types import Record

    from tap_storage.batch import BatchFiles
    from tap_storage.drift import Drift
    from tap_storage.records import Page
    from tap_storage.settings import Resource
    from tap_storage.verdict import Verdict

PAGES_PER_LOOK = 100
"""Of the pages of the lane, those of which one is looked at for fields that the schema does not have; before, the
first, second, fourth, eighth … and always the last."""


def find_lane(stream: Stream, resource: Resource) -> Lane | None:
    """Return the page lane for a stream; None where the SDK's path alone does what was asked for."""
    maps, schema = stream.stream_maps, stream.effective_schema
    nested = [selected for breadcrumb, selected in stream.mask.items() if len(breadcrumb) > len(("properties", ""))]
    if (
        len(maps) != 1
        or type(maps[0]) is not SameRecordTransform
        or maps[0].flattening_enabled
        or stream.child_streams
        or stream.ABORT_AT_RECORD_COUNT is not None
        or schema.get("additionalProperties")
        or not schema.keys() <= SAYS_TYPES
        or not stream.primary_keys
        or not all(nested)
    ):
        return None
    properties = {name: field for name, field in schema["properties"].items() if stream.mask["properties", name]}
    keys = {*stream.primary_keys, stream.replication_key or stream.primary_keys[0]}
    required = [name for name in schema.get("required", ()) if stream.mask["properties", name]]
    if not keys.union(required) <= properties.keys():
        return None
    try:
        return Lane(
            properties,
            present=required,
            primary_keys=stream.primary_keys,
            replication_key=stream.replication_key,
            data_selector=resource.data_selector,
            total_path=resource.total_path,
        )
    except UnfitError:
        return None


class Emission:
    """Writes the pages of a run: each at once where it can be, or record by record through the SDK.

    counter: of the SDK, of the records emitted. verdict: is counted up. drift: is shown some of the pages that are
    written at once. files: of BATCH messages, None for RECORD messages. version: of the records.
    """

    def __init__(  # noqa: PLR0913 (its parts)
        self,
        stream: Stream,
        counter: metrics.Counter,
        verdict: Verdict,
        *,
        drift: Drift,
        files: BatchFiles | None,
        version: int | None,
    ) -> None:
        self._stream = stream
        self._drift = drift
        self._counter = counter
        self._verdict = verdict
        self._files = files
        self._version = version
        self._lane_pages = 0
        self._latest: Page | None = None
        """The last page of the lane, unless it was looked at."""

    def emit(self, page: Page, places: Sequence[int]) -> Iterator[Record]:
        """Write the records at these places of a page; yield those that the SDK is to write."""
        verdict = self._verdict
        verdict.emitted += bool(places)
        if not isinstance(page, LanePage):
            yield from (page.records[place] for place in places)
            return
        self._lane_pages += 1
        self._latest = page
        if self._lane_pages % PAGES_PER_LOOK == 0 or self._lane_pages & (self._lane_pages - 1) == 0:
            self._look()
        if places:
            self._write(page, places)
            verdict.at_once += 1
            verdict.records += len(places)
            self._counter.increment(len(places))
            self._stream.state_manager.is_flushed = False

    def finish(self) -> None:
        """Look at the last page: new fields often come with the newest records."""
        if self._latest:
            self._look()

    def _look(self) -> None:
        if self._latest:
            self._drift.look_at(self._latest)
        self._latest = None

    def _write(self, page: LanePage, places: Sequence[int]) -> None:
        if self._files:
            for lines in page.lines(places):
                self._files.add(self._stream.stream_maps[0].stream_alias, lines)
            return
        for lines in page.lines(places, *_surroundings(self._stream, self._version)):
            heed_signal()
            write_whole(lines)
        sys.stdout.flush()


def _surroundings(stream: Stream, version: int | None) -> tuple[bytes, bytes]:
    """Return what comes before and behind a record on the line of its RECORD message, which was extracted now."""
    message = singer.RecordMessage(
        stream=stream.stream_maps[0].stream_alias, record={}, version=version, time_extracted=utc_now()
    )
    line = bytes(stream._tap.message_writer.format_message(message)).rstrip(b"\n")  # noqa: SLF001
    before, _, behind = line.partition(b'"record":{}')
    return before + b'"record":', behind
