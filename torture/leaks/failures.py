"""The failures: of the network and the API, of what the tap is given, and of where it writes."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.leaks.setup import Setup

    Failure = Callable[[Setup], object]

WORDS = "the storage is being moved"


def fault(kind: str, **more: object) -> Failure:
    """Return a failure that the fake API has."""
    return lambda run: run.fault(kind, **more)


def config(**changes: Any) -> Failure:
    """Return a failure by other settings."""
    return lambda run: run.config.update(changes)


def echoed(mode: str) -> Failure:
    """Return a failure in which the server hands back what it was sent."""
    address = {"path": f"/{mode.replace(' ', '-')}"}
    return lambda run: run.config.update(address | {"base_url": f"http://{run.places.hostile}"})


def record(**fields: Any) -> Failure:
    """Return a failure by a record; `{}` in a name or a value is the secrets of the settings."""

    def serve(run: Setup) -> None:
        said = f"{run.secrets.key} {run.secrets.header} {run.secrets.parameter}"
        text = json.dumps({"id": "a", "created_at": "2024-01-01T00:00:00Z"} | fields)
        body = '{"data": [%s], "total": 1}' % text.replace("{}", json.dumps(said)[1:-1])  # noqa: UP031
        run.fault("raw", body=body)
        run.config["schema"] = {"properties": {"id": {"type": "string"}, "size": {"type": "integer"}}}
        run.config["replication_key"] = ""

    return serve


def proxied(proxy: str, *, https: bool = False) -> Failure:
    """Return a failure behind a proxy that wants a password. proxy: its address, `{secret}` and `{hostile}` in it."""

    def go(run: Setup) -> None:
        address = proxy.format(secret=run.secrets.proxy, hostile=run.places.hostile)
        run.env |= {"HTTP_PROXY": address, "HTTPS_PROXY": address, "http_proxy": address, "https_proxy": address}
        run.env |= {"NO_PROXY": "", "no_proxy": ""}
        run.config["base_url"] = f"{'https' if https else 'http'}://storage.invalid"

    return go


def signalled(number: signal.Signals) -> Failure:
    """Return a signal that comes when the API was asked."""

    def wait(run: Setup) -> None:
        run.fault("unanswered")
        run.config["timeout"] = 20
        run.stop = number

    return wait


def _tls(run: Setup) -> None:
    run.config["base_url"] = f"https://{run.places.tls}"


def _no_tls(run: Setup) -> None:
    run.config["base_url"] = f"https://{run.places.api}"


def _text(change: Callable[[bytes], bytes]) -> Failure:
    def write(run: Setup) -> None:
        run.config_text = change(json.dumps(run.config, ensure_ascii=False).encode())

    return write


def _user(run: Setup) -> None:
    run.config["base_url"] = f"http://{run.secrets.user}:{run.secrets.proxy}@{run.places.api}/"


def _user_no_address(run: Setup) -> None:
    run.config["base_url"] = f"http://{run.secrets.user}:{run.secrets.proxy}@[{run.places.api}/"


def _query(run: Setup) -> None:
    run.config["base_url"] += f"/v1/resource?api_key={run.secrets.user}&sig={run.secrets.proxy}#{run.secrets.user}"


def _broken_objects(run: Setup) -> None:
    run.config |= {"params": json.dumps(run.config["params"])[:-1], "headers": json.dumps(run.config["headers"])[:-1]}


def _mistyped(run: Setup) -> None:
    run.config |= {"api_key": [run.secrets.key], "params": [run.secrets.parameter], "headers": [run.secrets.header]}


def _nested(run: Setup) -> None:
    run.config |= {"api_key": {"value": run.secrets.key}, "headers": {"A": [run.secrets.header, "b"]}}


def _line_breaks(run: Setup) -> None:
    run.config |= {"api_key": f"{run.secrets.key}\n", "headers": {"X-Secret": f"{run.secrets.header}\r\n"}}


def _misspelled(run: Setup) -> None:
    run.config |= {"apikey": run.secrets.user, "header": {"X": run.secrets.user}, "token": run.secrets.proxy}


def _misplaced(run: Setup) -> None:
    own = {"api_key": run.secrets.user, "headers": {"X": run.secrets.proxy}, "params": {"t": run.secrets.parameter}}
    run.config["resources"] = [{"name": "a", **own}, {"name": "b", "limit": run.secrets.user}]


def _schema(run: Setup) -> None:
    run.config["schema"] = '{"properties": {"id": {"type": "%s"}}, ' % run.secrets.user  # noqa: UP031


def _stream_map(expression: str) -> Failure:
    def add(run: Setup) -> None:
        run.config["stream_maps"] = {"storage_data": {"x": expression}}
        run.config["stream_map_config"] = {"api_key": run.secrets.key, "header": run.secrets.header}

    return add


def _batch(run: Setup) -> None:
    storage = {"root": "file:///dev/null/no", "params": {"secret": run.secrets.user}}
    run.config["batch_config"] = {"encoding": {"format": "jsonl"}, "storage": storage}


def _full(run: Setup) -> None:
    run.stdout = "/dev/full"


def _pipe(run: Setup) -> None:
    run.stdout = "closed"


def _bundle(run: Setup) -> None:
    run.env["REQUESTS_CA_BUNDLE"] = "nowhere.pem"


def _config_as(option: str) -> Failure:
    return lambda run: run.file(option, run.config)


def _said(option: str, form: str) -> Failure:
    """Pass a file that has the secrets in it."""
    return lambda run: run.file(option, form.replace("{}", " ".join(run.secrets.by_name().values())).encode())


def _state(run: Setup) -> None:
    said = run.secrets.key
    run.file("state", {"bookmarks": {"storage_data": {"replication_key": "created_at", "replication_key_value": said}}})


ASKED: dict[str, Failure] = {
    "nothing": lambda _: None,
    **{f"status {status}": fault("status", status=status) for status in (400, 401, 404, 418, 503)},
    **{f"echo with {status}": fault("echo", status=status) for status in (200, 400, 401, 500)},
    **{
        kind: fault(kind)
        for kind in "drop cut unanswered garbage html envelope null_data data_object scalars empty".split()  # noqa: SIM905
    },
    "retry_after": fault("retry_after", seconds=0.1),
    "long silence": fault("retry_after", seconds=10**6, **{"as": "date"}),
    "trickle": fault("trickle", interval_s=0.1),
    "trickle_headers": fault("trickle_headers", interval_s=0.1),
    "redirect to another host": fault("redirect", location="http://127.0.0.1:1/?{query}"),
    "redirect to a user": fault("redirect", location="http://a:b@127.0.0.1:1/?{query}"),
    "redirect in circles": fault("redirect", location="/v1/resource?{query}&again=1"),
    "redirect to a path with the query": fault("redirect", location="/v2/{query}"),
    "redirect to no address": fault("redirect", location="http://[{query}/"),
    "raw": fault("raw", body='{"data": [' + WORDS),
    **{
        f"echo in the {mode}": echoed(mode)
        for mode in (
            "status", "reason", "header", "location", "latin location", "chunk", "length", "encoding", "names",
            "complaint", "bad request", "wait", "links",
        )
    },
    "refused": config(base_url="http://127.0.0.1:1"),
    "no such host": config(base_url="http://storage.invalid"),
    "no label": config(base_url="http://a..b"),
    "certificate": _tls,
    "no TLS": _no_tls,
    "no CA bundle": _bundle,
    "proxy refuses": proxied("http://user:{secret}@127.0.0.1:1"),
    "proxy refuses the tunnel": proxied("http://user:{secret}@{hostile}", https=True),
    "proxy answers 407": proxied("http://user:{secret}@{hostile}"),
    "proxy is no address": proxied("http://user:{secret} x@127.0.0.1:1:2"),
    "proxy of another kind": proxied("ftp://user:{secret}@127.0.0.1:1"),
    "proxy by SOCKS": proxied("socks5://user:{secret}@127.0.0.1:1"),
    "proxy with no port": proxied("http://user:{secret}@127.0.0.1:{secret}"),
    "record that does not fit": record(id="{}", size="{}"),
    "record without a key": record(id=None, name="{}"),
    "record with an unknown field": record(**{"{}": "{}"}),
    "mapping of no text": _stream_map("int(config['api_key'])"),
    "mapping of no key": _stream_map("{'a': 1}[config['header']]"),
    "mapping that is none": _stream_map("config['api_key'"),
    "batch": _batch,
}  # fmt: skip
"""Of what is asked."""
GIVEN: dict[str, Failure] = {
    "config cut off": _text(lambda text: text[:-9]),
    "config with a comma": _text(lambda text: text[:-1] + b",}"),
    "config not UTF-8": _text(lambda text: text.decode().encode("utf-16")),
    "config with a stray byte": _text(lambda text: text.replace(b"{", b'{"\xff": ', 1)),
    "config of a list": _text(lambda text: b"[" + text + b"]"),
    "config of YAML": _text(lambda text: text.replace(b'"', b"")),
    "user in the address": _user,
    "user in what is no address": _user_no_address,
    "query in the address": _query,
    "objects cut off": _broken_objects,
    "wrong types": _mistyped,
    "wrong types inside": _nested,
    "line breaks": _line_breaks,
    "misspelled settings": _misspelled,
    "misplaced settings": _misplaced,
    "schema cut off": _schema,
    "wrong number": lambda run: run.config.update(limit=run.secrets.user, timeout=run.secrets.user),
    "key as a parameter": lambda run: run.config.update(params={"api_key": run.secrets.parameter, "limit": "7"}),
}
"""Of the config."""
FILED: dict[str, Failure] = {
    **{f"config as {option}": _config_as(option) for option in ("state", "catalog")},
    **{f"{option} cut off": _said(option, '{"bookmarks": {"a": "{}') for option in ("state", "catalog")},
    **{
        f"{option} of texts": _said(option, '{"bookmarks": "{}", "streams": ["{}"]}') for option in ("state", "catalog")
    },
    "secret as bookmark": _state,
}
"""Of the state and the catalog."""
LOADED = {
    name: {**ASKED, **GIVEN}[name]
    for name in (
        "nothing", "echo with 400", "echo in the location", "echo in the header", "refused", "proxy is no address",
        "wrong types", "objects cut off", "line breaks",
    )
}  # fmt: skip
"""Of those, some under Meltano, which takes ten seconds each."""
ENDED: dict[str, Failure] = {
    "SIGTERM": signalled(signal.SIGTERM),
    "SIGINT": signalled(signal.SIGINT),
    "SIGKILL": signalled(signal.SIGKILL),
    "broken pipe": _pipe,
    "disk full": _full,
}
"""Of the process, and of where it writes."""
