"""The fake API itself: a request in, an answer out, and what happens in between."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING, TextIO

from demo.fake_api.answers import Answer, Situation, error, spoiled
from demo.fake_api.collection import Collection
from demo.fake_api.journal import Journal
from demo.fake_api.pages import Failure, body, page, question, visible
from demo.fake_api.records import record_maker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from demo.fake_api.behaviour import Behaviour, Place
    from demo.fake_api.incoming import Request
    from demo.fake_api.records import RecordMaker


class Service:
    """The collection, how it is served, and what happened since the last reset."""

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        records: int,
        api_key: str,
        seed: int,
        journal_file: TextIO | None,
    ) -> None:
        self._api_key = api_key
        self._seed = seed
        self._journal_file = journal_file
        self._first_behaviour = self.behaviour = behaviour
        self.collection = self._new_collection(records)
        self.reset()

    def reset(self, records: int | None = None) -> None:
        """Forget the behaviour told, the journal and the count of requests.

        records: begin with a new collection of so many; None: keep what there is.
        """
        self.behaviour = self._first_behaviour
        if records is None:
            self.collection.made_by(self._maker(self.behaviour))
        else:
            self.collection = self._new_collection(records)
        self.journal = Journal(self.identifier, self._journal_file)
        self._rng = Random(self._seed)
        self._requests = 0

    def behave(self, behaviour: Behaviour) -> None:
        """Answer as told from now on."""
        self.collection.made_by(self._maker(behaviour))
        self.behaviour = behaviour

    def identifier(self, number: int) -> object:
        """Return the id of a record by its number."""
        return self.collection.identifier(number)

    def delay(self) -> float:
        """Return the seconds that the next answer takes."""
        jitter = self._rng.uniform(0, self.behaviour.jitter_ms)
        return (self.behaviour.latency_ms + jitter) / 1000

    def answer(self, request: Request) -> Answer:
        """Answer a request of a client, and write it down."""
        if request.path not in self.behaviour.paths:
            answer = error(404, "no such path")
            self._write_down(request, answer)
            return answer
        self._requests += 1
        answer = self._answer_due(request)
        fault = next((f for f in self.behaviour.faults if f.due(self._requests)), None)
        if fault:
            now = time.time() + self.behaviour.date_skew_s
            answer = spoiled(fault, Situation(request, self.behaviour, answer, now))
        self._write_down(
            request,
            answer,
            ordinal=self._requests,
            fault=fault.kind if fault else None,
        )
        self._apply_changes()
        return answer

    def visible(self, numbers: Sequence[int]) -> Sequence[int]:
        """Return the records that `hidden_every` does not hide."""
        return visible(numbers, self.behaviour)

    def insert(self, at: Place, count: int, created_at: str | None = None) -> list[object]:
        """Insert made records and return their ids."""
        position = self._position(at)
        return self._changed("insert", self.collection.insert(position, count, created_at))

    def insert_texts(self, at: Place, texts: Sequence[str]) -> list[object]:
        """Insert records given as JSON text and return their ids."""
        position = self._position(at)
        return self._changed("insert", self.collection.insert_texts(position, texts))

    def delete(self, numbers: Sequence[int]) -> list[object]:
        """Delete records by their numbers and return their ids."""
        self.collection.delete(numbers)
        return self._changed("delete", numbers)

    def move(self, numbers: Sequence[int], to: Place) -> list[object]:
        """Put records elsewhere by their numbers and return their ids."""
        self.collection.delete(numbers)
        self.collection.put(self._position(to), numbers)
        return self._changed("move", numbers)

    def chosen(self, at: Place, count: int) -> Sequence[int]:
        """Return the numbers of so many records there, fewer if there are not enough.

        at: "front", "back", "read" (any served before) or "random".
        """
        order = self.collection.order
        if at == "front":
            return order[:count]
        if at == "back":
            return order[-count:]
        among: Sequence[int] = order
        if at == "read":
            served = set(self.journal.served())
            among = [number for number in order if number in served]
        return self._rng.sample(among, min(count, len(among)))

    def _new_collection(self, records: int) -> Collection:
        maker = self._maker(self.behaviour)
        maker.prepare(records)
        return Collection(maker, records)

    def _maker(self, behaviour: Behaviour) -> RecordMaker:
        return record_maker(self._seed, behaviour.id_type, behaviour.shape)

    def _answer_due(self, request: Request) -> Answer:
        behaviour = self.behaviour
        try:
            self._check(request)
            found = page(
                question(request.parameters, behaviour),
                self.collection,
                behaviour,
                request=self._requests,
                rng=self._rng,
            )
        except Failure as failure:
            return error(failure.status, str(failure))
        texts = self.collection.texts(found.numbers)
        content = b"[%b]" % b",".join(texts)
        return Answer(200, body(behaviour, content, found.total), page=found)

    def _check(self, request: Request) -> None:
        if request.method != "GET":
            message = "only GET is understood here"
            raise Failure(405, message)
        auth = self.behaviour.auth
        if auth.in_ == "query":
            key = request.parameters.get(auth.name)
        elif auth.in_ == "header":
            key = request.headers.get(auth.name.lower())
        else:
            return
        if key != self._api_key:
            message = "the API key is missing or wrong"
            raise Failure(401, message)

    def _write_down(
        self,
        request: Request,
        answer: Answer,
        *,
        ordinal: int | None = None,
        fault: str | None = None,
    ) -> None:
        names = self.behaviour.params
        parameters = request.parameters
        silent = answer.manner in ("drop", "unanswered")
        self.journal.add(
            "request",
            answer.page.numbers if answer.page and answer.arrives else (),
            request=ordinal,
            fault=fault,
            method=request.method,
            path=request.path,
            query=request.query,
            offset=_whole(parameters.get(names.offset)),
            limit=_whole(parameters.get(names.limit)),
            status=None if silent else answer.status,
            headers=request.headers,
        )

    def _apply_changes(self) -> None:
        for change in self.behaviour.changes:
            if not change.due(self._requests):
                continue
            if change.op == "insert":
                self.insert(change.at, change.count, change.created_at)
            elif change.op == "delete":
                self.delete(self.chosen(change.at, change.count))
            else:
                self.move(self.chosen(change.at, change.count), change.to)

    def _position(self, at: Place) -> int:
        """Return where in the collection to insert."""
        order = self.collection.order
        if at == "front":
            return 0
        neighbour = () if at == "back" else self.chosen(at, 1)
        return order.index(neighbour[0]) if neighbour else len(order)

    def _changed(self, kind: str, numbers: Sequence[int]) -> list[object]:
        if numbers:
            self.journal.add(kind, self.visible(numbers), request=self._requests)
        return [self.identifier(number) for number in numbers]


def _whole(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
