"""One stream's failure, kept from the others: they are read, and the run fails at its end."""

from __future__ import annotations

import contextlib
import logging
import traceback
from typing import TYPE_CHECKING

from singer_sdk import mapper
from singer_sdk.exceptions import FatalSyncError, SingerSDKError, SyncLifecycleSignal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def explain(error: Exception) -> str | None:
    """Return what to tell a person of an error that they can mend; None where it is a defect of the tap."""
    if isinstance(error, SingerSDKError):
        return str(error) or type(error).__name__
    if isinstance(error, RecursionError):
        return "A record or a setting is nested too deeply to be handled"
    if any(frame.f_globals["__name__"] == mapper.__name__ for frame, _ in traceback.walk_tb(error.__traceback__)):
        return f"An expression in stream_maps failed on a record ({type(error).__name__}): correct it"
    return None


def report(error: Exception, logger: logging.Logger) -> None:
    """Log an error: a line for each that a person can act on, or a traceback for whoever mends the tap."""
    message = explain(error)
    if message is None:
        logger.error("This should not have happened: please report it as a defect of tap-storage", exc_info=error)
    debugging = logger.isEnabledFor(logging.DEBUG)
    for line in (message or "").splitlines():
        logger.error(line, exc_info=error if debugging else None)


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
