"""Builds the indexes by e-mail address and telephone number of a cache that was written before there were any."""

from customer_pipeline.cache import stored
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.exchange import exchange
from customer_pipeline.cache.index import bring_in_step
from customer_pipeline.cache.keys import CacheKeys

_FORM = b"1"


def ensure_built(connection: Connection, *, keys: CacheKeys) -> None:
    """Index every document, unless that was done; broken off, it is begun anew.

    What is published meanwhile indexes itself. A cache without documents is as good as built. A key whose id is not
    UTF-8 is no customer's, and left out.

    Raises:
        CacheError: if the cache cannot be read or written.
    """
    (form,) = exchange(connection, [("GET", keys.indexed)])
    if form == _FORM:
        return
    for names in stored.scan_names(connection, keys=keys):
        bring_in_step(connection, _readable(names), keys=keys)
    exchange(connection, [("SET", keys.indexed, _FORM)])


def _readable(names: list[bytes]) -> list[str]:
    return [text for name in names if (text := name.decode("utf-8", "replace")).encode() == name]
