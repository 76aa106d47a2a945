"""Cluster mode: keeps the index true to the documents, which live in other slots."""

from collections.abc import Iterable

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import epoch_milliseconds, parse_instant

_UPDATED_AT = (12, 38)
_ATTEMPTS = 100


def bring_in_step(connection: Connection, ids: Iterable[str], *, keys: CacheKeys) -> None:
    """Write into the index what the documents of `ids` say, until they say the same afterwards.

    Whoever changes a document calls this after it. So the last writer of an entry has read the document after
    writing, and two processes that race end right; what a killed process left undone, a replay of its batch does.

    Raises:
        CacheUnavailable: if other processes change the same customers for ever.
    """
    pending = list(ids)
    for _ in range(_ATTEMPTS):
        before = _updated(connection, pending, keys=keys)
        _write(connection, dict(zip(pending, before, strict=True)), keys=keys)
        after = _updated(connection, pending, keys=keys)
        pending = [name for name, was, now in zip(pending, before, after, strict=True) if was != now]
        if not pending:
            return
    raise CacheUnavailable(
        "the same customers are being published without end",
        advice="Look for a second pipeline that publishes under the same prefix.",
    )


def _updated(connection: Connection, ids: list[str], *, keys: CacheKeys) -> list[bytes]:
    """Read each document's `updated_at` as text; empty where there is no document."""
    return exchange(connection, [("GETRANGE", keys.document(name), *_UPDATED_AT) for name in ids])


def _write(connection: Connection, updated: dict[str, bytes], *, keys: CacheKeys) -> None:
    live: list[str | int] = []
    gone: list[str] = []
    for name, text in updated.items():
        try:
            live += [epoch_milliseconds(parse_instant(text.decode())), name]
        except ValueError:
            gone.append(name)
    commands: list[tuple[str | int, ...]] = []
    if live:
        commands.append(("ZADD", keys.by_updated_at, *live))
    if gone:
        commands.append(("ZREM", keys.by_updated_at, *gone))
    exchange(connection, commands)
