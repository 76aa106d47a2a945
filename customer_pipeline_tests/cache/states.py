"""States to publish, and what the cache holds in the end."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast
from zlib import crc32

import orjson
import redis

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
    """Its e-mail address and telephone number follow from the content: some share one, some have none."""
    number = crc32(str(content).encode())
    email = f'"{number % 7}"@example.com' if number % 3 else None
    phone = f"+4144{number % 11:07}" if number % 5 else None
    return orjson.dumps(
        {"version": version(updated, fetched), "id": name, "email": email, "phone": phone, "name": content}
    )


def live(name: str, updated: int, fetched: int, content: object = "same") -> State:
    return State(
        name, version(updated, fetched), epoch_milliseconds(instant(updated)), document(name, updated, fetched, content)
    )


def customer(name: str, updated: int, *, email: str | None = None, phone: str | None = None) -> State:
    text = {"version": version(updated, 1), "id": name, "email": email, "phone": phone, "name": None}
    return State(name, version(updated, 1), epoch_milliseconds(instant(updated)), orjson.dumps(text))


def deletion(name: str, updated: int, fetched: int) -> State:
    return State(name, version(updated, fetched), epoch_milliseconds(instant(updated)), None)


Entries = frozenset[tuple[str, bytes]]


@dataclass(frozen=True)
class Contents:
    """Every key under the prefix but coverage, freshness and the stream, byte for byte.

    Entries of the indexes by e-mail address and telephone number are an id and the JSON text of the value.
    """

    values: dict[str, bytes]
    index: dict[str, float]
    by_email: Entries = field(default_factory=frozenset)
    by_phone: Entries = field(default_factory=frozenset)


class Told(NamedTuple):
    """An entry of the stream."""

    id: str
    version: str
    kind: str


def contents(connection: Connection) -> Contents:
    """Read all of it; a document with a life, or a tombstone without one, is refused here."""
    values: dict[str, bytes] = {}
    apart = {KEYS.coverage, KEYS.freshness, KEYS.changes, KEYS.indexed, KEYS.by_updated_at, *KEYS.by_value}
    for raw in connection.scan_iter(match="customer*", count=1000):
        key = cast("bytes", raw).decode()
        if key not in apart and key not in map(KEYS.register, KEYS.by_value):
            values[key] = cast("bytes", connection.get(key))
            has_life = connection.pttl(key) >= 0
            assert has_life == key.endswith(":tombstone"), key
    scored = cast("list[tuple[bytes, float]]", connection.zrange(KEYS.by_updated_at, 0, -1, withscores=True))
    index = {member.decode(): score for member, score in scored}
    return Contents(values, index, *(_entries(connection, key) for key in KEYS.by_value))


def members(connection: Connection, index: str) -> list[bytes]:
    """Every member of an index by e-mail address or telephone number; all scores are 0."""
    scored = cast("list[tuple[bytes, float]]", connection.zrange(index, 0, -1, withscores=True))
    assert {score for _, score in scored} <= {0.0}
    return [member for member, _ in scored]


def _entries(connection: Connection, index: str) -> Entries:
    """Read an index; in a cluster its register has to say the same."""
    parts = [member.partition(b"\n") for member in members(connection, index)]
    found = frozenset((customer_id.decode(), value) for value, _, customer_id in parts)
    if isinstance(connection, redis.RedisCluster):
        register = cast("dict[bytes, bytes]", connection.hgetall(KEYS.register(index)))
        assert found == {(customer_id.decode(), value) for customer_id, value in register.items()}
    return found


def told(connection: Connection) -> list[Told]:
    """Read the stream, oldest first."""
    entries = cast("list[tuple[bytes, dict[bytes, bytes]]]", connection.xrange(KEYS.changes))
    assert all(list(fields) == [b"id", b"version", b"kind"] for _, fields in entries)
    return [Told(*(value.decode() for value in fields.values())) for _, fields in entries]


def expected(states: Iterable[State]) -> Contents:
    """The newest state of each customer by `(updated_at, fetched_at)`: the whole order, told without the guard."""
    known = newest(states)
    documents = {name: state.document for name, state in known.items() if state.document is not None}
    gone = {name: state for name, state in known.items() if state.document is None}
    return Contents(
        {KEYS.document(name): document for name, document in documents.items()}
        | {KEYS.tombstone(name): state.version.encode() for name, state in gone.items()},
        {name: float(known[name].updated_ms) for name in documents},
        *(entries_of(documents, member) for member in ("email", "phone")),
    )


def newest(states: Iterable[State]) -> dict[str, State]:
    found: dict[str, State] = {}
    for state in states:
        known = found.get(state.id)
        if known is None or state.version > known.version:
            found[state.id] = state
    return found


def entries_of(documents: Mapping[str, bytes], member: str) -> Entries:
    """The entries of documents by id, told by parsing them."""
    values = {name: orjson.loads(document)[member] for name, document in documents.items()}
    return frozenset((name, orjson.dumps(value)[1:-1]) for name, value in values.items() if value is not None)
