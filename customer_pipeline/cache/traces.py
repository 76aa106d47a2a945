"""Where the cache tells of a customer: every key is looked through, and nothing is written."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, cast

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import parse
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain
from customer_pipeline.cache.exchange import Command, exchange
from customer_pipeline.cache.keys import CacheKeys

_BATCH = 1000


def ids(connection: Connection, *, keys: CacheKeys) -> Iterator[list[str]]:
    """Yield every id that a customer's key, an index or the stream names, in lists; an id may come more than once.

    Raises:
        CacheError: if the cache cannot be read.
    """
    start = f"{keys.prefix}:{{"
    for names in _scanned(connection, f"{_quoted(keys.prefix)}:{{*"):
        yield [_without_end(name).removeprefix(start) for name in names]
    yield from _decoded(_members(connection, keys.by_updated_at))
    for index in keys.by_value:
        yield from _decoded(parse(member).id or b"" for member in _members(connection, index))
        yield from _decoded(_fields(connection, keys.register(index)))
    for entries in _changes(connection, keys=keys):
        yield [_text(customer_id) for _, customer_id in entries]


def entries_of(connection: Connection, customer_id: str, *, index: str) -> list[bytes]:
    """Return the entries of an index by e-mail address or telephone number that are a customer's.

    Raises:
        CacheError: if the cache cannot be read.
    """
    own = customer_id.encode()
    found = _members(connection, index, match=f"*\n{_quoted(customer_id)}")
    return [member for some in _batched(found) for member in some if parse(member).id == own]


def changes_of(connection: Connection, customer_id: str, *, keys: CacheKeys) -> list[bytes]:
    """Return where in the stream a customer's changes are told.

    Raises:
        CacheError: if the cache cannot be read.
    """
    own = customer_id.encode()
    return [place for entries in _changes(connection, keys=keys) for place, name in entries if name == own]


def mentions(connection: Connection, holds: Callable[[str], bool], *, keys: CacheKeys) -> list[str]:
    """Return the pipeline's other keys whose name or contents `holds` says to tell of a customer.

    Those are the keys beside the indexes and the stream; whoever adds one need not think of erasure.

    Raises:
        CacheError: if the cache cannot be read.
    """
    found = []
    looked_through = {keys.by_updated_at, *keys.by_value, *map(keys.register, keys.by_value), keys.changes}
    for names in _scanned(connection, f"{_quoted(keys.prefix)}s:*"):
        others = [name for name in names if name not in looked_through]
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
    return _decoded(cast("Iterator[bytes]", connection.scan_iter(match=pattern, count=_BATCH)))


def _members(connection: Connection, key: str, *, match: str | None = None) -> Iterator[bytes]:
    pairs = cast("Iterator[tuple[bytes, float]]", connection.zscan_iter(key, match=match, count=_BATCH))
    return (member for member, _ in pairs)


def _fields(connection: Connection, key: str) -> Iterator[bytes]:
    pairs = cast("Iterator[tuple[bytes, bytes]]", connection.hscan_iter(key, count=_BATCH))
    return (field for field, _ in pairs)


def _changes(connection: Connection, *, keys: CacheKeys) -> Iterator[list[tuple[bytes, bytes]]]:
    """Yield the places in the stream, each with the customer of whom it tells, in lists."""
    after = "-"
    while True:
        (entries,) = exchange(connection, [("XRANGE", keys.changes, after, "+", "COUNT", _BATCH)])
        if not entries:
            return
        yield [(place, fields.get(b"id", b"")) for place, fields in entries]
        after = f"({entries[-1][0].decode()}"


def _decoded(texts: Iterable[bytes]) -> Iterator[list[str]]:
    return ([_text(text) for text in some] for some in _batched(texts))


def _batched(texts: Iterable[bytes]) -> Iterator[list[bytes]]:
    rest = iter(texts)
    try:
        while some := list(islice(rest, _BATCH)):
            yield some
    except CLIENT_ERRORS as error:
        raise explain(error) from None


def _without_end(name: str) -> str:
    for end in ("}:tombstone", "}:unannounced", "}"):
        if name.endswith(end):
            return name.removesuffix(end)
    return name


def _text(value: bytes | str) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value


def _quoted(text: str) -> str:
    """Return a text as a pattern of SCAN that matches it alone."""
    return "".join(f"\\{character}" if character in r"*?[]^\\" else character for character in text)
