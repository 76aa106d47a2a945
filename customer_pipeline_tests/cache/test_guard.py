"""Every case of the order of states, against a real server, standalone and cluster."""

from datetime import timedelta
from itertools import permutations
from typing import Literal

import pytest

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CacheRejected
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.states import (
    KEYS,
    Contents,
    contents,
    deletion,
    expected,
    instant,
    live,
    told,
    version,
)

Outcome = Literal["applied", "unchanged", "stale", "deleted"]

# what is stored, what comes, the outcome, and what is stored then
CASES: dict[str, tuple[State | None, State, Outcome, State]] = {
    "nothing is stored": (None, live("a", 1, 1), "applied", live("a", 1, 1)),
    "nothing is stored and a deletion comes": (None, deletion("a", 1, 1), "deleted", deletion("a", 1, 1)),
    "live, newer": (live("a", 1, 9), live("a", 2, 3), "applied", live("a", 2, 3)),
    "live, older": (live("a", 2, 3), live("a", 1, 9, "other"), "stale", live("a", 2, 3)),
    "live, the same state": (live("a", 1, 1), live("a", 1, 1), "unchanged", live("a", 1, 1)),
    "live, the same seen later": (live("a", 1, 1), live("a", 1, 2), "unchanged", live("a", 1, 2)),
    "live, the same seen earlier": (live("a", 1, 2), live("a", 1, 1), "unchanged", live("a", 1, 2)),
    "live, another seen later": (live("a", 1, 1), live("a", 1, 2, "other"), "applied", live("a", 1, 2, "other")),
    "live, another seen earlier": (live("a", 1, 2), live("a", 1, 1, "other"), "stale", live("a", 1, 2)),
    "live, another of the same fetch": (live("a", 1, 1), live("a", 1, 1, "other"), "applied", live("a", 1, 1, "other")),
    "live, a newer deletion": (live("a", 1, 9), deletion("a", 2, 3), "deleted", deletion("a", 2, 3)),
    "live, an older deletion": (live("a", 2, 3), deletion("a", 1, 9), "stale", live("a", 2, 3)),
    "live, a deletion seen later": (live("a", 1, 1), deletion("a", 1, 2), "deleted", deletion("a", 1, 2)),
    "live, a deletion seen earlier": (live("a", 1, 2), deletion("a", 1, 1), "stale", live("a", 1, 2)),
    "live, a deletion of the same fetch": (live("a", 1, 1), deletion("a", 1, 1), "deleted", deletion("a", 1, 1)),
    "deleted, newer live": (deletion("a", 1, 9), live("a", 2, 3), "applied", live("a", 2, 3)),
    "deleted, older live": (deletion("a", 2, 3), live("a", 1, 9), "stale", deletion("a", 2, 3)),
    "deleted, live seen later": (deletion("a", 1, 1), live("a", 1, 2), "applied", live("a", 1, 2)),
    "deleted, live seen earlier": (deletion("a", 1, 2), live("a", 1, 1), "stale", deletion("a", 1, 2)),
    "deleted, live of the same fetch": (deletion("a", 1, 1), live("a", 1, 1), "applied", live("a", 1, 1)),
    "deleted, a newer deletion": (deletion("a", 1, 9), deletion("a", 2, 3), "deleted", deletion("a", 2, 3)),
    "deleted, an older deletion": (deletion("a", 2, 3), deletion("a", 1, 9), "stale", deletion("a", 2, 3)),
    "deleted, seen later": (deletion("a", 1, 1), deletion("a", 1, 2), "unchanged", deletion("a", 1, 2)),
    "deleted, seen earlier": (deletion("a", 1, 2), deletion("a", 1, 1), "unchanged", deletion("a", 1, 2)),
    "deleted, the same state": (deletion("a", 1, 1), deletion("a", 1, 1), "unchanged", deletion("a", 1, 1)),
}


@pytest.mark.parametrize(("stored", "incoming", "outcome", "then"), CASES.values(), ids=CASES)
def test_the_guard_decides(
    either: Connection, stored: State | None, incoming: State, outcome: Outcome, then: State
) -> None:
    publisher = Publisher(either)
    if stored is not None:
        publisher.publish([stored])
        assert contents(either) == expected([stored])
    assert publisher.publish([incoming]) == Outcomes(**{outcome: 1})
    assert contents(either) == expected([then])


@pytest.mark.parametrize(("stored", "incoming", "outcome", "then"), CASES.values(), ids=CASES)
def test_the_guard_decides_the_same_within_one_call_of_publish(
    either: Connection, stored: State | None, incoming: State, outcome: Outcome, then: State
) -> None:
    first = [] if stored is None else [stored]
    bystander = live("b", 1, 1)
    outcomes = Publisher(either).publish([bystander, *first, incoming])
    alone = Outcomes(applied=1)
    for state in first:
        alone += Outcomes(deleted=1) if state.document is None else Outcomes(applied=1)
    assert outcomes == alone + Outcomes(**{outcome: 1})
    assert contents(either) == expected([then, bystander])


ORDERED = [
    live("a", 1, 1),
    live("a", 1, 3, "other"),
    deletion("a", 1, 4),
    live("a", 1, 5),
    deletion("a", 2, 2),
]


@pytest.mark.parametrize("length", [3, 4, 5])
def test_states_of_one_customer_end_the_same_in_every_order(connection: Connection, length: int) -> None:
    states = ORDERED[:length]
    for order in permutations(states):
        connection.flushall()
        Publisher(connection, batch_size=2).publish(order)
        assert contents(connection) == expected(states)


def test_an_unchanged_document_is_not_written_again(connection: Connection) -> None:
    publisher = Publisher(connection)
    publisher.publish([live("a", 1, 1)])
    connection.config_resetstat()
    publisher.publish([live("a", 1, 1)])
    publisher.publish([live("a", 1, 2)])
    calls = {name.removeprefix("cmdstat_"): stats["calls"] for name, stats in connection.info("commandstats").items()}
    assert "set" not in calls
    assert calls["setrange"] == 1


def test_a_tombstone_lives_as_long_as_configured_and_starts_anew_when_the_deletion_is_seen_again(
    either: Connection,
) -> None:
    publisher = Publisher(either, tombstone_ttl=timedelta(days=3))
    publisher.publish([deletion("a", 1, 1)])
    three_days = 3 * 86_400_000
    assert three_days - 60_000 < either.pttl(KEYS.tombstone("a")) <= three_days
    either.pexpire(KEYS.tombstone("a"), 1000)
    publisher.publish([deletion("a", 1, 1)])
    assert either.pttl(KEYS.tombstone("a")) <= 1000
    publisher.publish([deletion("a", 1, 2)])
    assert either.pttl(KEYS.tombstone("a")) > three_days - 60_000


def test_tombstones_live_400_days_by_default(connection: Connection) -> None:
    Publisher(connection).publish([deletion("a", 1, 1)])
    assert connection.ttl(KEYS.tombstone("a")) == pytest.approx(400 * 86_400, abs=60)


def test_a_tombstone_holds_the_version_and_nothing_of_the_customer(either: Connection) -> None:
    Publisher(either).publish([live("a", 1, 1, "Ada"), deletion("a", 2, 2)])
    assert either.get(KEYS.tombstone("a")) == version(2, 2).encode()
    assert contents(either).values.keys() == {KEYS.tombstone("a")}


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"{}",
        b"not json",
        b'{"id":"a","version":"2999-01-01T00:00:00.000000Z/2999-01-01T00:00:00.000000Z"}',
        b'{"version":"2999-01-01/2999-01-01","id":"a"}',
        b'{"version":"2999-01-01T00:00:00.000000Z/2999-01-01T00:00:00.000000Z"}',
        b'{"version":"' + b"Z" * 55 + b'","id":"a"}',
    ],
)
@pytest.mark.parametrize("incoming", [live("a", 1, 1), deletion("a", 1, 1)], ids=["live", "deletion"])
def test_a_document_without_a_version_loses_to_any_state(either: Connection, garbage: bytes, incoming: State) -> None:
    either.set(KEYS.document("a"), garbage)
    Publisher(either).publish([incoming])
    assert contents(either) == expected([incoming])


@pytest.mark.parametrize("garbage", [b"", b"deleted", version(9, 9).encode()[:-1] + b"+", b"9" * 55])
@pytest.mark.parametrize("incoming", [live("a", 1, 1), deletion("a", 1, 1)], ids=["live", "deletion"])
def test_a_tombstone_without_a_version_loses_to_any_state(either: Connection, garbage: bytes, incoming: State) -> None:
    either.set(KEYS.tombstone("a"), garbage)
    Publisher(either).publish([incoming])
    assert contents(either) == expected([incoming])


@pytest.mark.parametrize("incoming", [live("a", 1, 1), deletion("a", 1, 1)], ids=["live", "deletion"])
def test_a_document_key_of_another_type_is_an_error_that_names_the_pattern(either: Connection, incoming: State) -> None:
    either.hset(KEYS.document("a"), mapping={"name": "Ada"})
    with pytest.raises(
        CacheRejected, match=r"a key of the form customer:\{<id>\} holds a value of another type"
    ) as caught:
        Publisher(either).publish([incoming])
    assert not caught.value.transient
    assert either.hgetall(KEYS.document("a")) == {b"name": b"Ada"}
    assert not either.exists(KEYS.tombstone("a"))
    assert not either.exists(KEYS.by_updated_at)


def test_one_document_key_of_another_type_keeps_no_other_customer_of_the_batch_back(connection: Connection) -> None:
    before = [live("b", 1, 1), deletion("c", 1, 1), deletion("d", 1, 1)]
    Publisher(connection).publish(before)
    connection.hset(KEYS.document("a"), mapping={"name": "Ada"})
    connection.hset(KEYS.document("d"), mapping={"name": "Dan"})
    after = [live("b", 2, 1, "other"), live("c", 2, 1), live("e", 2, 1)]
    with pytest.raises(CacheRejected, match="holds a value of another type"):
        Publisher(connection).publish([live("a", 2, 1), *after, live("d", 2, 1)])
    assert {one.id for one in told(connection)[len(before) :]} == {"b", "c", "e"}
    assert connection.hgetall(KEYS.document("a")) == {b"name": b"Ada"}
    assert connection.hgetall(KEYS.document("d")) == {b"name": b"Dan"}
    connection.delete(KEYS.document("a"), KEYS.document("d"))
    assert contents(connection) == expected([*after, deletion("d", 1, 1)])


def test_a_tombstone_key_of_another_type_is_an_error_that_names_the_pattern(either: Connection) -> None:
    either.rpush(KEYS.tombstone("a"), "x")
    with pytest.raises(CacheRejected, match=r"customer:\{<id>\}:tombstone holds"):
        Publisher(either).publish([deletion("a", 1, 1)])
    assert either.lrange(KEYS.tombstone("a"), 0, -1) == [b"x"]


def test_an_index_of_another_type_is_an_error_before_anything_is_written(connection: Connection) -> None:
    connection.set(KEYS.by_updated_at, "x")
    with pytest.raises(CacheRejected, match="holds a value of another type"):
        Publisher(connection).publish([live("a", 1, 1)])
    assert connection.keys() == [KEYS.by_updated_at.encode()]


def test_the_index_is_repaired_by_a_replay(either: Connection) -> None:
    states = [live("a", 1, 1), live("b", 2, 1), deletion("c", 3, 1)]
    Publisher(either).publish(states)
    either.zrem(KEYS.by_updated_at, "a")
    either.zadd(KEYS.by_updated_at, {"b": 5})
    Publisher(either).publish(states)
    assert contents(either) == expected(states)


def test_the_index_enumerates_by_updated_at(either: Connection) -> None:
    Publisher(either).publish([live("new", 3, 1), live("old", 1, 1), live("middle", 2, 1), deletion("gone", 4, 1)])
    assert either.zrange(KEYS.by_updated_at, 0, -1) == [b"old", b"middle", b"new"]
    assert either.zscore(KEYS.by_updated_at, "new") == instant(3).timestamp() // 0.001


def test_names_with_any_character_keep_their_place_in_the_index(either: Connection) -> None:
    states = [live(name, 1, 1) for name in ("ä/ö", "a b", "a}b", "{a", "😀", "x}:tombstone", "-", "%")]
    Publisher(either).publish(states)
    assert contents(either) == expected(states)


def test_nothing_to_publish_is_nothing_done(either: Connection) -> None:
    assert Publisher(either).publish([]) == Outcomes()
    assert contents(either) == Contents({}, {})
