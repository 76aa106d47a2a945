"""Publishes states of customers; `publish.lua` decides for each whether it is the newest that is known.

The order of states. A state is a live document or a deletion; its version is `(updated_at, fetched_at)`.

- A greater `updated_at` wins, a smaller one is stale.
- The same `updated_at`, both live: if the rest of the document is the same, the state is unchanged, and only a later
  `fetched_at` is moved into the stored version. Otherwise the later fetch wins, and of the same fetch the incoming
  one: a corrected normalization, replayed.
- The same `updated_at`, a document against a tombstone: the later fetch wins, and of the same fetch the incoming one.
- The same `updated_at`, a deletion against a tombstone: unchanged, and a later `fetched_at` is moved into the
  tombstone, whose life starts anew.

`fetched_at` moves although nothing else changed because the result would depend on the order of publication: a record
seen at 1 and at 5 would lose to another state of the same `updated_at` seen at 3, if that one came last.

What holds no version (a document or tombstone that something else wrote) loses to any state.
"""

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice

import redis
from redis.crc import key_slot

from customer_pipeline.cache.building import ensure_built
from customer_pipeline.cache.changes import DEFAULT_CHANGES_KEPT, announce
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import wrong_type
from customer_pipeline.cache.exchange import Command, script
from customer_pipeline.cache.index import bring_in_step
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.tombstones import TOMBSTONE_LIFE, replay_horizon

_LARGEST_BATCH = 1000
_BATCHES_PER_ROUND_TRIP = 4


@dataclass(frozen=True)
class Outcomes:
    """How many states had which outcome; together they are the number of states that were published.

    A batch whose reply was lost is sent again, and counted by the second reply: what the first had applied or deleted
    is then unchanged. Those of erased customers are suppressed: they were not sent.
    """

    applied: int = 0
    unchanged: int = 0
    stale: int = 0
    deleted: int = 0
    suppressed: int = 0

    @property
    def total(self) -> int:
        """How many states were answered for."""
        return self.applied + self.unchanged + self.stale + self.deleted + self.suppressed

    def __add__(self, other: "Outcomes") -> "Outcomes":
        return Outcomes(
            applied=self.applied + other.applied,
            unchanged=self.unchanged + other.unchanged,
            stale=self.stale + other.stale,
            deleted=self.deleted + other.deleted,
            suppressed=self.suppressed + other.suppressed,
        )


class Publisher:
    """Publishes states in batches; a batch is one script, atomic (in a cluster, atomic for each customer).

    Args:
        connection: from `connect`.
        keys: the names of the keys.
        batch_size: states in a script, at most 1000.
        tombstone_ttl: how long a deletion is remembered.
        changes_kept: how many changes the stream tells of, about; older ones are dropped.

    Attributes:
        replay_horizon: for how long after it was fetched a state may be published; what is older could revive a
            customer whose deletion is forgotten. Whoever publishes what was landed keeps to it.

    Raises:
        ValueError: if the batch size is out of its bounds, or no change is to be kept.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        keys: CacheKeys = CacheKeys(),  # noqa: B008 -- frozen
        batch_size: int = 300,
        tombstone_ttl: timedelta = TOMBSTONE_LIFE,
        changes_kept: int = DEFAULT_CHANGES_KEPT,
    ) -> None:
        if not 1 <= batch_size <= _LARGEST_BATCH:
            raise ValueError(f"batch_size is between 1 and {_LARGEST_BATCH}, not {batch_size}")
        if changes_kept < 1:
            raise ValueError(f"changes_kept is at least 1, not {changes_kept}")
        self._connection = connection
        self._keys = keys
        self._batch_size = batch_size
        self._changes_kept = changes_kept
        self._life = tombstone_ttl // timedelta(milliseconds=1)
        self.replay_horizon = replay_horizon(tombstone_ttl)
        self._id_start = len(keys.document("").encode())
        self._guard = script("entries.lua", "publish.lua")
        self._is_built = False
        self._is_cluster = isinstance(connection, redis.RedisCluster)

    def publish(self, states: Iterable[State]) -> Outcomes:
        """Publish `states` and return when the server has acknowledged every batch.

        Publishing again, or in another order, or in two processes at once, ends in the same keys and values. An
        error leaves a part of the states published.

        Raises:
            CacheUnavailable: if the cache cannot take the states at present.
            CacheRejected: if it refuses them.
        """
        outcomes = Outcomes()
        round_trips = self._round_trips(states)
        # The next batches are put together while the server is busy with those before.
        with ThreadPoolExecutor(1, thread_name_prefix="publication") as preparing:
            prepared = preparing.submit(next, round_trips, None)
            while send := prepared.result():
                prepared = preparing.submit(next, round_trips, None)
                outcomes += send()
        if outcomes.total and not self._is_built:
            ensure_built(self._connection, keys=self._keys)
            self._is_built = True
        return outcomes

    def announce(self, ids: Iterable[str]) -> None:
        """Write into the stream what it does not tell of those customers yet; on one server it tells of all.

        Raises:
            CacheError: if the stream cannot be written.
        """
        announce(self._connection, ids, keys=self._keys, kept=self._changes_kept)

    def _round_trips(self, states: Iterable[State]) -> Iterator[Callable[[], Outcomes]]:
        batches = batches_of(states, self._batch_size)
        while some := list(islice(batches, _BATCHES_PER_ROUND_TRIP)):
            if isinstance(self._connection, redis.RedisCluster):
                yield partial(self._publish_to_cluster, some)
            else:
                yield self._prepared(self._connection, some)

    def _prepared(self, client: redis.Redis, batches: list[dict[str, State]]) -> Callable[[], Outcomes]:
        keys, length = self._keys, str(self._changes_kept)
        shared = [keys.by_updated_at, keys.by_email, keys.by_phone, keys.changes]
        calls = [self._call(list(batch.values()), length, shared) for batch in batches]
        wire = self._guard.pack(calls)
        return lambda: self._outcomes(self._guard.run_packed(client, wire, calls))

    def _publish_to_cluster(self, batches: list[dict[str, State]]) -> Outcomes:
        outcomes = Outcomes()
        for batch in batches:
            slots: dict[int, list[State]] = {}
            for state in batch.values():
                slots.setdefault(key_slot(self._keys.document(state.id).encode()), []).append(state)
            token = secrets.token_hex(8)
            calls = [self._call(of_slot, token) for of_slot in slots.values()]
            outcomes += self._outcomes(self._guard.run(self._connection, calls))
            bring_in_step(self._connection, batch, keys=self._keys)
            self.announce(batch)
        return outcomes

    def _call(self, states: list[State], length_or_token: str, shared: Sequence[str] = ()) -> Command:
        keys: list[str | bytes] = list(shared)
        scores = " ".join([str(state.updated_ms) for state in states])
        arguments: list[str | bytes | int] = [len(shared), self._life, self._id_start, length_or_token, scores]
        document_key, tombstone_key = self._keys.document, self._keys.tombstone
        for state in states:
            keys.append(document_key(state.id).encode())
            keys.append(tombstone_key(state.id).encode())
            arguments.append(state.version if state.document is None else state.document)
        if self._is_cluster:
            keys += [self._keys.unannounced(state.id) for state in states]
        return [len(keys), *keys, *arguments]

    def _outcomes(self, replies: list[bytes]) -> Outcomes:
        letters = b"".join(replies)
        if b"D" in letters:
            raise wrong_type(self._keys.document("<id>"))
        if b"T" in letters:
            raise wrong_type(self._keys.tombstone("<id>"))
        return Outcomes(
            applied=letters.count(b"a"),
            unchanged=letters.count(b"u"),
            stale=letters.count(b"s"),
            deleted=letters.count(b"d"),
        )


def batches_of(states: Iterable[State], size: int) -> Iterator[dict[str, State]]:
    """Cut `states` into batches of different customers: a second state of one starts the next batch."""
    batch: dict[str, State] = {}
    for state in states:
        if len(batch) == size or state.id in batch:
            yield batch
            batch = {}
        batch[state.id] = state
    if batch:
        yield batch
