"""The command line's edge: what goes wrong becomes one clear line and a non-zero exit status."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

import click
from singer_sdk.exceptions import FatalSyncError
from singer_sdk.plugin_base import SingerCommand
from typing_extensions import Self, override

from tap_storage.errors import report
from tap_storage.files import CatalogFile, ConfigFile, StateFile

if TYPE_CHECKING:
    import logging
    from collections.abc import Mapping


class StorageCommand(SingerCommand):
    """The SDK's command, without tracebacks for what a user can mend."""

    @classmethod
    def wrapping(cls, command: click.Command, *, logger: logging.Logger) -> Self:
        """Make one of the SDK's command, with its options and callback."""
        files: Mapping[str | None, click.ParamType] = {  # type: ignore[type-arg]
            "config": ConfigFile(),
            "catalog": CatalogFile(),
            "state": StateFile(),
        }
        for parameter in command.params:
            parameter.type = files.get(parameter.name, parameter.type)
        return cls(
            name=command.name,
            callback=command.callback,
            params=command.params,
            help=command.help,
            context_settings=command.context_settings,
            logger=logger,
        )

    @override
    def main(self, *args: Any, **options: Any) -> NoReturn:
        """Run the command and exit: 0 when all went well, 1 after an error, 2 after a wrong call."""
        status = self._status(*args, **options)
        with contextlib.suppress(ValueError):  # it is closed
            try:
                sys.stderr.flush()
            except OSError:
                _discard(sys.stderr)  # the terminal is gone, which Python would make an exit status of its own
        sys.exit(status)

    def _status(self, *args: Any, **options: Any) -> int:
        """Run the command, and return its exit status; what went wrong is told of."""
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            for line in error.format_message().splitlines():
                self.logger.error(line)  # noqa: TRY400 (no traceback for what a user can mend)
            return error.exit_code
        except Exception as error:  # noqa: BLE001 (each is told of)
            report(error, self.logger)
            return 1
        return status if isinstance(status, int) else 0

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except OSError as error:
            # Nothing else that a run does with files and sockets ends here.
            _discard(sys.stdout)
            msg = (
                "The destination closed the pipe before everything was written: look at its own error"
                if isinstance(error, BrokenPipeError)
                else f"The output cannot be written: {(error.strerror or 'error').lower()}"
            )
            raise FatalSyncError(msg) from None
        return result


def _discard(stream: TextIO) -> None:
    """Let what is still to be written to a stream go nowhere: it would raise at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
