"""Removes a customer from the cache as if it had never been there."""

from dataclasses import dataclass

import redis

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.exchange import Command, exchange, script
from customer_pipeline.cache.index import bring_in_step
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.traces import changes_of, entries_of

_BATCH = 1000
# KEYS document, tombstone, what is not announced, and on one server the three indexes. ARGV the id.
_REMOVE = """
local call = redis.call
local document = call('MGET', KEYS[1])[1]
local removed = {call('DEL', KEYS[1]), call('DEL', KEYS[2]), call('DEL', KEYS[3]), 0}
if KEYS[4] then
  local said = {values(document or '')}
  removed[4] = call('ZREM', KEYS[4], ARGV[1])
  for i = 1, 2 do
    if said[i] then removed[4] = removed[4] + call('ZREM', KEYS[4 + i], said[i] .. '\\n' .. ARGV[1]) end
  end
end
return removed
"""


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

    On one server the document goes in one step with the tombstone and the entries that it says. In a cluster the
    indexes lie in other slots: they are brought in step afterwards, as after a publication. Then goes what was found
    by looking the indexes and the stream through. A process that dies in between is made up for by the repetition.

    Raises:
        CacheError: if the cache cannot be written.
    """
    found = {index: entries_of(connection, customer_id, index=index) for index in keys.by_value}
    told = changes_of(connection, customer_id, keys=keys)
    own = (keys.document(customer_id), keys.tombstone(customer_id), keys.unannounced(customer_id))
    guard = script("entries.lua", body=_REMOVE)
    if isinstance(connection, redis.RedisCluster):
        (score,) = exchange(connection, [("ZSCORE", keys.by_updated_at, customer_id)])
        ((documents, tombstones, untold, _),) = guard.run(connection, [(3, *own, customer_id)])
        bring_in_step(connection, [customer_id], keys=keys)
        entries = int(score is not None) + sum(map(len, found.values()))
        _take_out(connection, found, command="ZREM")
    else:
        indexes = (keys.by_updated_at, *keys.by_value)
        ((documents, tombstones, untold, entries),) = guard.run(connection, [(6, *own, *indexes, customer_id)])
        entries += _take_out(connection, found, command="ZREM")
    changes = untold + _take_out(connection, {keys.changes: told}, command="XDEL")
    return Removed(documents=documents, tombstones=tombstones, index_entries=entries, changes=changes)


def _take_out(connection: Connection, found: dict[str, list[bytes]], *, command: str) -> int:
    """Take members out of their keys; return how many were there."""
    commands: list[Command] = [
        (command, key, *members[first : first + _BATCH])
        for key, members in found.items()
        for first in range(0, len(members), _BATCH)
    ]
    return sum(exchange(connection, commands))
