"""The removal of one customer, standalone and in a cluster."""

import pytest
import redis

from customer_pipeline.cache import removal, traces
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.cache.removal import Removed
from customer_pipeline_tests.cache.states import KEYS, contents, deletion, live, members, told

NAMES = ["cus_1", "cus_2", "a:b", "x}:tombstone", "ü"]


def publish(connection: Connection) -> None:
    Publisher(connection, keys=KEYS).publish([live(name, 1, 1) for name in NAMES])


def test_a_removed_customer_leaves_nothing_and_the_others_stay(either: Connection) -> None:
    publish(either)
    for name in NAMES:
        before = contents(either)

        assert removal.remove(either, name, keys=KEYS) == Removed(documents=1, index_entries=3, changes=1)

        after = contents(either)
        assert set(before.values) - set(after.values) == {KEYS.document(name)}
        assert set(before.index) - set(after.index) == {name}
        for index in ("by_email", "by_phone"):
            assert {whose for whose, _ in getattr(before, index) - getattr(after, index)} == {name}
            assert not getattr(after, index) - getattr(before, index)
        assert name not in {one.id for one in told(either)}
        assert removal.remove(either, name, keys=KEYS).total == 0


def test_a_tombstone_is_removed_and_counted(either: Connection) -> None:
    Publisher(either, keys=KEYS).publish([deletion("cus_1", 1, 1)])

    assert removal.remove(either, "cus_1", keys=KEYS) == Removed(tombstones=1, changes=1)
    assert contents(either).values == {}


def test_what_a_crash_left_in_the_indexes_alone_is_removed(either: Connection) -> None:
    publish(either)
    either.delete(KEYS.document("cus_1"))
    either.zadd(KEYS.by_email, {"an older value\ncus_1": 0, "a value of another\ncus_12": 0, "cus_1\ncus_2": 0})

    assert removal.remove(either, "cus_1", keys=KEYS) == Removed(index_entries=4, changes=1)
    assert either.zscore(KEYS.by_updated_at, "cus_1") is None
    left = members(either, KEYS.by_email)
    assert [member for member in left if member.endswith(b"\ncus_1")] == []
    assert {b"a value of another\ncus_12", b"cus_1\ncus_2"} <= set(left)


def test_many_changes_of_one_customer_are_removed_and_those_of_others_stay(either: Connection) -> None:
    Publisher(either, keys=KEYS).publish([live(name, number, 1) for number in range(1500) for name in ("a", "aa")])

    assert removal.remove(either, "a", keys=KEYS).changes == 1500
    assert {one.id for one in told(either)} == {"aa"}
    assert either.xlen(KEYS.changes) == 1500


def test_what_was_not_announced_is_removed_and_counted(cluster: redis.RedisCluster) -> None:
    cluster.rpush(KEYS.unannounced("cus_1"), "changed v token")

    assert {name for some in traces.ids(cluster, keys=KEYS) for name in some} == {"cus_1"}
    assert removal.remove(cluster, "cus_1", keys=KEYS) == Removed(changes=1)
    assert contents(cluster).values == {}


def test_every_id_is_found_wherever_it_stands(either: Connection) -> None:
    publish(either)
    Publisher(either, keys=KEYS).publish([deletion("gone", 1, 1)])
    either.zadd(KEYS.by_updated_at, {"in the index alone": 1})
    either.zadd(KEYS.by_email, {"ada@example.com\nby e-mail alone": 0})
    either.zadd(KEYS.by_phone, {"+1\nby phone alone": 0})
    either.hset(KEYS.register(KEYS.by_email), "in a register alone", "ada@example.com")
    either.xadd(KEYS.changes, {"id": "in the stream alone", "version": "v", "kind": "changed"})
    either.xadd(KEYS.changes, {"something": "else"})
    either.set("customers:coverage", "{}")
    either.set("customer-orders:{other}", "of somebody else")

    found = {name for some in traces.ids(either, keys=KEYS) for name in some}

    alone = {"in the index alone", "by e-mail alone", "by phone alone", "in a register alone", "in the stream alone"}
    assert found == {*NAMES, "gone", *alone, ""}


@pytest.mark.parametrize("name", ["{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "a}", "a}}", "x}:tombstone", "{", "}"])
def test_an_id_with_braces_is_read_from_its_keys_as_it_is(connection: Connection, name: str) -> None:
    for key in (KEYS.document(name), KEYS.tombstone(name)):
        connection.set(key, "x")
        assert list(traces.ids(connection, keys=KEYS)) == [[name]]
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

    found = traces.mentions(connection, lambda text: "cus_1" in text, keys=KEYS)

    kinds = ["hash", "hash_value", "list", "of:cus_1", "set", "stream", "text", "zset"]
    assert found == [f"customers:{kind}" for kind in kinds]
