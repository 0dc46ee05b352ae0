"""The command `tap-storage-plan`: reads a config as the tap does, asks the API, prints a slice a line."""

from __future__ import annotations

import dataclasses
import json
import logging
import re
from datetime import timedelta
from typing import Any

import click
from singer_sdk.exceptions import ConfigurationError
from typing_extensions import override

from tap_storage import settings
from tap_storage.command import StorageCommand
from tap_storage.files import ConfigFile
from tap_storage.slicing.cuts import MOST_SLICES
from tap_storage.slicing.plan import Plan, plan
from tap_storage.streams import StorageDataStream
from tap_storage.tap import TapStorage

PREFIX = "TAP_STORAGE_"
DURATION = re.compile(r"P(?:(\d{1,6})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?)?")


class Duration(click.ParamType):  # type: ignore[type-arg]
    """An ISO 8601 duration of weeks, days, hours and minutes."""

    name = "duration"

    @override
    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        found = DURATION.fullmatch(value)
        weeks, days, hours, minutes = (int(part or 0) for part in found.groups()) if found else (0, 0, 0, 0)
        duration = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes)
        if not duration:
            self.fail(
                f"{value} is no duration of weeks, days, hours and minutes: write P7D for a week, PT12H for half a day",
                param,
                ctx,
            )
        return duration


@click.command(
    name="tap-storage-plan",
    cls=StorageCommand,
    logger=logging.getLogger(TapStorage.name),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.option(
    "--config", "configs", type=ConfigFile(), multiple=True, default=["ENV"], help="A JSON file, or ENV, the default."
)
@click.option("--slices", type=click.IntRange(1, MOST_SLICES), help="How many, with about as many records each.")
@click.option("--every", type=Duration(), help="How long the window of each is: P7D, PT12H.")
def main(configs: tuple[Any, ...], slices: int | None, every: timedelta | None) -> None:
    """Cut a collection into slices that runs can copy side by side, and print them as JSON lines.

    The API has to sort by the replication key (sort_order) or to filter by it (start_param and end_param). Each line
    has the settings that a run needs besides those given (config), the name of its state (state_id_suffix), and about
    how many records it copies. The last slice is open-ended: the daily run goes on from its state, which has no suffix.
    """
    if (slices is None) == (every is None):
        msg = "Give one of --slices and --every"
        raise click.UsageError(msg)
    schema = TapStorage.config_jsonschema
    TapStorage.append_builtin_config(schema)
    given: dict[str, Any] = {}
    for config in configs:
        given |= settings.from_environment(schema, PREFIX) if config == "ENV" else config
    tap = TapStorage(config=given, parse_env_config=False)
    stream = _only_stream(tap)
    with stream.connected():
        planned = plan(stream, slices=slices or 0, every=every or timedelta(0))
    for number, piece in enumerate(planned.slices, 1):
        click.echo(json.dumps({"slice": number, "slices": len(planned.slices), **dataclasses.asdict(piece)}))
    _tell(planned)


def _only_stream(tap: TapStorage) -> StorageDataStream:
    streams = [stream for stream in tap.streams.values() if isinstance(stream, StorageDataStream)]
    if len(streams) != 1:
        names = ", ".join(stream.name for stream in streams)
        msg = f"Setting resources: has {names}: make a plan for each, with a config of it alone"
        raise ConfigurationError(msg)
    return streams[0]


def _tell(planned: Plan) -> None:
    """Tell a person, on stderr, what the plan is like and what it took."""
    for note in planned.notes:
        click.echo(note, err=True)
    sizes = [piece.records for piece in planned.slices if piece.records is not None]
    counted = f" (records in each: {min(sizes):,} to {max(sizes):,})" if len(sizes) == len(planned.slices) else ""
    click.echo(f"Slices: {len(planned.slices)}{counted}. Requests: {planned.requests}", err=True)
