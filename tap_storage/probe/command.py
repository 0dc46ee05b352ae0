"""The command `tap-storage-probe`: reads a config as the tap does, probes, prints."""

from __future__ import annotations

import copy
import re
from typing import Any

import click
from singer_sdk.exceptions import ConfigurationError, SingerSDKError

from tap_storage import settings, validation
from tap_storage.files import ConfigFile
from tap_storage.probe import address, report
from tap_storage.probe.asking import Asker
from tap_storage.probe.findings import printable
from tap_storage.probe.interview import Interview
from tap_storage.probe.plan import Report, probe
from tap_storage.redaction import Secrets, conceal
from tap_storage.settings import Connection
from tap_storage.tap import TapStorage

PREFIX = "TAP_STORAGE_"
WORD = re.compile(r"-?[A-Za-z_]+")


@click.command(name="tap-storage-probe", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config", "configs", type=ConfigFile(), multiple=True, default=["ENV"], help="A JSON file, or ENV, the default."
)
@click.option("--resource", "name", help="Which of the config's resources to look at; the first unless given.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="What to print.")
def main(configs: tuple[Any, ...], name: str | None, form: str) -> None:
    """Ask an API at most 20 questions, and print the settings by which tap-storage reads it."""
    schema = copy.deepcopy(TapStorage.config_jsonschema)
    TapStorage.append_builtin_config(schema)
    given: dict[str, Any] = {}
    for config in configs:
        given |= settings.from_environment(schema, PREFIX) if config == "ENV" else config
    stream, explicit = _resource(given, schema, name)
    given, notes = address.split(explicit)
    secret = settings.secrets(settings.resolve(given, schema))
    conceal(secret)
    masked = Secrets(secret).mask
    try:
        config = _checked(given, schema, notes)
    except ConfigurationError as error:
        raise click.UsageError(masked(str(error))) from None
    try:
        result = probe(Interview(Asker(Connection.from_config(config)), config, explicit), stream=stream)
    except SingerSDKError as error:
        raise click.ClickException(masked(str(error))) from None
    shown = Secrets(_secret(given, schema, result)).mask
    text = report.as_json(result, schema, notes) if form == "json" else report.as_text(result, schema, notes)
    click.echo(printable(shown(text)))
    if result.stuck:
        raise click.ClickException(printable(shown(result.stuck)))


def _resource(given: dict[str, Any], schema: dict[str, Any], name: str | None) -> tuple[str, dict[str, Any]]:
    """Return the name of one resource, and its settings, in which its own go before those of the top level."""
    listed = settings.resolve(given, schema)["resources"]
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    chosen = next((entry for entry in entries if name in (None, entry.get("name"))), None)
    if name is not None and chosen is None:
        names = ", ".join(str(entry.get("name")) for entry in entries) or "none"
        msg = f"The config has no resource of that name; it has {names}"
        raise click.UsageError(msg)
    own = settings.of_resource(given, chosen or {})
    return str(own.pop("name", settings.STREAM)), own


def _checked(given: dict[str, Any], schema: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Return the settings with their defaults; raises ConfigurationError for those that nothing can be asked with."""
    config = settings.resolve(given, schema)
    config.setdefault("user_agent", f"tap-storage/{TapStorage.get_plugin_version()}")
    if not config.get("base_url"):
        msg = "Setting base_url: is missing; set it in a file that --config names, or as TAP_STORAGE_BASE_URL."
        raise ConfigurationError(msg)
    validation.check(config, schema, required=False)
    for unknown, warning in validation.unknown(config, schema):
        notes.append(warning)
        del config[unknown]
    return config


def _secret(given: dict[str, Any], schema: dict[str, Any], result: Report) -> list[str]:
    """Return what is not to be printed: not the words among the parameters that are names of fields, as in a sort."""
    config = settings.resolve(given, schema)
    certain = settings.secrets({**config, "params": None})
    harmless = [each for each in settings.secrets(config) if WORD.fullmatch(each) and each.lstrip("-") in result.fields]
    return [each for each in settings.secrets(config) if each in certain or each not in harmless]
