"""The publication as it was before the indexes by e-mail address and telephone number and the stream of changes."""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.exchange import Command, Script
from customer_pipeline.cache.publisher import Outcomes, Publisher, batches_of

_GUARD = Script((Path(__file__).parent / "before.lua").read_text(encoding="utf-8"))
_BATCH = 300
_BATCHES_PER_ROUND_TRIP = 8


class ScriptBefore(Publisher):
    """Publishes as now, but by the script as it was."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(connection)
        self._guard = _GUARD

    def _call(self, states: list[State], length_or_token: str, shared: Sequence[str] = ()) -> Command:
        del length_or_token, shared
        keys: list[str | bytes] = [self._keys.by_updated_at]
        scores = " ".join([str(state.updated_ms) for state in states])
        arguments: list[str | bytes | int] = [self._life, self._id_start, scores]
        document_key, tombstone_key = self._keys.document, self._keys.tombstone
        for state in states:
            keys.append(document_key(state.id).encode())
            keys.append(tombstone_key(state.id).encode())
            arguments.append(state.version if state.document is None else state.document)
        return [len(keys), *keys, *arguments]


class Before(ScriptBefore):
    """Publishes as it was: by redis-py's pipelines, and nothing was put together while the server was busy."""

    def publish(self, states: Iterable[State]) -> Outcomes:
        outcomes = Outcomes()
        batches = batches_of(states, _BATCH)
        while some := list(islice(batches, _BATCHES_PER_ROUND_TRIP)):
            calls = [self._call(list(batch.values()), "") for batch in some]
            outcomes += self._outcomes(self._guard.run(self._connection, calls))
        return outcomes
