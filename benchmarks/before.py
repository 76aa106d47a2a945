"""The publication as it was before the indexes by e-mail address and telephone number and the stream of changes."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.exchange import Command, Script
from customer_pipeline.cache.publisher import Outcomes, Publisher, batches_of

_GUARD = Script((Path(__file__).parent / "before.lua").read_text(encoding="utf-8"))
_BATCH = 300


class ScriptBefore(Publisher):
    """Publishes as now, but by the script as it was."""

    batches_per_round_trip = 4

    def _round_trips(self, states: Iterable[State]) -> Iterator[Callable[[], Outcomes]]:
        batches = batches_of(states, _BATCH)
        while some := list(islice(batches, self.batches_per_round_trip)):
            yield partial(self._send, [self._call_before(list(batch.values())) for batch in some])

    def _call_before(self, states: list[State]) -> Command:
        keys: list[str | bytes] = [self._keys.by_updated_at]
        scores = " ".join([str(state.updated_ms) for state in states])
        arguments: list[str | bytes | int] = [self._life, self._id_start, scores]
        document_key, tombstone_key = self._keys.document, self._keys.tombstone
        for state in states:
            keys.append(document_key(state.id).encode())
            keys.append(tombstone_key(state.id).encode())
            arguments.append(state.version if state.document is None else state.document)
        return [len(keys), *keys, *arguments]

    def _send(self, calls: list[Command]) -> Outcomes:
        letters = b"".join(_GUARD.run(self._connection, calls))
        return Outcomes(applied=letters.count(b"a"), unchanged=letters.count(b"u"))


class Before(ScriptBefore):
    """Publishes as it was: nothing was put together while the server was busy."""

    batches_per_round_trip = 8

    def publish(self, states: Iterable[State]) -> Outcomes:
        return sum((send() for send in self._round_trips(states)), Outcomes())
