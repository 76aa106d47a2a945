"""Removes a customer from the cache as if it had never been there."""

from dataclasses import dataclass

import redis

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.exchange import Command, Script, exchange
from customer_pipeline.cache.index import bring_in_step
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.traces import changes_of, entries_of

_BATCH = 1000
# KEYS document, tombstone, what is not announced, and on one server the index by updated_at. ARGV the id.
_REMOVE = Script("""
local removed = {}
for i = 1, 3 do removed[i] = redis.call('DEL', KEYS[i]) end
removed[4] = KEYS[4] and redis.call('ZREM', KEYS[4], ARGV[1]) or 0
return removed
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What there was of a customer, and is no more.

    Attributes:
        documents: how many documents.
        tombstones: how many tombstones.
        index_entries: how many entries of the three indexes.
        changes: how many entries of the stream, told or still to be told.
    """

    documents: int = 0
    tombstones: int = 0
    index_entries: int = 0
    changes: int = 0

    @property
    def total(self) -> int:
        """How many traces were removed."""
        return self.documents + self.tombstones + self.index_entries + self.changes


def remove(connection: Connection, customer_id: str, *, keys: CacheKeys) -> Removed:
    """Remove a customer's document, tombstone, entries in the indexes and entries in the stream.

    On one server document, tombstone and entry by `updated_at` go in one step. In a cluster the indexes lie in other
    slots: they are brought in step afterwards, as after a publication. Then goes what was found by looking through the
    other indexes and the stream. A process that dies in between is made up for by the repetition.

    Raises:
        CacheError: if the cache cannot be written.
    """
    entries = {index: entries_of(connection, customer_id, index=index) for index in keys.by_value}
    told = changes_of(connection, customer_id, keys=keys)
    own = (keys.document(customer_id), keys.tombstone(customer_id), keys.unannounced(customer_id))
    if isinstance(connection, redis.RedisCluster):
        (score,) = exchange(connection, [("ZSCORE", keys.by_updated_at, customer_id)])
        ((documents, tombstones, untold, _),) = _REMOVE.run(connection, [(3, *own, customer_id)])
        bring_in_step(connection, [customer_id], keys=keys)
        listed = int(score is not None)
    else:
        removed = _REMOVE.run(connection, [(4, *own, keys.by_updated_at, customer_id)])
        ((documents, tombstones, untold, listed),) = removed
    _take_out(connection, entries, command="ZREM")
    _take_out(connection, {keys.changes: told}, command="XDEL")
    return Removed(
        documents=documents,
        tombstones=tombstones,
        index_entries=listed + sum(map(len, entries.values())),
        changes=untold + len(told),
    )


def _take_out(connection: Connection, found: dict[str, list[bytes]], *, command: str) -> None:
    commands: list[Command] = [
        (command, key, *members[first : first + _BATCH])
        for key, members in found.items()
        for first in range(0, len(members), _BATCH)
    ]
    exchange(connection, commands)
