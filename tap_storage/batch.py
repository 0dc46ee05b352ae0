"""BATCH messages: files that hold the records, and a message that names them.

The SDK's own take records before selection and stream maps, are always compressed, and come after the state that should
cover them (singer-sdk 0.54.9). Here a file has, line by line, the records of the RECORD messages that it stands for.
"""

from __future__ import annotations

import dataclasses
import gzip
import shutil
import tempfile
from typing import IO, TYPE_CHECKING
from uuid import uuid4

from singer_sdk.exceptions import FatalSyncError
from singer_sdk.helpers._batch import SDKBatchMessage

if TYPE_CHECKING:
    from collections.abc import Callable

    from singer_sdk.helpers._batch import BatchConfig

GZIP = "gzip"
LEVEL = 1
"""Of gzip: the fastest; the files live until they are loaded."""


@dataclasses.dataclass
class _File:
    """A file while it is written, and what compresses it."""

    content: IO[bytes]
    compressed: gzip.GzipFile | None


class BatchFiles:
    """Collects records until `flush`, a file for each name that a stream has at the destination.

    tap: its name. write: writes a message.
    """

    def __init__(self, config: BatchConfig, *, tap: str, write: Callable[[SDKBatchMessage], object]) -> None:
        self._config = config
        self._tap = tap
        self._write = write
        self._packed = config.encoding.compression == GZIP
        self._files: dict[str, _File] = {}

    def add(self, stream: str, lines: bytes) -> None:
        """Add records as JSON, a line each. stream: its name at the destination."""
        if stream not in self._files:
            content = tempfile.TemporaryFile()  # noqa: SIM115 (closed by flush, or with the process)
            compressed = gzip.GzipFile(fileobj=content, mode="wb", compresslevel=LEVEL) if self._packed else None
            self._files[stream] = _File(content, compressed)
        file = self._files[stream]
        (file.compressed or file.content).write(lines)

    def flush(self) -> None:
        """Put the files where the destination finds them, and write the messages that say so.

        Raises FatalSyncError where they cannot be put there, each time that it is tried.
        """
        for stream, file in list(self._files.items()):
            if file.compressed:
                file.compressed.close()
            url = self._store(stream, file.content)
            del self._files[stream]  # not before: what is not stored must not be covered by a state
            file.content.close()
            self._write(SDKBatchMessage(stream=stream, encoding=self._config.encoding, manifest=[url]))

    def _store(self, stream: str, content: IO[bytes]) -> str:
        storage = self._config.storage
        suffix = ".jsonl.gz" if self._packed else ".jsonl"
        name = f"{storage.prefix or ''}{self._tap}--{stream}-{uuid4()}{suffix}"
        content.seek(0)
        try:
            with storage.open(name, "wb") as stored:
                shutil.copyfileobj(content, stored, 1 << 20)
            return storage.get_url(name)
        except (OSError, ImportError, ValueError) as error:
            cause = (isinstance(error, OSError) and error.strerror) or type(error).__name__
            msg = f"The files of batch_config cannot be written ({cause}): check storage.root, and storage.params"
            raise FatalSyncError(msg) from None
