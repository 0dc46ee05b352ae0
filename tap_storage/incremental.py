"""What the SDK's stream is made to do differently: new records are told by instants or numbers, and runs are resumed.

The SDK compares replication keys as text, fails on a record without one, takes a bookmark from the future at its word,
and begins anew after an interruption. Here a run has a window, an order and a progress, and its state is written where
a page ends: it covers what was written before, and nothing else.
"""

from __future__ import annotations

import abc
import logging
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.contrib.msgspec import serialize_jsonl
from singer_sdk.exceptions import SyncLifecycleSignal
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_storage import progress
from tap_storage.batch import BatchFiles
from tap_storage.bookmarks import parse_instant
from tap_storage.checkpoint import EVERY_RECORDS, Checkpoint
from tap_storage.display import Display
from tap_storage.drift import Drift
from tap_storage.emission import Emission, find_lane
from tap_storage.failures import UnprovenError
from tap_storage.interruption import heed_signal
from tap_storage.keys import Keys
from tap_storage.plan import Planner
from tap_storage.seek import ContradictionError, seek
from tap_storage.verdict import pronounced
from tap_storage.versions import TABLE_VERSION, next_version, objection

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from contextlib import AbstractContextManager

    from singer_sdk import metrics
    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_storage.lane import Lane
    from tap_storage.paging import Reading
    from tap_storage.run import Run
    from tap_storage.seek import Probe, Sample
    from tap_storage.settings import Replication, Resource
    from tap_storage.verdict import Verdict
    from tap_storage.walk import Resume

MANY = 10_000
"""Records read, from which on it is worth a word …"""
WASTE = 10
"""… if they are so many times those emitted."""
MOST_SEARCHES = 3
"""Times that a place is looked for while records come and go."""


class IncrementalStream(RESTStream[int]):
    """A stream that emits what lies in the window of a run, and whose state says how far it has come.

    Whoever reads its pages says how, in the abstract methods.
    """

    STATE_MSG_FREQUENCY = sys.maxsize  # the SDK would count records, in the middle of pages
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE  # `drift` does it

    resource: Resource
    replication: Replication
    run: Run
    lane: Lane | None = None
    verdict: Verdict
    files: BatchFiles | None
    checkpoint: Checkpoint | None = None
    display: Display | None = None
    filters: dict[str, str]
    """The query parameters by which the API leaves out what is not in the window of the run."""
    isolated: Callable[[], AbstractContextManager[None]]
    """Returns what keeps a failure from other streams."""
    alone: bool
    """Whether there is no other stream."""
    initial_offset: int
    page_size: int
    pages: bool
    """Whether the API can be asked for an offset."""

    @abc.abstractmethod
    def connected(self) -> AbstractContextManager[None]:
        """Return a context in which the API can be asked."""

    @abc.abstractmethod
    def read_pages(self, resume: Resume | None) -> Iterator[Reading]:
        """Yield the pages of the collection to its proven end. resume: where to begin; None: at the beginning."""

    @abc.abstractmethod
    def sample(self, probe: Probe) -> Sample:
        """Return what the API has at an offset, its replication keys as `run` reads them."""

    @property
    @abc.abstractmethod
    def cut_short(self) -> bool:
        """Whether reading ended because it was told to stop at an offset."""

    @property
    @abc.abstractmethod
    def still(self) -> bool:
        """Whether no record was seen to move, since the collection was begun to be read."""

    @property
    @abc.abstractmethod
    def undisturbed(self) -> bool:
        """Whether an interrupted walk is gone on with, and its last record was where it had been."""

    @property
    @abc.abstractmethod
    def place(self) -> Resume | None:
        """Where reading is, for another process to go on from."""

    @property
    def keys(self) -> Keys:
        """What identifies the records, and tells new ones."""
        return Keys(
            self.name,
            self.primary_keys or [],
            self.replication_key,
            self.replication_method,
            self.effective_schema["properties"],
            self.alone,
        )

    @property
    def planner(self) -> Planner:
        """What makes plans for runs."""
        return Planner(self.keys, self.config, self.log)

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        configured = (list(self.primary_keys or []), self.replication_key)
        super().apply_catalog(catalog)
        self.keys.check("Catalog:", self.config)
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
        state = self.get_context_state(context)
        plan = self.planner.plan(state)
        self.run, self.filters = plan.run, plan.filters
        if self.run.window.empty:
            self.log("The bookmark lies behind end_date: there is nothing to read")
            self.verdict.judgement = "bounded"
            return
        if self.run.order.contradicted:
            self._warn_of_order("the records read before contradict it")
        self._begin_version(state)
        checkpoint = self.checkpoint = self._prepare_writing()
        with self.connected():
            resume = plan.place
            if resume is None:
                resume = self._skip(plan.hint)
            else:
                self.log("Going on where the interrupted run was, at offset %d", resume.offset)
            try:
                yield from self._read(resume, checkpoint)
            except ContradictionError:
                yield from self._read(None, checkpoint)
        self.emission.finish()
        self._end(state, resumed=plan.place is not None)
        if self.files:
            self.files.flush()

    @override
    def get_record_counter(self, **options: Any) -> metrics.Counter:
        self._records_emitted = super().get_record_counter(**options)
        return self._records_emitted

    @override
    def compare_start_date(self, value: Any, start_date_value: str) -> Any:
        # For the SDK's log only: the window is this stream's own.
        scale = self.keys.scale(self.replication.datetime_format)
        start, bookmark = scale.date(parse_instant(start_date_value)), scale.read(value)
        return start_date_value if start is not None and bookmark is not None and bookmark < start else value  # type: ignore[operator]

    @property
    @override
    def emit_activate_version_messages(self) -> bool:
        # The SDK would send the message before the records: a run that fails would leave the destination emptied.
        return False

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> None:
        """Return none: the ceiling does what the SDK's signpost does, and goes by the API's clock too."""

    @override
    def _increment_stream_state(self, latest_record: Record, *, context: Context | None = None) -> None:
        # Private, but the SDK would compare as text. The bookmark moves at the end; `walk` says how far a run has come.
        pass

    @override
    def _sync_records(
        self, context: Context | None = None, *, write_messages: bool = True
    ) -> Generator[Record, Any, Any]:
        # Private, but nothing else sees each way in which a sync can end.
        self._writing = write_messages
        trial = self.ABORT_AT_RECORD_COUNT is not None
        display = Display(self.verdict, self.resource, log=self.log, bar=write_messages and not trial)
        with self.isolated(), pronounced(self.verdict, self.log), display as self.display:
            try:
                for record in super()._sync_records(context, write_messages=write_messages):
                    self.verdict.records += 1
                    yield record
            except (OSError, SyncLifecycleSignal, GeneratorExit):
                raise
            except UnprovenError:
                if self.checkpoint:
                    self.checkpoint.forget()
                raise
            except BaseException:
                if self.checkpoint:
                    self.checkpoint.save()
                raise

    @override
    def _write_record_message(self, record: Record) -> None:
        # Private, but the SDK's BATCH messages take another way, past selection and stream maps.
        heed_signal()
        if self.files is None:
            super()._write_record_message(record)
            return
        for message in self._generate_record_messages(record):
            self.files.add(message.stream, bytes(serialize_jsonl(message.record)))
        self.state_manager.is_flushed = False

    @override
    def get_batch_config(self, config: Mapping[str, Any]) -> None:
        """Return none: the BATCH messages of the SDK are not made, but others."""

    def wait(self) -> None:
        """Do what is to be done while nothing else is."""
        heed_signal()
        if self.checkpoint:
            self.checkpoint.save_if_due()
        if self.display:
            self.display.tick()

    @override
    def post_process(self, row: Record, context: Context | None = None) -> Record:
        return self.drift.fit(row)

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK calls every error that ends a sync unhandled; the command reports it, once.
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    @property
    def incremental(self) -> bool:
        """Whether the stream has a bookmark."""
        return bool(self.replication_method == REPLICATION_INCREMENTAL)

    @cached_property
    def drift(self) -> Drift:
        """What makes records fit the schema."""
        return Drift(self, nulls=self.config["on_misfit"] == "null", verdict=self.verdict, log=self.log)

    def _prepare_writing(self) -> Checkpoint:
        """Find out how records are to be written, and when the state is."""
        batch = super().get_batch_config(self.config) if self._writing else None
        self.files = BatchFiles(batch, tap=self.tap_name, write=self._tap.write_message) if batch else None
        self.lane = find_lane(self, self.resource) if self._writing else None
        self.emission = Emission(
            self,
            self._records_emitted,
            self.verdict,
            drift=self.drift,
            files=self.files,
            version=self._stream_version,
        )
        return Checkpoint(
            self.run,
            self.verdict,
            state=self.stream_state,
            place=lambda: self.place,
            write=self._write_state,
            every=batch.batch_size if batch else EVERY_RECORDS,
        )

    def _write_state(self) -> None:
        """Write the state, and before it what it covers."""
        if self.files:
            self.files.flush()
        if self._writing:
            self._tap.state_writer.write_state(self.tap_state)

    def _skip(self, hint: Resume | None) -> Resume | None:
        """Return where to begin so that nothing in the window is left out; None for the beginning."""
        run = self.run
        if not self._may_skip:
            return None
        for _ in range(MOST_SEARCHES):
            seeking = seek(
                start=self.initial_offset,
                limit=self.page_size,
                step=0 if self.resource.page_overlap else self.page_size,
                window=run.window,
                hint=hint,
                descending=run.order.descending,
            )
            try:
                probe = next(seeking)
                while True:
                    probe = seeking.send(self.sample(probe))
            except StopIteration as found:
                resume: Resume | None = found.value
                return resume
            except ContradictionError as error:
                hint, why = None, str(error)
        self.log(
            "The first new record cannot be found by sort_order (%s): reading everything", why, level=logging.WARNING
        )
        return None

    @property
    def _may_skip(self) -> bool:
        """Whether the order tells where the window begins, and no filter lets the API begin there."""
        order, window, replication = self.run.order, self.run.window, self.replication
        ascending = order.ascending and window.start is not None and replication.start_param not in self.filters
        descending = order.descending and window.end is not None and replication.end_param not in self.filters
        return self.pages and (ascending or descending)

    def _read(self, resume: Resume | None, checkpoint: Checkpoint) -> Iterator[Record]:
        """Yield the records of the window from a place on, None for the beginning.

        Raises ContradictionError where the order was relied on to begin elsewhere, and does not hold.
        """
        run = self.run
        start: Any = run.window.start
        scale = self.keys.scale(self.replication.datetime_format)
        lowest = scale.unasked(start) if self.replication.start_param in self.filters else None
        relied_on = run.order.ascending or self._may_skip
        for reading in self.read_pages(resume):
            checkpoint.between_pages = False
            page, new = reading.page, reading.new
            values = run.values(page)
            follows = reading.follows and len(new) == len(page)
            if not run.order.check(values, follows=follows):
                self._contradict(f"the page at offset {reading.offset} is in another")
                if relied_on and resume is not None:
                    raise ContradictionError
            if lowest is not None:
                run.hear_unasked(values, lowest)
            placed = run.placed(values, offset=reading.offset, still=self.still)
            yield from self.emission.emit(page, run.sift(page, values, new, placed))
            run.hear_moves(still=self.still)
            self.verdict.read = run.read
            if self.display:
                self.display.advance(reading.offset + len(page))
            checkpoint.between_pages = True
            heed_signal()
            checkpoint.save_if_due(expected=len(page))
            if run.order.is_past(placed, new):
                break

    def _end(self, state: dict[str, Any], *, resumed: bool) -> None:
        """Let the state say what was read: everything in the window."""
        run, order = self.run, self.run.order
        self.verdict.judgement = "bounded" if self.cut_short or run.window.end is not None else "complete"
        if self.incremental and self.cut_short and not order.ascending:
            self.log("The bookmark stays where it was: records behind maximum_offset may be older than those read")
        elif self.incremental:
            run.move_bookmark(state)
        if run.read >= max(MANY, WASTE * run.progress.records) and run.window.start is not None:
            self.log(
                "Read %d records to emit %d: start_param lets the API leave out what is known, and sort_order lets the "
                "tap, where the API sorts by %s",
                run.read,
                run.progress.records,
                self.replication_key,
            )
        state.pop(progress.KEY, None)
        if order.ascending or order.contradicted:
            run.progress.finished = True
            run.progress.newest, run.progress.records = None, 0
            run.progress.place = self.place and self.place.frontier if order.ascending else None
            state[progress.KEY] = run.progress.content
        if run.progress.version is not None:
            self._activate_version(state, run.progress.version, resumed=resumed)

    def _begin_version(self, state: dict[str, Any]) -> None:
        """Mark the records of a full refresh with a version, one for all attempts at it."""
        if self.incremental or not self.config.get("emit_activate_version_messages"):
            return
        walked = self.run.progress
        if walked.version is None:
            walked.version = next_version(state)
        # Private, but the SDK would set it to the moment of the start, and begin another version in each attempt.
        self._stream_version = walked.version

    def _activate_version(self, state: dict[str, Any], version: int, *, resumed: bool) -> None:
        """Let the destination drop the records of other versions, if these are proven to be all there are."""
        walked, total = self.run.progress, self.verdict.total
        why = objection(
            whole=self.verdict.judgement == "complete" and self.run.window.start is None,
            records=walked.records,
            resumed=resumed,
            undisturbed=self.undisturbed and total is not None and total == walked.total,
            batch=self.files is not None,
        )
        if why:
            self.log("No rows are dropped at the destination: %s", why)
        elif self._writing:
            self._write_activate_version_message(version)
            state[TABLE_VERSION] = version

    def _contradict(self, why: str) -> None:
        self.run.order.contradicted = self.run.progress.contradicted = True
        self._warn_of_order(why)

    def _warn_of_order(self, why: str) -> None:
        self.log(
            "The API does not sort as sort_order says (%s): reading everything. Set it to what is true, or to unsorted",
            why,
            level=logging.WARNING,
        )
