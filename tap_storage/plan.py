"""What a run is to read, by its settings and by what the state says of those before it."""

from __future__ import annotations

import dataclasses
import logging
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigurationError
from singer_sdk.singerlib.catalog import REPLICATION_INCREMENTAL

from tap_storage import progress, settings
from tap_storage.bookmarks import Window
from tap_storage.order import Order
from tap_storage.run import BOOKMARK, Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_storage.bookmarks import Scale
    from tap_storage.keys import Keys
    from tap_storage.walk import Resume

TOLERANCE = timedelta(days=1)
"""So far ahead the clock of the machine that wrote a bookmark may be."""


@dataclasses.dataclass(frozen=True)
class Plan:
    """run: what is looked for. filters: query parameters by which the API leaves out what is not.

    place: where an interrupted run is to be gone on with; hint: where the one before ended; None for neither.
    """

    run: Run
    filters: dict[str, str]
    place: Resume | None
    hint: Resume | None


class Planner:
    """Makes plans for a stream. log: takes messages."""

    def __init__(self, keys: Keys, config: settings.Config, log: Callable[..., None]) -> None:
        self._keys = keys
        self._config = config
        self._replication = settings.Replication.from_config(config)
        self._scale: Scale = keys.scale(self._replication.datetime_format)
        self._incremental = keys.method == REPLICATION_INCREMENTAL
        self._log = log

    def plan(self, state: dict[str, Any]) -> Plan:
        """Return what the run after this state is to do. A bookmark in it that is of no use is taken out."""
        window = self._window(state)
        filters = self.filters(window)
        fresh = self._fresh(state)
        walked, hint = progress.begin(state.get(progress.KEY), fresh, self._log)
        run = Run(
            key=self._keys.replication or "",
            scale=self._scale,
            primary_keys=self._keys.primary,
            window=window,
            order=Order(self._replication.sort_order, window, contradicted=walked.contradicted),
            progress=walked,
            selective=bool(filters) or self._replication.sort_order != "unsorted",
            dated=not self._incremental or state.get(BOOKMARK) is None,
            log=self._log,
        )
        return Plan(run, filters, walked.place, hint)

    def bookmark(self, state: dict[str, Any]) -> Any:
        """Return the state's bookmark, None without one. Raises ConfigurationError for one that cannot be read."""
        bookmark = state.get(BOOKMARK)
        if bookmark is None or state.get("replication_key", self._keys.replication) != self._keys.replication:
            return None
        value = self._scale.read(bookmark)
        if value is None:
            noun = self._scale.noun
            msg = f"The state's bookmark of {self._keys.stream} is not a {noun}: correct the state, or run without it"
            raise ConfigurationError(msg)
        return value

    def _window(self, state: dict[str, Any]) -> Window[Any]:
        """Return what is to be read: from the bookmark on, less the lookback, or the dates that are set."""
        scale = self._scale
        dates = settings.window(self._config)
        start, end = (scale.date(dates.start), scale.date(dates.end)) if self._keys.replication else (None, None)
        if dates.bounded and start is None and end is None:
            self._log(
                "start_date and end_date leave nothing out here: there is no replication_key that they can be compared "
                "with"
            )
        if self._incremental and state.get("replication_key", self._keys.replication) != self._keys.replication:
            self._log(
                "The state's bookmark is of %s, not of %s: it is discarded, and everything is read",
                state.pop("replication_key"),
                self._keys.replication,
                level=logging.WARNING,
            )
            state.pop(BOOKMARK, None)
            state.pop(progress.KEY, None)
        if self._incremental and (bookmark := self.bookmark(state)) is not None:
            now: Any = scale.ceiling(datetime.now(timezone.utc) + TOLERANCE)
            if now is not None and bookmark > now:
                self._log(
                    "The state's bookmark lies in the future: it is discarded, and everything is read",
                    level=logging.WARNING,
                )
                del state[BOOKMARK]
            else:
                since: Any = scale.before(bookmark, self._replication.lookback_window)
                start = since if start is None else max(start, since)
        return Window(start, end)

    def filters(self, window: Window[Any]) -> dict[str, str]:
        """Return the query parameters by which the API leaves out what is not in the window."""
        replication, scale = self._replication, self._scale
        filters = {}
        if replication.start_param and window.start is not None:
            filters[replication.start_param] = scale.start_parameter(window.start)
        if replication.end_param and window.end is not None:
            filters[replication.end_param] = scale.end_parameter(window.end)
        return filters

    def _fresh(self, state: dict[str, Any]) -> progress.Progress:
        """Return the progress of a run that begins now."""
        names = {"keys": self._keys.primary, "replication_key": self._keys.replication}
        identity, arrangement, bounds = (
            {name: self._config.get(name) for name in group} | names
            for group in (settings.COLLECTION, settings.ORDER, settings.BOUNDS)
        )
        bounds |= {"method": self._keys.method, "bookmark": state.get(BOOKMARK) if self._incremental else None}
        secret = self._config.get("api_key") or ""
        return progress.Progress(
            collection=progress.fingerprint(identity, secret=secret),
            window=progress.fingerprint(bounds, secret=secret),
            order=progress.short_fingerprint(arrangement),
            began=datetime.now(timezone.utc),
        )
