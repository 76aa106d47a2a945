from collections.abc import Iterator

import pytest
import redis

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.proxy import CuttingProxy, Loss
from customer_pipeline_tests.cache.states import contents, deletion, expected, live
from customer_pipeline_tests.servers import ValkeyServer


def test_outcomes_are_summed() -> None:
    total = sum([Outcomes(1, 2, 3, 4), Outcomes(applied=10), Outcomes(deleted=5)], Outcomes())
    assert total == Outcomes(applied=11, unchanged=2, stale=3, deleted=9)
    assert total.total == 25


@pytest.mark.parametrize("batch_size", [0, -1, 1001])
def test_a_batch_size_out_of_bounds_is_refused(connection: Connection, batch_size: int) -> None:
    with pytest.raises(ValueError, match="between 1 and 1000"):
        Publisher(connection, batch_size=batch_size)


@pytest.mark.parametrize("batch_size", [1, 2, 3, 7, 300, 1000])
def test_the_batch_size_changes_nothing_but_the_speed(connection: Connection, batch_size: int) -> None:
    states = [
        *(live(f"c{number}", number, 1) for number in range(40)),
        *(deletion(f"c{number}", number, 2) for number in range(0, 40, 3)),
        *(live(f"c{number}", number, 3) for number in range(0, 40, 2)),
        *(live(f"c{number}", number - 1, 9) for number in range(1, 5)),
    ]
    outcomes = Publisher(connection, batch_size=batch_size).publish(iter(states))
    assert outcomes.total == len(states)
    assert outcomes == Outcomes(applied=40 + 7, unchanged=13, stale=4, deleted=14)
    assert contents(connection) == expected(states)


def test_the_largest_batch_fits_into_one_script(connection: Connection) -> None:
    states = [live(f"c{number}", number, 1) for number in range(1000)]
    assert Publisher(connection, batch_size=1000).publish(states) == Outcomes(applied=1000)
    assert Publisher(connection, batch_size=1000).publish(states) == Outcomes(unchanged=1000)
    gone = [deletion(f"c{number}", number, 2) for number in range(1000)]
    assert Publisher(connection, batch_size=1000).publish(gone) == Outcomes(deleted=1000)


def test_states_are_taken_as_they_are_published_not_all_at_once(connection: Connection) -> None:
    seen_in_cache: list[int] = []

    def states() -> Iterator[State]:
        for number in range(100):
            seen_in_cache.append(connection.zcard("customers:by_updated_at"))
            yield live(f"c{number}", number, 1)

    Publisher(connection, batch_size=2).publish(states())
    assert max(seen_in_cache) > 50


def test_another_prefix_keeps_apart(either: Connection) -> None:
    Publisher(either, keys=CacheKeys("kunde")).publish([live("a", 1, 1), deletion("b", 1, 1)])
    assert not contents(either).values
    names = [
        "kunde:{a}",
        "kunde:{b}:tombstone",
        *("kundes:" + name for name in ("by_email", "by_phone", "by_updated_at")),
    ]
    names += ["kundes:changes", "kundes:indexed"]
    if isinstance(either, redis.RedisCluster):
        names += [f"kundes:register:{{kundes:{name}}}" for name in ("by_email", "by_phone")]
    assert sorted(either.scan_iter()) == [name.encode() for name in names]


def test_the_script_is_sent_again_when_the_server_forgot_it(either: Connection) -> None:
    publisher = Publisher(either, batch_size=2)
    for number in range(3):
        either.script_flush()
        assert publisher.publish([live(f"c{number}{each}", 1, 1) for each in range(9)]) == Outcomes(applied=9)


@pytest.mark.parametrize(
    ("loss", "batch_size", "seen_before"),
    [("request", 10, range(1)), ("half", 10, range(50)), ("reply", 50, range(50, 51))],
)
def test_one_lost_connection_is_made_good_and_counted_by_the_second_reply(
    valkey: ValkeyServer, loss: Loss, batch_size: int, seen_before: range
) -> None:
    states = [live(f"c{number}", number, 1) for number in range(50)]
    with CuttingProxy(valkey.port) as proxy, connect(proxy.url) as client:
        proxy.lose(loss)
        outcomes = Publisher(client, batch_size=batch_size).publish(states)
        assert proxy.cuts == 1
        assert contents(client) == expected(states)
        assert outcomes.unchanged in seen_before
        assert outcomes == Outcomes(applied=50 - outcomes.unchanged, unchanged=outcomes.unchanged)


@pytest.mark.parametrize("loss", ["request", "half", "reply"])
def test_a_connection_lost_again_is_an_error_and_a_replay_repairs(valkey: ValkeyServer, loss: Loss) -> None:
    states = [live(f"c{number}", number, 1) for number in range(50)]
    with CuttingProxy(valkey.port) as proxy, connect(proxy.url) as client:
        publisher = Publisher(client, batch_size=10)
        proxy.lose(loss, times=9)
        with pytest.raises(CacheUnavailable, match="cannot be reached") as caught:
            publisher.publish(states)
        assert caught.value.transient
        assert proxy.cuts == 2
        proxy.heal()
        assert publisher.publish(states).total == 50
        assert contents(client) == expected(states)
