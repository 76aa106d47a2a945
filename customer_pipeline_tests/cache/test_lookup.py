"""Customers by e-mail address and telephone number: whom a lookup finds, and what leaves no entry behind."""

import pytest
import redis

from customer_pipeline.cache import index, stored
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import Entry, text_of
from customer_pipeline.cache.errors import CacheRejected
from customer_pipeline.cache.index import bring_in_step, drop
from customer_pipeline.cache.lookup import lookup
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.states import KEYS, contents, customer, deletion, expected, live, members, told

ADA, BEA = "ada@example.com", "bea@example.com"
MANY = 2500


def by_email(connection: Connection, value: str) -> list[str]:
    return lookup(connection, value, index=KEYS.by_email, keys=KEYS)


def by_phone(connection: Connection, value: str) -> list[str]:
    return lookup(connection, value, index=KEYS.by_phone, keys=KEYS)


def test_all_who_share_a_value_are_found_and_nobody_else(either: Connection) -> None:
    Publisher(either).publish(
        [
            customer("b", 1, email=ADA, phone="+41441"),
            customer("a", 1, email=ADA),
            customer("c", 1, email=f"x{ADA}", phone="+414411"),
            customer("d", 1, email=f"{ADA}.org"),
            customer("e", 1),
        ]
    )
    assert by_email(either, ADA) == ["a", "b"]
    assert by_phone(either, "+41441") == ["b"]
    assert by_email(either, "ada@example.co") == []
    assert by_email(either, "") == []


@pytest.mark.parametrize(
    "email", ['"a\\"b"@example.com', "üñ@exämple.com", '"\u2028"@example.com', "a\u0001@b.c", "\U0001f600@b.c"]
)
@pytest.mark.parametrize("name", ["a", "ü}", "x y", "+*?[]\\"])
def test_values_and_ids_of_any_characters_are_found(either: Connection, email: str, name: str) -> None:
    states = [customer(name, 1, email=email)]
    Publisher(either).publish(states)
    assert by_email(either, email) == [name]
    assert contents(either) == expected(states)


def test_a_changed_value_leaves_no_entry(either: Connection) -> None:
    publisher = Publisher(either)
    publisher.publish([customer("a", 1, email=ADA, phone="+1"), customer("b", 1, email=ADA)])
    publisher.publish([customer("a", 2, email=BEA, phone="+1")])
    assert (by_email(either, ADA), by_email(either, BEA), by_phone(either, "+1")) == (["b"], ["a"], ["a"])
    last = [customer("a", 3), customer("b", 1, email=ADA)]
    publisher.publish([last[0]])
    assert contents(either) == expected(last)


def test_a_deleted_customer_leaves_no_entry_and_comes_back_with_them(either: Connection) -> None:
    publisher = Publisher(either)
    publisher.publish([customer("a", 1, email=ADA, phone="+1"), deletion("a", 2, 1)])
    assert (by_email(either, ADA), contents(either).by_phone) == ([], frozenset())
    publisher.publish([customer("a", 3, email=ADA, phone="+1")])
    assert (by_email(either, ADA), by_phone(either, "+1")) == (["a"], ["a"])


def test_a_stale_state_changes_no_entry(either: Connection) -> None:
    states = [customer("a", 2, email=ADA)]
    Publisher(either).publish(states)
    assert Publisher(either).publish([customer("a", 1, email=BEA)]) == Outcomes(stale=1)
    assert contents(either) == expected(states)


def test_an_unchanged_customer_gets_the_entries_back_that_were_lost(either: Connection) -> None:
    states = [customer("a", 1, email=ADA, phone="+1"), customer("b", 1, email=BEA)]
    Publisher(either).publish(states)
    either.delete(*(KEYS.by_email,))
    either.delete(*(KEYS.by_phone,))
    assert Publisher(either).publish(states) == Outcomes(unchanged=2)
    assert contents(either) == expected(states)


@pytest.mark.parametrize("foreign", [b"{}", b"", customer("a", 1, email="bob@example.com").document])
def test_what_something_else_wrote_over_is_not_found(either: Connection, foreign: bytes) -> None:
    Publisher(either).publish([customer("a", 1, email=ADA)])
    either.set(KEYS.document("a"), foreign)
    assert by_email(either, ADA) == []


def test_a_document_that_was_deleted_by_hand_is_not_found(either: Connection) -> None:
    Publisher(either).publish([customer("a", 1, email=ADA)])
    either.delete(KEYS.document("a"))
    assert by_email(either, ADA) == []


def test_the_entry_of_a_foreign_document_goes_with_it(either: Connection) -> None:
    publisher = Publisher(either)
    foreign = customer("a", 1, email="bob@example.com").document
    assert foreign is not None
    either.set(KEYS.document("a"), foreign)
    bring_in_step(either, ["a"], keys=KEYS)
    assert by_email(either, "bob@example.com") == ["a"]
    states = [customer("a", 2, email=ADA)]
    publisher.publish(states)
    assert contents(either) == expected(states)


def test_false_entries_are_found_and_dropped_and_true_ones_stay(either: Connection) -> None:
    states = [customer(f"c{number}", 1, email=f"{number}@example.com") for number in range(MANY)]
    Publisher(either, batch_size=1000).publish(states)
    wrong = [
        Entry(text_of(ADA), b"c1"),
        Entry(text_of(BEA), b"nobody"),
        Entry(b"not an entry", None),
        Entry(b"x", b"\xff"),
    ]
    either.zadd(KEYS.by_email, {bytes(entry): 0 for entry in wrong})
    scanned = [entry for some in stored.scan_entries(either, KEYS.by_email) for entry in some]
    assert len(set(scanned)) == MANY + len(wrong)

    found = stored.false_entries(either, scanned, index=KEYS.by_email, keys=KEYS)
    assert {bytes(entry) for entry in found} == {bytes(entry) for entry in wrong}
    drop(either, [*found, Entry(b"2@example.com", b"c2")], index=KEYS.by_email, keys=KEYS)

    assert contents(either) == expected(states)
    assert stored.false_entries(either, found, index=KEYS.by_email, keys=KEYS) == []
    drop(either, [], index=KEYS.by_email, keys=KEYS)


def test_an_entry_that_is_true_again_when_it_is_dropped_stays(either: Connection) -> None:
    publisher = Publisher(either)
    publisher.publish([customer("a", 1, email=ADA)])
    suspect = Entry(text_of(BEA), b"a")
    states = [customer("a", 2, email=BEA)]
    publisher.publish(states)
    drop(either, [suspect], index=KEYS.by_email, keys=KEYS)
    assert contents(either) == expected(states)


def test_in_a_cluster_no_true_entry_is_lost_by_a_process_that_dies_while_it_drops(
    cluster: redis.RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [customer("a", 1, email=ADA)]
    Publisher(cluster).publish(states)
    monkeypatch.setattr(index, "bring_in_step", lambda *_, **__: None)
    drop(cluster, [Entry(text_of(ADA), b"a")], index=KEYS.by_email, keys=KEYS)
    assert contents(cluster) == expected(states)


@pytest.mark.parametrize("key", [KEYS.by_email, KEYS.by_phone, KEYS.changes])
def test_a_key_of_another_type_is_an_error_before_anything_is_written(connection: Connection, key: str) -> None:
    connection.set(key, "x")
    with pytest.raises(CacheRejected, match="holds a value of another type"):
        Publisher(connection).publish([live("a", 1, 1)])
    assert connection.keys() == [key.encode()]


@pytest.mark.parametrize("key", [KEYS.by_email, KEYS.by_phone, KEYS.changes])
def test_in_a_cluster_a_key_of_another_type_is_an_error_and_a_replay_repairs(
    cluster: redis.RedisCluster, key: str
) -> None:
    cluster.set(key, "x")
    states = [live("a", 1, 1), live("b", 1, 1, "other")]
    with pytest.raises(CacheRejected, match="holds a value of another type"):
        Publisher(cluster).publish(states)
    cluster.delete(key)
    Publisher(cluster).publish(states)
    assert contents(cluster) == expected(states)


def test_a_cache_that_was_flushed_is_indexed_by_what_is_published_into_it(either: Connection) -> None:
    publisher = Publisher(either)
    publisher.publish([customer("a", 1, email=ADA), customer("b", 1, email=ADA)])
    either.flushall()
    states = [customer("a", 1, email=ADA, phone="+1")]
    for again in (publisher, Publisher(either)):
        again.publish(states)
        assert contents(either) == expected(states)
    assert len(told(either)) == 1


def test_a_cache_without_indexes_gets_them_with_the_first_publication(either: Connection) -> None:
    either.set(b"customer:{\xff}", "of no customer")
    states = [customer(f"c{number}", 1, email=f"{number}@example.com", phone=f"+{number}") for number in range(MANY)]
    Publisher(either).publish(states)
    for key in (*KEYS.by_value, *map(KEYS.register, KEYS.by_value), KEYS.indexed):
        either.delete(key)
    publisher = Publisher(either)
    another = customer("another", 1, email=ADA)
    assert publisher.publish([another]) == Outcomes(applied=1)
    either.delete(b"customer:{\xff}")
    assert contents(either) == expected([*states, another])
    # Once is enough: what is lost later, a reconciliation finds.
    either.delete(KEYS.by_email)
    Publisher(either).publish([another])
    assert len(members(either, KEYS.by_email)) == 1
