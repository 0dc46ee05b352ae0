"""The tap: its settings, its streams and its command."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Tap
from singer_sdk.exceptions import ConfigurationError
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers.capabilities import PluginCapabilities, TapCapabilities
from typing_extensions import override

from tap_storage import settings, validation
from tap_storage.command import StorageCommand
from tap_storage.config_schema import config_schema
from tap_storage.interruption import interrupt
from tap_storage.isolation import Isolation
from tap_storage.output import WholeLineWriter
from tap_storage.redaction import conceal
from tap_storage.streams import StorageDataStream
from tap_storage.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from types import FrameType

    import click
    from singer_sdk import Stream
    from singer_sdk.helpers.capabilities import CapabilitiesEnum
    from singer_sdk.singerlib import Catalog
    from singer_sdk.singerlib.encoding.base import GenericSingerWriter


class TapStorage(Tap):
    """Singer tap that copies a storage API's collection, read over offset pages."""

    name = "tap-storage"
    message_writer_class: type[GenericSingerWriter[Any, Any]] = WholeLineWriter
    config_jsonschema: ClassVar[dict[str, Any]] = config_schema()
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        TapCapabilities.CATALOG,
        TapCapabilities.STATE,
        TapCapabilities.DISCOVER,
        PluginCapabilities.ABOUT,
        PluginCapabilities.STREAM_MAPS,
        PluginCapabilities.FLATTENING,
        PluginCapabilities.BATCH,
        PluginCapabilities.STRUCTURED_LOGGING,
    ]

    @classproperty
    def _env_var_config(cls) -> dict[str, str]:  # noqa: N805
        # Private, but the SDK's own typing dies of a number that is none, without naming the setting.
        cls.append_builtin_config(cls.config_jsonschema)
        return settings.from_environment(cls.config_jsonschema, cls._env_var_prefix)

    @override
    def _validate_config(self, *, raise_errors: bool = True) -> list[str]:
        # Private, but the SDK's own messages print the values, secrets included.
        self.append_builtin_config(self.config_jsonschema)
        self._config = settings.resolve(self._config, self.config_jsonschema)
        self._config.setdefault("user_agent", f"tap-storage/{self.plugin_version}")
        conceal(settings.secrets(self._config))
        validation.check(self._config, self.config_jsonschema, required=raise_errors)
        for name, warning in validation.unknown(self._config, self.config_jsonschema):
            self.logger.warning(warning)
            del self._config[name]  # what the SDK would make of it is not offered
        return []

    @classmethod
    @override
    def cb_config(cls, ctx: click.Context, param: click.Option, value: tuple[Any, ...]) -> Any:
        # The files were read already, and a pipe can be read only once.
        chosen = super().cb_config(ctx, param, tuple(part for part in value if part == "ENV"))
        for content in value:
            if content != "ENV":
                chosen.config.update(content)
        return chosen

    @override
    def _handle_termination(self, signum: int, frame: FrameType | None) -> None:
        # Private, but the SDK exits 0 here, as if everything had been read, and in the middle of a line.
        interrupt(signum)

    @override
    def load_state(self, state: dict[str, Any]) -> None:
        super().load_state(state)
        for name, stream in self.streams.items():
            bookmark = state.get("bookmarks", {}).get(name)
            if isinstance(stream, StorageDataStream) and not stream.unlearned and isinstance(bookmark, dict):
                stream.planner.bookmark(bookmark)

    @override
    def discover_streams(self) -> Sequence[StorageDataStream]:
        streams = [
            StorageDataStream(
                self,
                settings.of_resource(self.config, entry),
                transport=lambda: self.transport,
                isolation=self.isolation,
            )
            for entry in self.config["resources"]
        ]
        if self.input_catalog is None:
            for stream in streams:
                stream.prepare(can_ask=self._can_ask)
        else:
            streams = self._catalogued(streams, self.input_catalog)
        return streams

    @override
    def run_discovery(self) -> str:
        for stream in self.streams.values():
            if isinstance(stream, StorageDataStream) and stream.unlearned:
                # A catalog without these fields would be kept, and drop them for good.
                raise stream.unlearned
        return super().run_discovery()

    @override  # type: ignore[misc]
    def sync_all(self) -> None:
        # Final, but nothing else comes after the last stream.
        super().sync_all()
        self.isolation.conclude()

    @override  # type: ignore[misc]
    def run_sync_dry_run(self, dry_run_record_limit: int | None = 1, streams: Iterable[Stream] | None = None) -> bool:
        passed = super().run_sync_dry_run(dry_run_record_limit, streams)
        self.isolation.conclude()
        return passed

    @cached_property
    def isolation(self) -> Isolation:
        """What keeps one stream's failure from the others."""
        return Isolation(self.logger, count=lambda: sum(stream.selected for stream in self.streams.values()))

    @cached_property
    def transport(self) -> Transport:
        """The connections to the API, which all streams share."""
        return Transport(settings.Connection.from_config(self.config))

    @property
    def _can_ask(self) -> bool:
        """Whether the settings say enough to ask the API; discovery does without."""
        config = self.config
        return bool(config.get("base_url") and (config.get("api_key") or config["auth_location"] == "none"))

    def _catalogued(self, streams: list[StorageDataStream], catalog: Catalog) -> list[StorageDataStream]:
        """Return the streams that a catalog has. Raises ConfigurationError if it has none of them."""
        names = {entry.stream for entry in catalog.streams if entry.stream and entry.stream == entry.tap_stream_id}
        known = [stream for stream in streams if stream.name in names]
        if not known:
            absent = ", ".join(stream.name for stream in streams)
            msg = f"The catalog does not have the stream {absent}: make one with tap-storage --discover"
            raise ConfigurationError(msg)
        for name in sorted({stream.name for stream in streams}.difference(names)):
            self.logger.warning("Stream %s is not in the catalog, and is not read: discover again to have it", name)
        for name in sorted(names.difference(stream.name for stream in streams)):
            self.logger.warning("Stream %s of the catalog is not in resources, and is not read", name)
        return known

    @classmethod
    @override
    def get_singer_command(cls) -> click.Command:
        return StorageCommand.wrapping(super().get_singer_command(), logger=cls.logger)
