"""Starts the fake storage API as its own process, tells it what to do, reads from it.

    with FakeAPI(records=1000, cap=50) as api:
        requests.get(f"{api.url}/v1/resource?api_key={api.api_key}&offset=0")
        api.behave(faults=[{"on": 2, "kind": "drop"}])
        assert len(api.requests()) == 1

The server ends with the block, or with the process that started it.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from demo.fake_api.behaviour import Behaviour
from demo.fake_api.shapes import Refused, read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import TracebackType

    from typing_extensions import Self

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 60


class FakeAPI:
    """A fake storage API that runs while the `with` block does.

    behaviour: the keys of `demo.fake_api.behaviour.Behaviour`, as JSON values; they are
    what `reset` returns to. At most 100 kB of them, which `behave` does not mind. Raises
    Refused (a ValueError) for those it does not know.
    """

    def __init__(
        self,
        records: int = 1000,
        api_key: str = "demo-key",
        *,
        seed: int = 0,
        journal: Path | None = None,
        **behaviour: object,
    ) -> None:
        read(Behaviour, behaviour, "behaviour")
        self.api_key = api_key
        self.url = ""
        self._command = [sys.executable, "-m", "demo.fake_api", "--until-stdin-closes"]
        self._command += [f"--records={records}", f"--seed={seed}"]
        self._command += [f"--api-key={api_key}"]
        self._command += [f"--behaviour={json.dumps(behaviour)}"]
        if journal:
            self._command += [f"--journal={journal.resolve()}"]

    def __enter__(self) -> Self:
        """Start the server; returns when it can be asked."""
        self._process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            status = self._process.wait()
            message = f"the fake API ended at once with status {status}, see its stderr"
            raise RuntimeError(message)
        self.url = json.loads(line)["url"]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the server."""
        try:
            self._process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    @property
    def pid(self) -> int:
        """The server's process id."""
        return self._process.pid

    def behave(self, **behaviour: object) -> dict[str, Any]:
        """Change some keys of the behaviour, and return the whole of it."""
        return self._post("behaviour", behaviour)

    def reset(self, records: int | None = None) -> None:
        """Forget the journal, the count of requests and what `behave` was told.

        records: begin with a new collection of so many; None: keep the present one.
        """
        self._post("reset", {"records": records})

    def insert(
        self,
        count: int = 1,
        at: str = "back",
        *,
        created_at: str | None = None,
        records: Sequence[object] | None = None,
        raw: Sequence[str] | None = None,
    ) -> list[Any]:
        """Insert so many made records, or those given, and return their ids.

        at: "front", "back", "read" (before a random record served already), "random".
        created_at: of made records; without it no record made before is newer.
        raw: JSON texts, served exactly as they are.
        """
        told: dict[str, object] = {"count": count, "at": at, "created_at": created_at}
        return self._ids("insert", {**told, "records": records, "raw": raw})

    def delete(
        self,
        ids: Sequence[str | int] | None = None,
        *,
        count: int = 1,
        at: str = "back",
    ) -> list[Any]:
        """Delete these records, or so many at a place, and return their ids."""
        return self._ids("delete", {"ids": ids, "count": count, "at": at})

    def replace(self, raw: str) -> list[Any]:
        """Replace the collection by a JSON array's elements; return their ids.

        Each element is served exactly as it is written. Records without an id that is a
        string or an integer have None.
        """
        return self._ids("replace", {"raw": raw})

    def records(self, parse_float: Callable[[str], Any] = float) -> list[Any]:
        """Return the collection as it is now, in the order of insertion.

        Without the records that `hidden_every` hides. parse_float: reads numbers that have a
        fraction; others are read as Python does.
        """
        answer: list[Any] = self._ask("GET", "records", parse_float=parse_float)
        return answer

    def journal(self, *, since: int = 0, ids: bool = False) -> list[dict[str, Any]]:
        """Return all requests and changes since the last reset, oldest first.

        A request: {"n": 1, "kind": "request", "at": 1700000000.0, "request": 1,
        "fault": None, "method": "GET", "path": "/v1/resource", "query": "limit=100&…",
        "offset": 0, "limit": 100, "status": 200, "headers": {"host": …}, "served": 100,
        "ids": ["obj-0000001", "obj-0000100"]}; `request` counts data requests, and is
        None for requests to other paths; `ids` are the first and the last served.
        A change: {"n": 2, "kind": "insert", "delete" or "move", "at": …, "request": 1, "ids":
        […]}; `request` is the data request that it followed.

        since: only entries with a larger `n`. ids: requests have all ids in `all_ids`.
        """
        endpoint = f"journal?since={since}&ids={int(ids)}"
        answer: list[dict[str, Any]] = self._ask("GET", endpoint)
        return answer

    def requests(self) -> list[dict[str, Any]]:
        """Return the journal's data requests."""
        return [e for e in self.journal() if e["kind"] == "request" and e["request"]]

    def changes(self) -> list[dict[str, Any]]:
        """Return the journal's changes."""
        return [entry for entry in self.journal() if entry["kind"] != "request"]

    def ever(self) -> set[Any]:
        """Return the ids of all records that existed at any time since the last reset.

        Hidden records are left out, here and below.
        """
        return self._present() | self._changed("delete")

    def survivors(self) -> set[Any]:
        """Return the ids of the records that all data requests could have met.

        They were there before the first one, and still when the last was answered.
        """
        last = max((entry["request"] for entry in self.requests()), default=1)
        came = self._changed("insert", first=1)
        went = self._changed("delete", last=last - 1)
        return self.ever() - came - went

    def _present(self) -> set[Any]:
        identifiers = (r.get("id") for r in self.records() if isinstance(r, dict))
        return {each for each in identifiers if isinstance(each, (str, int))}

    def _changed(self, kind: str, first: int = 0, last: float = float("inf")) -> set[Any]:
        """Return the ids of changes after the first to the last of these requests."""
        return {
            identifier
            for change in self.changes()
            if change["kind"] == kind and first <= change["request"] <= last
            for identifier in change["ids"]
            if identifier is not None
        }

    def _ids(self, endpoint: str, body: dict[str, object]) -> list[Any]:
        ids: list[Any] = self._post(endpoint, body)["ids"]
        return ids

    def _post(self, endpoint: str, body: object) -> dict[str, Any]:
        answer: dict[str, Any] = self._ask("POST", endpoint, json.dumps(body).encode())
        return answer

    def _ask(
        self, method: str, endpoint: str, body: bytes | None = None, parse_float: Callable[[str], Any] = float
    ) -> Any:
        host = urlsplit(self.url).netloc
        connection = http.client.HTTPConnection(host, timeout=PATIENCE_S)
        try:
            connection.request(method, f"/_fake/{endpoint}", body)
            response = connection.getresponse()
            answer = json.loads(response.read(), parse_float=parse_float)
        finally:
            connection.close()
        if response.status != http.HTTPStatus.OK:
            raise Refused(answer["error"])
        return answer
