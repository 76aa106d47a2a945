"""Keeps the indexes true to the documents where the guard cannot: in a cluster, and after something else wrote.

A cluster has the indexes in other slots than the documents.
Those by e-mail address and telephone number each have a register beside them, in their slot: by customer, the value
under which the index has the customer. So it is known which entry to take out although the document has changed since.
On one server the guard knows the old document, and there is no register.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import redis

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import Entry, Values, values_of
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.exchange import Command, exchange, script
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import epoch_milliseconds, parse_instant

_UPDATED_AT = slice(12, 39)
_ATTEMPTS = 100

# KEYS the indexes by e-mail address and telephone number, then documents. ARGV the position of the id in a key.
_FILL = """
local entries = {{}, {}}
local function add(i, value, key)
  if value then
    table.insert(entries[i], '0')
    table.insert(entries[i], value .. '\\n' .. sub(key, tonumber(ARGV[1]), -2))
  end
end
for i, document in ipairs(redis.call('MGET', unpack(KEYS, 3))) do
  if document then
    local email, phone = values(document)
    add(1, email, KEYS[i + 2])
    add(2, phone, KEYS[i + 2])
  end
end
for i = 1, 2 do
  if #entries[i] > 0 then redis.call('ZADD', KEYS[i], unpack(entries[i])) end
end
return 1
"""
# KEYS an index, then documents. ARGV 1 or 2, then for each document an entry's value and the entry.
_DROP = """
local dropped = 0
for i, document in ipairs(redis.call('MGET', unpack(KEYS, 2))) do
  local said = {values(document or '')}
  if said[tonumber(ARGV[1])] ~= ARGV[2 * i] then
    dropped = dropped + redis.call('ZREM', KEYS[1], ARGV[2 * i + 1])
  end
end
return dropped
"""
# KEYS an index and its register. ARGV ids, each followed by the value of the document, or nothing.
_SETTLE = """
for i = 1, #ARGV, 2 do
  local id, value = ARGV[i], ARGV[i + 1]
  local known = redis.call('HGET', KEYS[2], id)
  if known and known ~= value then redis.call('ZREM', KEYS[1], known .. '\\n' .. id) end
  if value ~= '' then
    redis.call('ZADD', KEYS[1], 0, value .. '\\n' .. id)
    redis.call('HSET', KEYS[2], id, value)
  elseif known then
    redis.call('HDEL', KEYS[2], id)
  end
end
return 1
"""
# KEYS an index and its register. ARGV ids, each followed by an entry's value and the entry.
_DROP_UNREGISTERED = """
for i = 1, #ARGV, 3 do
  if redis.call('HGET', KEYS[2], ARGV[i]) ~= ARGV[i + 1] then redis.call('ZREM', KEYS[1], ARGV[i + 2]) end
end
return 1
"""


class _Said(NamedTuple):
    """What a document says of its entries."""

    updated_at: bytes
    values: Values


def bring_in_step(connection: Connection, ids: Iterable[str], *, keys: CacheKeys) -> None:
    """Write into the indexes what the documents of `ids` say, until they say the same afterwards.

    In a cluster whoever changes a document calls this after it. So the last writer of an entry has read the document
    after writing, and two processes that race end right; what a killed process left undone, a replay of its batch does.

    Raises:
        CacheUnavailable: if other processes change the same customers for ever.
    """
    pending = list(ids)
    for _ in range(_ATTEMPTS):
        before = _said(connection, pending, keys=keys)
        _write(connection, dict(zip(pending, before, strict=True)), keys=keys)
        after = _said(connection, pending, keys=keys)
        pending = [name for name, was, now in zip(pending, before, after, strict=True) if was != now]
        if not pending:
            return
    raise CacheUnavailable(
        "the same customers are being published without end",
        advice="Look for a second pipeline that publishes under the same prefix.",
    )


def drop(connection: Connection, entries: Sequence[Entry], *, index: str, keys: CacheKeys) -> None:
    """Take those of `entries` out of `index` that the documents do not say, whatever is published meanwhile.

    Raises:
        CacheError: if the cache cannot be written.
    """
    if not entries:
        return
    names = [entry.name for entry in entries]
    if isinstance(connection, redis.RedisCluster):
        looked_for = [part for entry in entries for part in (entry.id or b"", entry.value, bytes(entry))]
        script(body=_DROP_UNREGISTERED).run(connection, [(2, index, keys.register(index), *looked_for)])
        bring_in_step(connection, names, keys=keys)
        return
    position = keys.by_value.index(index) + 1
    looked_for = [part for entry in entries for part in (entry.value, bytes(entry))]
    call: Command = (1 + len(entries), index, *map(keys.document, names), position, *looked_for)
    script("entries.lua", body=_DROP).run(connection, [call])


def _said(connection: Connection, ids: list[str], *, keys: CacheKeys) -> list[_Said]:
    documents = exchange(connection, [("GET", keys.document(name)) for name in ids])
    return [_Said((document or b"")[_UPDATED_AT], values_of(document)) for document in documents]


def _write(connection: Connection, said: dict[str, _Said], *, keys: CacheKeys) -> None:
    live: list[str | int] = []
    gone: list[str] = []
    for name, of_one in said.items():
        try:
            live += [epoch_milliseconds(parse_instant(of_one.updated_at.decode())), name]
        except ValueError:
            gone.append(name)
    commands: list[Command] = []
    if live:
        commands.append(("ZADD", keys.by_updated_at, *live))
    if gone:
        commands.append(("ZREM", keys.by_updated_at, *gone))
    exchange(connection, commands)
    if said:
        _write_values(connection, said, keys=keys)


def _write_values(connection: Connection, said: dict[str, _Said], *, keys: CacheKeys) -> None:
    if not isinstance(connection, redis.RedisCluster):
        documents = [*map(keys.document, said)]
        id_start = len(keys.document("").encode())
        script("entries.lua", body=_FILL).run(connection, [(2 + len(documents), *keys.by_value, *documents, id_start)])
        return
    calls: list[Command] = []
    for position, index in enumerate(keys.by_value):
        values = [part for name, of_one in said.items() for part in (name, of_one.values[position] or b"")]
        calls.append((2, index, keys.register(index), *values))
    script(body=_SETTLE).run(connection, calls)
