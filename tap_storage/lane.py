"""The page lane: a page is decoded, looked at and written as one, without Python code for each record.

It gives what the SDK's path through conformance, messages and encoding gives, some twenty times as fast. Where that is
not certain, for a schema or for a page, it steps back: the SDK's path takes every page.
"""

from __future__ import annotations

import decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
from singer_sdk.exceptions import FatalAPIError
from typing_extensions import override

from tap_storage.envelope import Envelope
from tap_storage.records import Page, UnreadablePageError, read_page, without_bom
from tap_storage.shape import Shape, UnfitError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

AT_ONCE = 250
"""Records that are encoded at once: memory for larger pieces would come from the system each time, page by page."""
ENCODER = msgspec.json.Encoder()


class LanePage(Page):
    """A page whose records are of one shape; they are decoded again where they are wanted as dictionaries."""

    loose = False

    def __init__(self, records: Sequence[Any], total: int | None, shape: Shape, decode: Callable[[], Page]) -> None:
        super().__init__([], total)
        self._shaped = records
        self._shape = shape
        self._decode = decode

    def __len__(self) -> int:
        return len(self._shaped)

    @cached_property
    @override
    def records(self) -> list[dict[str, Any]]:
        try:
            return self._decode().records
        except UnreadablePageError as error:
            raise FatalAPIError(str(error)) from None

    @override
    def column(self, name: str) -> list[Any]:
        return self._shape.column(self._shaped, name)

    def lines(self, places: Sequence[int], before: bytes = b"", behind: bytes = b"") -> Iterator[bytes]:
        """Yield the records at these places as JSON, a line each, in large pieces; with something before and behind."""
        chosen = self._shaped if len(places) == len(self) else [self._shaped[place] for place in places]
        for start in range(0, len(chosen), AT_ONCE):
            lines = ENCODER.encode_lines(chosen[start : start + AT_ONCE])
            yield before + lines[:-1].replace(b"\n", behind + b"\n" + before) + behind + b"\n"


class Lane:
    """Reads pages whose records have the properties of a schema.

    properties: JSON schemas of the properties that are selected. present: names of those that are always there. Raises
    UnfitError where the schema or a path says too much.
    """

    def __init__(  # noqa: PLR0913 (what there is to know of a page)
        self,
        properties: Mapping[str, Any],
        *,
        present: Collection[str],
        primary_keys: Collection[str],
        replication_key: str | None,
        data_selector: str,
        total_path: str,
    ) -> None:
        self._paths = {"data_selector": data_selector, "total_path": total_path}
        read = [replication_key] if replication_key else []
        self._shape = Shape(properties, present=present, required=primary_keys, read=read, lenient=read)
        self._envelope = Envelope(list[self._shape.type], data_selector, total_path)  # type: ignore[name-defined]

    def read(self, body: bytes) -> LanePage | None:
        """Return the page in the body of an answer, None where the other path has to find out what is in it."""
        text: Any = without_bom(body)
        try:
            if not body.isascii():
                str(body, "utf-8")  # of what is passed over, msgspec looks at the structure only
            if b"\n" in body or b"\r" in body:
                text = msgspec.json.format(bytes(text), indent=-1)  # a record is a line
            records, total = self._envelope.open(text)
            self._shape.check(records)
        except (msgspec.MsgspecError, UnicodeDecodeError, decimal.InvalidOperation, RecursionError, UnfitError):
            return None
        return LanePage(records, total, self._shape, lambda: read_page(body, **self._paths))
