"""States to publish, and what the cache holds in the end."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

import orjson

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import epoch_milliseconds, format_instant

START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
KEYS = CacheKeys()


def instant(number: int) -> datetime:
    """Instants some milliseconds apart whose text has all kinds of digits."""
    return START + timedelta(milliseconds=number * 1234, microseconds=number)


def version(updated: int, fetched: int) -> str:
    return f"{format_instant(instant(updated))}/{format_instant(instant(fetched))}"


def document(name: str, updated: int, fetched: int, content: object = "same") -> bytes:
    return orjson.dumps({"version": version(updated, fetched), "id": name, "name": content})


def live(name: str, updated: int, fetched: int, content: object = "same") -> State:
    return State(
        name, version(updated, fetched), epoch_milliseconds(instant(updated)), document(name, updated, fetched, content)
    )


def deletion(name: str, updated: int, fetched: int) -> State:
    return State(name, version(updated, fetched), epoch_milliseconds(instant(updated)), None)


@dataclass(frozen=True)
class Contents:
    """Every key under the prefix but coverage and freshness, byte for byte."""

    values: dict[str, bytes]
    index: dict[str, float]


def contents(connection: Connection) -> Contents:
    """Read all of it; a document with a life, or a tombstone without one, is refused here."""
    values: dict[str, bytes] = {}
    index: dict[str, float] = {}
    for raw in connection.scan_iter(match="customer*", count=1000):
        key = cast("bytes", raw).decode()
        if key == KEYS.by_updated_at:
            scored = cast("list[tuple[bytes, float]]", connection.zrange(key, 0, -1, withscores=True))
            index = {member.decode(): score for member, score in scored}
        elif key not in (KEYS.coverage, KEYS.freshness):
            values[key] = cast("bytes", connection.get(key))
            has_life = connection.pttl(key) >= 0
            assert has_life == key.endswith(":tombstone"), key
    return Contents(values, index)


def expected(states: Iterable[State]) -> Contents:
    """The newest state of each customer by `(updated_at, fetched_at)`: the whole order, told without the guard."""
    newest: dict[str, State] = {}
    for state in states:
        known = newest.get(state.id)
        if known is None or state.version > known.version:
            newest[state.id] = state
    return Contents(
        {
            KEYS.tombstone(name) if state.document is None else KEYS.document(name): (
                state.version.encode() if state.document is None else state.document
            )
            for name, state in newest.items()
        },
        {name: float(state.updated_ms) for name, state in newest.items() if state.document is not None},
    )
