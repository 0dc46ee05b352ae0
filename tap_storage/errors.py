"""What a person is told of an error: what they can do about it, or that it is not theirs."""

from __future__ import annotations

import logging
import traceback

from singer_sdk import mapper
from singer_sdk.exceptions import ConfigurationError, SingerSDKError


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
    # Only settings are told of in several lines; elsewhere, a line break is of a name that the API chose.
    for line in (message or "").split("\n") if isinstance(error, ConfigurationError) else [message] if message else []:
        logger.error(line, exc_info=error if debugging else None)
