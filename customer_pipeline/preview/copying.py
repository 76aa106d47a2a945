"""Brings what the cache knows of the customers concerned into the copy, each customer once; the cache is only read."""

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.keys import CacheKeys

# Neither looks like a key of the cache contract.
_BROUGHT = "preview brought"
_CHANGED = "preview changed"


class Copy:
    """A part of the cache, on another server, which may be changed.

    Args:
        source: the cache.
        target: an empty server that is no cluster.
        keys: the names of the keys, on both.

    Raises:
        CacheError: if the cache cannot be read.
    """

    def __init__(self, source: Connection, target: Connection, *, keys: CacheKeys) -> None:
        self._source = source
        self._target = target
        self._keys = keys
        # Publication fails on an index or a stream of another type before it writes anything.
        indexes = (keys.by_updated_at, *keys.by_value)
        exchange(source, [*(("ZCARD", index) for index in indexes), ("XLEN", keys.changes)])
        self._bring_keys([keys.coverage])

    def bring(self, ids: list[str]) -> None:
        """Copy the documents and tombstones of those customers, each named once, that were not copied before.

        A tombstone loses its time to live: it outlives the preview either way.

        Raises:
            CacheError: if the cache cannot be read, or one of the keys holds a value of another type.
        """
        new = self._newly(_BROUGHT, ids)
        self._bring_keys([key for name in new for key in (self._keys.document(name), self._keys.tombstone(name))])

    def documents(self, ids: list[str]) -> list[bytes | None]:
        """Return the documents in the copy; None where there is none."""
        return exchange(self._target, [("MGET", *map(self._keys.document, ids))])[0] if ids else []

    def note_changed(self, ids: list[str]) -> list[str]:
        """Remember whose documents have changed in the copy, and return those of whom it was not known."""
        return self._newly(_CHANGED, ids)

    @property
    def customers(self) -> int:
        """How many customers were copied."""
        return self._count(_BROUGHT)

    @property
    def changed(self) -> int:
        """How many customers' documents have changed."""
        return self._count(_CHANGED)

    def _bring_keys(self, keys: list[str]) -> None:
        values = exchange(self._source, [("GET", key) for key in keys])
        exchange(
            self._target,
            [("SET", key, value) for key, value in zip(keys, values, strict=True) if value is not None],
        )

    def _newly(self, remembered: str, ids: list[str]) -> list[str]:
        """Remember different `ids`, and return those that were not remembered before."""
        if not ids:
            return []
        (known,) = exchange(self._target, [("SMISMEMBER", remembered, *ids)])
        new = [name for name, is_known in zip(ids, known, strict=True) if not is_known]
        exchange(self._target, [("SADD", remembered, *new)] if new else [])
        return new

    def _count(self, remembered: str) -> int:
        return int(exchange(self._target, [("SCARD", remembered)])[0])
