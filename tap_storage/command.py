"""The command line's edge: what goes wrong becomes one clear line and a non-zero exit status."""

from __future__ import annotations

import io
import json
import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click
from singer_sdk.exceptions import FatalSyncError, SingerSDKError
from singer_sdk.plugin_base import SingerCommand
from singer_sdk.typing import DEFAULT_JSONSCHEMA_VALIDATOR
from typing_extensions import Self, override

if TYPE_CHECKING:
    from collections.abc import Mapping

CONFIG_SHAPE = {"type": "object"}
CATALOG_SHAPE = {
    "type": "object",
    "required": ["streams"],
    "properties": {
        "streams": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["tap_stream_id", "schema"],
                "properties": {
                    "tap_stream_id": {"type": "string"},
                    "schema": {
                        "type": "object",
                        "required": ["properties"],
                        "properties": {
                            "properties": {
                                "type": "object",
                                "additionalProperties": {"type": "object"},
                            }
                        },
                    },
                    "metadata": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["breadcrumb", "metadata"],
                            "properties": {
                                "breadcrumb": {"type": "array", "items": {"type": "string"}},
                                "metadata": {"type": "object"},
                            },
                        },
                    },
                },
            },
        }
    },
}
STATE_SHAPE = {
    "type": "object",
    "properties": {"bookmarks": {"type": "object", "additionalProperties": {"type": "object"}}},
}


class StorageCommand(SingerCommand):
    """The SDK's command, without tracebacks for what a user can mend."""

    @classmethod
    def wrapping(cls, command: click.Command, *, logger: logging.Logger) -> Self:
        """Make one of the SDK's command, with its options and callback."""
        files = {
            "config": JSONFile("config", CONFIG_SHAPE, "write the settings as one JSON object", keep="ENV"),
            "catalog": JSONFile("catalog", CATALOG_SHAPE, "make one with tap-storage --discover", opened=True),
            "state": JSONFile("state", STATE_SHAPE, "pass the last state that the target wrote", opened=True),
        }
        for parameter in command.params:
            parameter.type = files.get(parameter.name or "", parameter.type)
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
        try:
            status = super().main(*args, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            self._fail(error.format_message(), error.exit_code)
        except click.Abort:
            self._fail("Interrupted", 130)
        except SingerSDKError as error:
            self._fail(str(error) or type(error).__name__)
        except RecursionError:
            self._fail("A record or a setting is nested too deeply to be handled")
        except Exception:
            self.logger.exception("This should not have happened: please report it as a defect of tap-storage")
            sys.exit(1)
        sys.exit(status if isinstance(status, int) else 0)

    @override
    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered would raise again at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            msg = "The destination closed the pipe before everything was written: look at its own error"
            raise FatalSyncError(msg) from None
        return result

    def _fail(self, message: str, status: int = 1) -> NoReturn:
        debugging = self.logger.isEnabledFor(logging.DEBUG)
        for line in message.splitlines():
            self.logger.error(line, exc_info=debugging)
        sys.exit(status)


class JSONFile(click.ParamType):  # type: ignore[type-arg]
    """The path of a JSON file of a certain shape.

    keep: a value that is not a path and passed on. opened: whether the command wants a readable file, not the path.
    """

    name = "file"

    def __init__(
        self,
        what: str,
        shape: Mapping[str, Any],
        remedy: str,
        *,
        keep: str | None = None,
        opened: bool = False,
    ) -> None:
        self._what = what
        self._check = DEFAULT_JSONSCHEMA_VALIDATOR(shape)
        self._remedy = remedy
        self._keep = keep
        self._opened = opened

    @override
    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str | io.StringIO:
        if value == self._keep:
            return value
        text = self._read(value)
        try:
            content = json.loads(text)
        except ValueError as error:
            where = f" at line {error.lineno}, column {error.colno}" if isinstance(error, json.JSONDecodeError) else ""
            self._refuse(f"is not JSON{where}")
        if fault := next(self._check.iter_errors(content), None):
            where = "/".join(map(str, fault.path)) or "its top"
            self._refuse(f"is JSON, but not what a Singer {self._what} looks like, at {where}")
        return io.StringIO(text) if self._opened else value

    def _read(self, path: str) -> str:
        try:
            return Path(path).read_text(encoding="utf-8-sig")
        except OSError as error:
            self._refuse(f"cannot be read ({(error.strerror or 'error').lower()})")
        except UnicodeDecodeError:
            self._refuse("is not UTF-8 text")

    def _refuse(self, fault: str) -> NoReturn:
        msg = f"The {self._what} file {fault}: {self._remedy}"
        raise click.ClickException(msg)
