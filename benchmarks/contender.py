"""What a contender is: a program in an environment of its own, how it is started, how its records are found."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

PEERS = Path(__file__).resolve().parent / "peers"


class LostError(Exception):
    """A contender did not deliver every record once, in the way that it was to; the message says which and why."""


@dataclasses.dataclass(frozen=True)
class Task:
    """What a contender has to read, and where it may write.

    url, api_key: the API's. limit: records asked for at a time. records: how many there are. directory: empty, its own.
    bin: of its environment. database: a SQLAlchemy URL; "" where records go to stdout or into files.
    """

    url: str
    api_key: str
    limit: int
    records: int
    directory: Path
    bin: Path
    database: str = ""

    @property
    def stdout(self) -> Path:
        """The file that holds what the program wrote to its standard output."""
        return self.directory / "stdout"

    def write(self, name: str, content: Any) -> str:
        """Write a JSON file into the directory, and return its path."""
        path = self.directory / name
        path.write_text(json.dumps(content), encoding="utf-8")
        return str(path)


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to copy the collection.

    peer: the directory with its requirements, and the name of its environment. command: what to start, as arguments.
    ids: the ids of the records that it delivered, found after it has ended; may raise LostError where they came in
    another way than they should have. environment: variables that it needs.
    """

    name: str
    peer: str
    command: Callable[[Task], Sequence[str]]
    ids: Callable[[Task], Iterator[Any]]
    environment: Callable[[Task], Mapping[str, str]] = lambda _: {}
