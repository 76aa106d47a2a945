"""Entries of the indexes for lookup, as publication writes them."""

from customer_pipeline.api.lookups import index_of, member_prefix
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.serving import KEYS, live


def index(connection: Connection, customer_id: str, **values: str) -> None:
    for field, value in values.items():
        key = index_of("email" if field == "email" else "phone", KEYS)
        connection.zadd(key, {member_prefix(value) + customer_id.encode(): 0})


def put(connection: Connection, customer_id: str, **values: str) -> bytes:
    state = live(customer_id, **values)
    Publisher(connection).publish([state])
    index(connection, customer_id, **values)
    assert state.document is not None
    return state.document
