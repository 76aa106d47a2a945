"""Removes a customer from the cache as if it had never been there, and looks whether any key still tells of it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, cast

import redis

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain
from customer_pipeline.cache.exchange import Command, Script, exchange
from customer_pipeline.cache.index import bring_in_step
from customer_pipeline.cache.keys import CacheKeys

_BATCH = 1000
_REMOVE = Script("""
local removed = {redis.call('DEL', KEYS[1]), redis.call('DEL', KEYS[2]), 0}
if KEYS[3] then removed[3] = redis.call('ZREM', KEYS[3], ARGV[1]) end
return removed
""")


@dataclass(frozen=True, kw_only=True, slots=True)
class Removed:
    """What there was of a customer, and is no more."""

    documents: int = 0
    tombstones: int = 0
    index_entries: int = 0

    @property
    def total(self) -> int:
        """How many traces were removed."""
        return self.documents + self.tombstones + self.index_entries


def remove(connection: Connection, customer_id: str, *, keys: CacheKeys) -> Removed:
    """Remove a customer's document, tombstone and entry in the index.

    On one server that is one step. In a cluster the index lies in another slot: it is brought in step afterwards, as
    after a publication, and a process that dies in between is made up for by the repetition.

    Raises:
        CacheError: if the cache cannot be written.
    """
    own = (keys.document(customer_id), keys.tombstone(customer_id))
    if not isinstance(connection, redis.RedisCluster):
        ((document, tombstone, entry),) = _REMOVE.run(connection, [(3, *own, keys.by_updated_at, customer_id)])
        return Removed(documents=document, tombstones=tombstone, index_entries=entry)
    (score,) = exchange(connection, [("ZSCORE", keys.by_updated_at, customer_id)])
    ((document, tombstone, _),) = _REMOVE.run(connection, [(2, *own, customer_id)])
    bring_in_step(connection, [customer_id], keys=keys)
    return Removed(documents=document, tombstones=tombstone, index_entries=int(score is not None))


def ids(connection: Connection, *, keys: CacheKeys) -> Iterator[list[str]]:
    """Yield every id that a document, a tombstone or the index names, in lists; an id may come more than once.

    Raises:
        CacheError: if the cache cannot be read.
    """
    start, tombstone = f"{keys.prefix}:{{", "}:tombstone"
    for names in _scanned(connection, f"{_quoted(keys.prefix)}:{{*"):
        # One end alone: an id may end in a brace itself.
        ends = (tombstone if name.endswith(tombstone) else "}" for name in names)
        yield [name.removesuffix(end).removeprefix(start) for name, end in zip(names, ends, strict=True)]
    yield from _members(connection, keys.by_updated_at)


def mentions(connection: Connection, holds: Callable[[str], bool], *, keys: CacheKeys) -> list[str]:
    """Return the pipeline's other keys whose name or contents `holds` says to tell of a customer.

    Those are the keys beside the index; whoever adds one need not think of erasure.

    Raises:
        CacheError: if the cache cannot be read.
    """
    found = []
    for names in _scanned(connection, f"{_quoted(keys.prefix)}s:*"):
        others = [name for name in names if name != keys.by_updated_at]
        kinds = exchange(connection, [("TYPE", name) for name in others])
        for name, kind in zip(others, kinds, strict=True):
            if holds(name) or any(map(holds, _contents(connection, name, kind=_text(kind)))):
                found.append(name)
    return sorted(set(found))


def _contents(connection: Connection, name: str, *, kind: str) -> Iterator[str]:
    read: dict[str, list[Command]] = {
        "string": [("GET", name)],
        "hash": [("HGETALL", name)],
        "set": [("SMEMBERS", name)],
        "list": [("LRANGE", name, 0, -1)],
        "zset": [("ZRANGE", name, 0, -1)],
        "stream": [("XRANGE", name, "-", "+")],
    }
    for reply in exchange(connection, read.get(kind, [])):
        yield from _flat(reply)


def _flat(reply: Any) -> Iterator[str]:
    if isinstance(reply, dict):
        reply = [*reply.keys(), *reply.values()]
    if isinstance(reply, (list, tuple, set)):
        for part in reply:
            yield from _flat(part)
    elif isinstance(reply, bytes | str):
        yield _text(reply)


def _scanned(connection: Connection, pattern: str) -> Iterator[list[str]]:
    with_keys = cast("Iterator[bytes]", connection.scan_iter(match=pattern, count=_BATCH))
    return _decoded(with_keys)


def _members(connection: Connection, key: str) -> Iterator[list[str]]:
    pairs = cast("Iterator[tuple[bytes, float]]", connection.zscan_iter(key, count=_BATCH))
    return _decoded(member for member, _ in pairs)


def _decoded(texts: Iterator[bytes]) -> Iterator[list[str]]:
    try:
        while some := [_text(text) for text in islice(texts, _BATCH)]:
            yield some
    except CLIENT_ERRORS as error:
        raise explain(error) from None


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _quoted(prefix: str) -> str:
    """Return a prefix as a pattern of SCAN that matches it alone."""
    return "".join(f"\\{character}" if character in r"*?[]^\\" else character for character in prefix)
