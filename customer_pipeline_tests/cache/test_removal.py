"""The removal of one customer, standalone and in a cluster."""

import pytest
import redis

from customer_pipeline.cache import removal
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.cache.removal import Removed
from customer_pipeline_tests.cache.states import KEYS, contents, deletion, live

NAMES = ["cus_1", "cus_2", "a:b", "x}:tombstone", "ü"]


def publish(connection: Connection) -> None:
    Publisher(connection, keys=KEYS).publish([live(name, 1, 1) for name in NAMES])


def test_a_removed_customer_leaves_nothing_and_the_others_stay(either: Connection) -> None:
    publish(either)
    for name in NAMES:
        before = contents(either)

        assert removal.remove(either, name, keys=KEYS) == Removed(documents=1, index_entries=1)

        after = contents(either)
        assert set(before.values) - set(after.values) == {KEYS.document(name)}
        assert set(before.index) - set(after.index) == {name}
        assert removal.remove(either, name, keys=KEYS).total == 0


def test_a_tombstone_is_removed_and_counted(either: Connection) -> None:
    Publisher(either, keys=KEYS).publish([deletion("cus_1", 1, 1)])

    assert removal.remove(either, "cus_1", keys=KEYS) == Removed(tombstones=1)
    assert contents(either).values == {}


def test_what_a_crash_left_in_the_index_alone_is_removed(either: Connection) -> None:
    publish(either)
    either.delete(KEYS.document("cus_1"))

    assert removal.remove(either, "cus_1", keys=KEYS) == Removed(index_entries=1)
    assert "cus_1" not in contents(either).index


def test_every_id_is_found_in_documents_tombstones_and_the_index(either: Connection) -> None:
    publish(either)
    Publisher(either, keys=KEYS).publish([deletion("gone", 1, 1)])
    either.zadd(KEYS.by_updated_at, {"in the index alone": 1})
    either.set("customers:coverage", "{}")
    either.set("customer-orders:{other}", "of somebody else")

    found = {name for some in removal.ids(either, keys=KEYS) for name in some}

    assert found == {*NAMES, "gone", "in the index alone"}


@pytest.mark.parametrize("name", ["{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "a}", "a}}", "x}:tombstone", "{", "}"])
def test_an_id_with_braces_is_read_from_its_keys_as_it_is(connection: Connection, name: str) -> None:
    for key in (KEYS.document(name), KEYS.tombstone(name)):
        connection.set(key, "x")
        assert list(removal.ids(connection, keys=KEYS)) == [[name]]
        connection.delete(key)


def test_other_keys_are_looked_through_whatever_they_hold(connection: Connection) -> None:
    assert isinstance(connection, redis.Redis)
    connection.set("customers:text", "of cus_1")
    connection.hset("customers:hash", mapping={"cus_1": "x"})
    connection.hset("customers:hash_value", mapping={"x": "cus_1"})
    connection.sadd("customers:set", "cus_1")
    connection.rpush("customers:list", "cus_1")
    connection.zadd("customers:zset", {"cus_1": 1})
    connection.xadd("customers:stream", {"id": "cus_1"})
    connection.set("customers:of:cus_1", "x")
    connection.set("customers:others", "cus_2")
    publish(connection)

    found = removal.mentions(connection, lambda text: "cus_1" in text, keys=KEYS)

    kinds = ["hash", "hash_value", "list", "of:cus_1", "set", "stream", "text", "zset"]
    assert found == [f"customers:{kind}" for kind in kinds]
