"""One stream's failure, kept from the others: they are read, and the run fails at its end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from singer_sdk.exceptions import FatalSyncError, SyncLifecycleSignal

from tap_storage.errors import report

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Iterator


class Isolation:
    """Keeps the failures of streams. A single stream's is raised where it happens. count: tells how many are read."""

    def __init__(self, logger: logging.Logger, *, count: Callable[[], int]) -> None:
        self._logger = logger
        self._count = count
        self._failed: list[str] = []

    @contextlib.contextmanager
    def of(self, stream: str) -> Iterator[None]:
        """Let a block that reads a stream fail, where others can go on. What ends the whole run is raised."""
        try:
            yield
        except (OSError, SyncLifecycleSignal):
            raise
        except Exception as error:
            if self._count() == 1:
                raise
            report(error, self._logger)
            self._failed.append(stream)

    def conclude(self) -> None:
        """Raise FatalSyncError if a stream has failed."""
        if self._failed:
            count = self._count()
            others = ". The others were read, and keep their state" if len(self._failed) < count else ""
            msg = f"{len(self._failed)} of {count} streams failed: {', '.join(self._failed)}{others}"
            raise FatalSyncError(msg)
