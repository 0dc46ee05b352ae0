"""What the SDK's stream is made to do differently: new records are told by instants or numbers, and runs are resumed.

The SDK compares replication keys as text, fails on a record without one, takes a bookmark from the future at its word,
and begins anew after an interruption. Here a run has a window, an order and a progress, and its state is written where
a page ends: it covers what was written before, and nothing else.
"""

from __future__ import annotations

import abc
import logging
import sys
import time
from datetime import datetime, timedelta, timezone
from functools import cached_property
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError, FatalSyncError, SyncLifecycleSignal
from singer_sdk.helpers._typing import is_boolean_type, is_datetime_type, is_integer_type, is_string_type
from singer_sdk.singerlib.catalog import REPLICATION_FULL_TABLE, REPLICATION_INCREMENTAL
from singer_sdk.streams import RESTStream
from typing_extensions import override

from tap_storage import progress, settings
from tap_storage.bookmarks import Instants, Numbers, Scale, Window, parse_instant
from tap_storage.failures import UnprovenError
from tap_storage.order import Order
from tap_storage.run import BOOKMARK, Run
from tap_storage.seek import ContradictionError, seek
from tap_storage.verdict import Verdict, pronounced

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from contextlib import AbstractContextManager

    from singer_sdk.helpers.types import Context, Record
    from singer_sdk.singerlib import Catalog

    from tap_storage.paging import Reading
    from tap_storage.seek import Probe, Sample
    from tap_storage.settings import Replication
    from tap_storage.walk import Resume

TABLE_VERSION = "table_version"
"""Of the state of a stream: the version of the rows of the full refresh that was activated last."""
STATE_EVERY_RECORDS = 10_000
STATE_EVERY_S = 60
MANY = 10_000
"""Records read, from which on it is worth a word …"""
WASTE = 10
"""… if they are so many times those emitted."""
TOLERANCE = timedelta(days=1)
"""So far ahead the clock of the machine that wrote a bookmark may be."""
MOST_SEARCHES = 3
"""Times that a place is looked for while records come and go."""


class IncrementalStream(RESTStream[int]):
    """A stream that emits what lies in the window of a run, and whose state says how far it has come.

    Whoever reads its pages says how, in the abstract methods.
    """

    STATE_MSG_FREQUENCY = sys.maxsize  # the SDK would count records, in the middle of pages

    replication: Replication
    run: Run
    filters: dict[str, str]
    """The query parameters by which the API leaves out what is not in the window of the run."""
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
        if self.replication_key:
            self._check_replication_key(source, properties.get(self.replication_key, {"type": "null"}))

    def read_bookmark(self, state: dict[str, Any]) -> Any:
        """Return the state's bookmark, None without one. Raises ConfigurationError for one that cannot be read."""
        bookmark = state.get(BOOKMARK)
        if bookmark is None or state.get("replication_key", self.replication_key) != self.replication_key:
            return None
        scale = self.scale
        value = scale.read(bookmark)
        if value is None:
            msg = f"The state's bookmark of {self.name} is not a {scale.noun}: correct the state, or run without it"
            raise ConfigurationError(msg)
        return value

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
        state = self.get_context_state(context)
        self.run, resume, hint = self._begin(state)
        if self.run.window.empty:
            self.log("The bookmark lies behind end_date: there is nothing to read")
            self.verdict.judgement = "bounded"
            return
        self._begin_version(state)
        with self.connected():
            self.resumed = resume is not None
            if resume is None:
                resume = self._skip(hint)
            else:
                self.log("Going on where the interrupted run was, at offset %d", resume.offset)
            try:
                yield from self._read(resume)
            except ContradictionError:
                yield from self._read(None)
        self._end(state)

    @override
    def compare_start_date(self, value: Any, start_date_value: str) -> Any:
        # For the SDK's log only: the window is this stream's own.
        start, bookmark = self.scale.date(parse_instant(start_date_value)), self.scale.read(value)
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
        self.verdict = Verdict(self.name)
        self._writing = write_messages
        self._between_pages = False
        with pronounced(self.verdict, self.log):
            try:
                for record in super()._sync_records(context, write_messages=write_messages):
                    self.verdict.records += 1
                    yield record
            except (OSError, SyncLifecycleSignal, GeneratorExit):
                raise
            except UnprovenError:
                self._forget_place()
                raise
            except BaseException:
                if self._between_pages:
                    self.save()
                raise

    def save(self) -> None:
        """Write out where the run is, between two pages: all before has been written."""
        place = self.place
        if not (self._writing and place and self._between_pages):
            return
        self.run.note_newest()
        self.run.progress.place = place
        self.run.progress.total = self.verdict.total
        self.stream_state[progress.KEY] = self.run.progress.content
        self._tap.state_writer.write_state(self.tap_state)
        self._saved = (time.monotonic(), self.run.progress.records)

    def save_if_due(self, *, expected: int = 0) -> None:
        """Write out where the run is, if it is time. expected: records to come before it can be done again."""
        when, records = self._saved
        many = self.run.progress.records - records + expected > STATE_EVERY_RECORDS
        if many or time.monotonic() - when >= STATE_EVERY_S:
            self.save()

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
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        # The SDK calls every error that ends a sync unhandled; the command reports it, once.
        if message.startswith("An unhandled error occurred"):
            level = logging.DEBUG
        super().log(message, *args, level=level, **kwargs)

    @property
    def scale(self) -> Scale:
        """How the replication key is read and written."""
        field = self.effective_schema["properties"].get(self.replication_key or "", {})
        dates = is_datetime_type(field) if field else True
        return Instants(self.replication.datetime_format) if dates else Numbers(self.replication.datetime_format)

    @property
    def incremental(self) -> bool:
        """Whether the stream has a bookmark."""
        return bool(self.replication_method == REPLICATION_INCREMENTAL)

    @cached_property
    def _truth_values(self) -> list[str]:
        properties = self.effective_schema["properties"].items()
        return [name for name, field in properties if is_boolean_type(field) and not is_string_type(field)]

    def _check_replication_key(self, source: str, field: dict[str, Any]) -> None:
        whole = bool(is_integer_type(field))
        if not (whole or is_datetime_type(field)):
            properties = self.effective_schema["properties"]
            fit = [name for name, field in properties.items() if is_datetime_type(field) or is_integer_type(field)]
            msg = (
                f"{source} replication_key: {self.replication_key} is neither a date-time nor an integer in the schema "
                f"of {self.name}; use {', '.join([*fit, 'or none'])}: without one the full table is read"
            )
            raise ConfigurationError(msg)
        if is_datetime_type(field):
            return
        what = f"the replication_key {self.replication_key} is an integer"
        if self.replication.lookback_window not in (0, settings.LOOKBACK):
            msg = f"Setting lookback_window: is for date-times, and {what}: leave it out."
            raise ConfigurationError(msg)
        if self.replication.datetime_format not in ("epoch", "epoch_ms"):
            for name in ("start_date", "end_date"):
                if self.config.get(name):
                    msg = (
                        f"Setting {name}: cannot be compared, as {what}: leave it out, or set datetime_format to "
                        "epoch or epoch_ms if that counts seconds or milliseconds since 1970."
                    )
                    raise ConfigurationError(msg)

    def _begin(self, state: dict[str, Any]) -> tuple[Run, Resume | None, Resume | None]:
        """Return what this run is to do, where it goes on, and where the one before ended, None for neither."""
        window = self._window(state)
        self.filters = self._bounds(window)
        names = {"keys": self.primary_keys, "replication_key": self.replication_key}
        identity, arrangement, bounds = (
            {name: self.config.get(name) for name in group} | names
            for group in (settings.COLLECTION, settings.ORDER, settings.BOUNDS)
        )
        bounds |= {"method": self.replication_method, "bookmark": state.get(BOOKMARK) if self.incremental else None}
        secret = self.config.get("api_key") or ""
        fresh = progress.Progress(
            collection=progress.fingerprint(identity, secret=secret),
            window=progress.fingerprint(bounds, secret=secret),
            order=progress.short_fingerprint(arrangement),
            began=datetime.now(timezone.utc),
        )
        walked, hint = progress.begin(state.get(progress.KEY), fresh, self.log)
        order = Order(self.replication.sort_order, window, contradicted=walked.contradicted)
        if walked.contradicted:
            self._warn_of_order("the records read before contradict it")
        run = Run(
            key=self.replication_key or "",
            scale=self.scale,
            primary_keys=self.primary_keys or [],
            window=window,
            order=order,
            progress=walked,
            selective=bool(self.filters) or self.replication.sort_order != "unsorted",
            log=self.log,
        )
        self._saved = (time.monotonic(), walked.records)
        return run, walked.place, hint

    def _bounds(self, window: Window[Any]) -> dict[str, str]:
        """Return the query parameters by which the API leaves out what is not in the window."""
        replication, scale = self.replication, self.scale
        bounds = {}
        if replication.start_param and window.start is not None:
            bounds[replication.start_param] = scale.start_parameter(window.start)
        if replication.end_param and window.end is not None:
            bounds[replication.end_param] = scale.end_parameter(window.end)
        return bounds

    def _forget_place(self) -> None:
        """Let nobody go on from what this run has written out so far: what is missing may lie before it."""
        if self.stream_state.pop(progress.KEY, None) and self._writing:
            self._tap.state_writer.write_state(self.tap_state)

    def _window(self, state: dict[str, Any]) -> Window[Any]:
        """Return what this run is to read: from the bookmark on, less the lookback, or the dates that are set."""
        scale = self.scale
        dates = settings.window(self.config)
        start, end = scale.date(dates.start), scale.date(dates.end)
        if self.incremental and state.get("replication_key", self.replication_key) != self.replication_key:
            self.log(
                "The state's bookmark is of %s, not of %s: it is discarded, and everything is read",
                state.pop("replication_key"),
                self.replication_key,
                level=logging.WARNING,
            )
            state.pop(BOOKMARK, None)
            state.pop(progress.KEY, None)
        if self.incremental and (bookmark := self.read_bookmark(state)) is not None:
            now: Any = scale.ceiling(datetime.now(timezone.utc) + TOLERANCE)
            if now is not None and bookmark > now:
                self.log(
                    "The state's bookmark lies in the future: it is discarded, and everything is read",
                    level=logging.WARNING,
                )
                del state[BOOKMARK]
            else:
                since: Any = scale.before(bookmark, self.replication.lookback_window)
                start = since if start is None else max(start, since)
        return Window(start, end)

    def _skip(self, hint: Resume | None) -> Resume | None:
        """Return where to begin so that nothing in the window is left out; None for the beginning."""
        run = self.run
        if not (self.pages and run.order.ascending) or run.window.start is None or self.filters:
            return None
        for _ in range(MOST_SEARCHES):
            seeking = seek(start=self.initial_offset, limit=self.page_size, window=run.window, hint=hint)
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

    def _read(self, resume: Resume | None) -> Iterator[Record]:
        """Yield the records of the window from a place on, None for the beginning.

        Raises ContradictionError where the order was relied on to begin elsewhere, and does not hold.
        """
        run = self.run
        start: Any = run.window.start
        lowest = self.scale.unasked(start) if self.replication.start_param in self.filters else None
        ascending = run.order.ascending
        for page in self.read_pages(resume):
            self._between_pages = False
            values = run.values(page.records)
            follows = page.follows and len(page.new) == len(page.records)
            if not run.order.check(values, follows=follows):
                self._contradict(f"the page at offset {page.offset} is in another")
                if ascending and resume is not None:
                    raise ContradictionError
            if lowest is not None:
                run.hear_unasked(values, lowest)
            yield from run.sift(page.records, values, page.new)
            run.hear_moves(still=self.still)
            self.verdict.read = run.read
            self._between_pages = True
            self.save_if_due(expected=len(page.records))
            if run.order.is_past([values[place] for place in page.new]):
                break

    def _end(self, state: dict[str, Any]) -> None:
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
            self._activate_version(state, run.progress.version)

    def _begin_version(self, state: dict[str, Any]) -> None:
        """Mark the records of a full refresh with a version, one for all attempts at it."""
        if self.incremental or not self.config.get("emit_activate_version_messages"):
            return
        last = state.get(TABLE_VERSION)
        walked = self.run.progress
        if walked.version is None:
            walked.version = max(int(time.time()), last + 1 if isinstance(last, int) else 0)
        # Private, but the SDK would set it to the moment of the start, and begin another version in each attempt.
        self._stream_version = walked.version

    def _activate_version(self, state: dict[str, Any], version: int) -> None:
        """Let the destination drop the records of other versions, if these are proven to be all there are."""
        walked, total = self.run.progress, self.verdict.total
        if self.verdict.judgement != "complete" or self.run.window.start is not None or not walked.records:
            self.log("No rows are dropped at the destination: that takes a whole collection, and one that is not empty")
        elif self.resumed and not (self.undisturbed and total is not None and total == walked.total):
            self.log("No rows are dropped at the destination: some may have moved while the run was interrupted")
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
