"""The stream of changes in a cluster, where it lies apart from the documents: who changed is announced afterwards."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import cast

import redis

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.keys import CacheKeys

DEFAULT_CHANGES_KEPT = 100_000
_CHUNK = 1000


def announce(connection: Connection, ids: Iterable[str], *, keys: CacheKeys, kept: int) -> None:
    """Write into the stream what it does not tell of the customers yet: at least once for each change.

    The guard notes a change beside the document in the step that makes it; the note goes once the stream tells of it.
    What a killed process has noted and not announced, whoever publishes the customer next announces, or else a
    reconciliation; see `unannounced`.

    Raises:
        CacheError: if the stream cannot be written.
    """
    names = list(ids)
    noted = exchange(connection, [("LRANGE", keys.unannounced(name), 0, -1) for name in names])
    notes = [(name, note) for name, of_one in zip(names, noted, strict=True) for note in of_one]
    entry = ("XADD", keys.changes, "MAXLEN", "~", kept, "*")
    exchange(connection, [(*entry, *_fields(name, note)) for name, note in notes])
    exchange(connection, [("LREM", keys.unannounced(name), 1, note) for name, note in notes])


def unannounced(connection: Connection, *, keys: CacheKeys) -> Iterator[list[str]]:
    """Yield whom the stream does not tell of yet, in chunks; on one server nobody.

    The nodes go through all of their keys for it.

    Raises:
        CacheError: if the cache cannot be read.
    """
    if not isinstance(connection, redis.RedisCluster):
        return
    first, end = len(keys.document("").encode()) - 1, len("}:unannounced")
    names = connection.scan_iter(match=keys.notes, count=_CHUNK)
    try:
        while some := list(islice(names, _CHUNK)):
            yield [cast("bytes", name)[first:-end].decode("utf-8", "replace") for name in some]
    except CLIENT_ERRORS as error:
        raise explain(error) from None


def _fields(customer_id: str, note: bytes) -> tuple[str | bytes, ...]:
    kind, version, _ = note.split(b" ")
    return "id", customer_id, "version", version, "kind", kind
