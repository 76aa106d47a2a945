"""Whom an e-mail address or a telephone number belongs to, by the indexes."""

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import parse, text_of, values_of
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.keys import CacheKeys


def lookup(connection: Connection, value: str, *, index: str, keys: CacheKeys) -> list[str]:
    """Return the ids of the customers whose document has `value`, which is normalized, by the order of their bytes.

    The documents are looked at: what the index says of a document that something else has overwritten or removed is
    left out.

    Args:
        connection: from `connect`.
        value: an e-mail address or a telephone number, as it stands in documents.
        index: `keys.by_email` or `keys.by_phone`.
        keys: the names of the keys.

    Raises:
        CacheError: if the cache cannot be read.
    """
    text = text_of(value)
    # The byte after the line break ends the range: an entry is the value, a line break and the id.
    (members,) = exchange(connection, [("ZRANGEBYLEX", index, b"[%b\n" % text, b"(%b\x0b" % text)])
    names = [parse(member).name for member in members]
    documents = exchange(connection, [("GET", keys.document(name)) for name in names])
    position = keys.by_value.index(index)
    return [name for name, document in zip(names, documents, strict=True) if values_of(document)[position] == text]
