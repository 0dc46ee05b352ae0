"""dlt configurations with secrets where dlt has them, and broken ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from torture.leaks.failures import Failure
    from torture.leaks.setup import Setup


def _configuration(run: Setup) -> dict[str, Any]:
    secrets = run.secrets
    return {
        "client": {
            "base_url": "https://api.example.com",
            "auth": {"type": "api_key", "name": "api_key", "api_key": secrets.key, "location": "query"},
            "headers": {"Authorization": secrets.header, "X-Api-Key": secrets.user, "Cookie": secrets.proxy},
        },
        "resources": [
            {"name": "storage_data", "endpoint": {"path": "/v1", "params": {"access_token": secrets.parameter}}}
        ],
    }


def _changed(**client: Any) -> Failure:
    """Return a configuration with other parts of the client, in which `{user}` and `{key}` are secrets."""

    def write(run: Setup) -> None:
        document = _configuration(run)
        for name, value in client.items():
            written = json.dumps(value)
            for secret in ("key", "user"):
                written = written.replace("{%s}" % secret, json.dumps(getattr(run.secrets, secret))[1:-1])  # noqa: UP031
            document["client"][name] = json.loads(written)
        run.document = json.dumps(document)

    return write


def _written(change: Callable[[str], str]) -> Failure:
    def write(run: Setup) -> None:
        run.document = change(json.dumps(_configuration(run)))

    return write


IMPORTED: dict[str, Failure] = {
    "as dlt has it": _changed(),
    "a token": _changed(auth={"type": "bearer", "token": "{key}"}),
    "a password": _changed(auth={"type": "http_basic", "username": "{user}", "password": "{key}"}),
    "a text": _changed(auth="{key}"),
    "a list": _changed(auth=["{key}"], headers=["{user}"]),
    "another location": _changed(auth={"type": "api_key", "api_key": "{key}", "location": "{user}"}),
    "a user in the address": _changed(base_url="https://{user}:{key}@api.example.com"),
    "a query in the address": _changed(base_url="https://api.example.com/?api_key={key}&{user}"),
    "a paginator": _changed(paginator={"type": "offset", "limit": "{key}", "offset_param": {"a": "{user}"}}),
    "cut off": _written(lambda text: text[:-20]),
    "a comma too many": _written(lambda text: text.replace("}", ",}}", 1)),
    "Python": _written(lambda text: f"config = {text}\n"),
    "Python with an error": _written(lambda text: f"def config(:\n    return {text}\n"),
    "Markdown": _written(lambda text: f"```python\nrest_api_source({text})\n```\n"),
    "Markdown with two": _written(lambda text: f"```json\n{text}\n```\n```json\n{text}\n```\n"),
    "YAML with an error": _written(lambda text: f"a: [\n{text}: : {text}"),
}
"""Documents that are imported, or refused."""
