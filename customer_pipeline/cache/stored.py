"""What the cache holds of customers: read in batches, and their versions without parsing a document."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple, cast

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import Entry, parse, values_of
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain, not_utf8
from customer_pipeline.cache.exchange import Command, exchange
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import CONTRACT_LENGTH, parse_instant

_HEAD = b'{"version":"'
VERSION_LENGTH = 2 * CONTRACT_LENGTH + 1
_CHUNK = 1000


class Version(NamedTuple):
    """What orders the states of a customer; the texts compare as the instants do."""

    updated_at: str
    fetched_at: str

    def __str__(self) -> str:
        return f"{self.updated_at}/{self.fetched_at}"


class Stored(NamedTuple):
    """What the cache holds of one customer.

    Attributes:
        document: the document; None where there is none.
        tombstone: the version at which the customer was deleted; None where that is not known.
        score: in the index, in epoch milliseconds; None where the index does not hold the customer.
        is_found: whether the indexes hold the customer under the e-mail address and telephone number of a state; see
            `read_beside`.
    """

    document: bytes | None
    tombstone: bytes | None
    score: float | None
    is_found: bool = True


def version_of(text: str | bytes) -> Version | None:
    """Return the version that a tombstone holds; None for what the pipeline did not write."""
    decoded = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    updated_at, _, fetched_at = decoded.partition("/")
    try:
        parse_instant(updated_at)
        parse_instant(fetched_at)
    except ValueError:
        return None
    return Version(updated_at, fetched_at)


def version_of_document(document: bytes) -> Version | None:
    """Return the version of a document, or of its beginning; None for what the pipeline did not write."""
    start = len(_HEAD)
    return version_of(document[start : start + VERSION_LENGTH]) if document.startswith(_HEAD) else None


def content_of(document: bytes) -> bytes:
    """Return a document without its version."""
    return document[len(_HEAD) + VERSION_LENGTH :]


def read(connection: Connection, ids: Sequence[str], *, keys: CacheKeys) -> list[Stored]:
    """Return what the cache holds of each customer, in one round trip (in a cluster, one for each node).

    Raises:
        CacheError: if it cannot be read.
    """
    return _stored(exchange(connection, _reading(ids, keys=keys))) if ids else []


def read_beside(connection: Connection, states: Sequence[State], *, keys: CacheKeys) -> list[Stored]:
    """Return what the cache holds of the customer of each state, and whether the indexes say what the state says.

    Raises:
        CacheError: if it cannot be read.
    """
    if not states:
        return []
    values = [values_of(state.document) for state in states]
    emails, phones, *found = exchange(
        connection,
        [
            ("ZMSCORE", keys.by_email, *map(_entry, states, (said.email for said in values))),
            ("ZMSCORE", keys.by_phone, *map(_entry, states, (said.phone for said in values))),
            *_reading([state.id for state in states], keys=keys),
        ],
    )
    return [
        held._replace(is_found=not (said.email and email is None) and not (said.phone and phone is None))
        for held, said, email, phone in zip(_stored(found), values, emails, phones, strict=True)
    ]


def _entry(state: State, value: bytes | None) -> bytes:
    return bytes(Entry(value or b"", state.id.encode()))


def _reading(ids: Sequence[str], *, keys: CacheKeys) -> list[Command]:
    pairs = [("MGET", keys.document(customer_id), keys.tombstone(customer_id)) for customer_id in ids]
    return [("ZMSCORE", keys.by_updated_at, *ids), *pairs]


def _stored(replies: list[Any]) -> list[Stored]:
    scores, *found = replies
    return [
        Stored(document, tombstone, None if score is None else float(score))
        for (document, tombstone), score in zip(found, scores, strict=True)
    ]


def read_versions(connection: Connection, ids: Sequence[str], *, keys: CacheKeys) -> list[Version | None]:
    """Return the version of each customer's document; None where there is no document of this pipeline.

    Raises:
        CacheError: if it cannot be read.
    """
    last = len(_HEAD) + VERSION_LENGTH - 1
    heads = exchange(connection, [("GETRANGE", keys.document(customer_id), 0, last) for customer_id in ids])
    return [version_of_document(head) for head in heads]


def count(connection: Connection, *, keys: CacheKeys) -> int:
    """Return how many customers the index holds.

    Raises:
        CacheError: if it cannot be read.
    """
    (number,) = exchange(connection, [("ZCARD", keys.by_updated_at)])
    return int(number)


def scan_index(connection: Connection, *, keys: CacheKeys) -> Iterator[list[str]]:
    """Yield the ids that the index holds, in chunks.

    Whoever is in it from beginning to end comes, perhaps twice; whoever comes or goes meanwhile may come.

    Raises:
        CacheError: if it cannot be read, or an id is not UTF-8.
    """
    for members in _scanned(connection, keys.by_updated_at):
        yield [_text_of(member, f"the member {member!r} of {keys.by_updated_at}") for member in members]


def scan_entries(connection: Connection, index: str) -> Iterator[list[Entry]]:
    """Yield the entries of an index by e-mail address or telephone number, in chunks; see `scan_index`.

    Raises:
        CacheError: if it cannot be read.
    """
    for members in _scanned(connection, index):
        yield [parse(member) for member in members]


def false_entries(connection: Connection, entries: Sequence[Entry], *, index: str, keys: CacheKeys) -> list[Entry]:
    """Return those of `entries` of `index` that the customers' documents do not say.

    Raises:
        CacheError: if it cannot be read.
    """
    position = keys.by_value.index(index)
    documents = exchange(connection, [("GET", keys.document(entry.name)) for entry in entries])
    said = [values_of(document)[position] for document in documents]
    suspects = [entry for entry, value in zip(entries, said, strict=True) if value != entry.value]
    if not suspects:
        return []
    # Whoever has just changed the document has taken the entry out.
    (scores,) = exchange(connection, [("ZMSCORE", index, *map(bytes, suspects))])
    return [entry for entry, score in zip(suspects, scores, strict=True) if score is not None]


def scan_documents(connection: Connection, *, keys: CacheKeys) -> Iterator[list[str]]:
    """Yield the ids that have a document, in chunks, whether or not the index knows of them; see `scan_index`.

    The server goes through all of its keys for it.

    Raises:
        CacheError: if it cannot be read, or an id is not UTF-8.
    """
    for chunk in scan_names(connection, keys=keys):
        yield [_text_of(name, f"the key {keys.document('').encode()[:-1] + name + b'}'!r}") for name in chunk]


def scan_names(connection: Connection, *, keys: CacheKeys) -> Iterator[list[bytes]]:
    """Yield the ids that have a document as the bytes that stand in their keys, in chunks; see `scan_documents`.

    Raises:
        CacheError: if it cannot be read.
    """
    first = len(keys.document("").encode()) - 1
    found = connection.scan_iter(match=keys.documents, count=_CHUNK)
    while True:
        try:
            chunk = [cast("bytes", key)[first:-1] for key in islice(found, _CHUNK)]
        except CLIENT_ERRORS as error:
            raise explain(error) from None
        if not chunk:
            return
        yield chunk


def _scanned(connection: Connection, index: str) -> Iterator[list[bytes]]:
    cursor: int | bytes = 0
    while True:
        (reply,) = exchange(connection, [("ZSCAN", index, int(cursor), "COUNT", _CHUNK)])
        cursor, members = cast("tuple[int | bytes, list[tuple[bytes, float]]]", reply)
        if members:
            yield [member for member, _ in members]
        if int(cursor) == 0:
            return


def _text_of(customer_id: bytes, place: str) -> str:
    try:
        return customer_id.decode()
    except UnicodeDecodeError:
        raise not_utf8(place) from None
