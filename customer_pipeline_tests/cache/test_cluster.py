"""What only a cluster has: slots that move, nodes that are lost, and an index apart from its documents."""

import contextlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import redis
from redis.crc import key_slot

from customer_pipeline.cache import exchange as exchanging
from customer_pipeline.cache import index
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CacheRejected, CacheUnavailable
from customer_pipeline.cache.exchange import Command, exchange
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline_tests.cache.conftest import ValkeyCluster
from customer_pipeline_tests.cache.states import KEYS, contents, customer, deletion, expected, live, told
from customer_pipeline_tests.servers import wait_until


def slot_of(name: str) -> int:
    return int(key_slot(KEYS.document(name).encode()))


class Move:
    """A slot on its way from one node to another."""

    def __init__(self, cluster: ValkeyCluster, slot: int) -> None:
        self.slot = slot
        self.nodes = [server.client() for server in cluster.servers]
        self.ids = [node.execute_command("CLUSTER MYID").decode() for node in self.nodes]
        self.ports = [server.port for server in cluster.servers]
        slots = self.nodes[0].execute_command("CLUSTER SLOTS")
        port = next(primary[1] for first, last, primary, *_ in slots if first <= slot <= last)
        self.source = self.ports.index(port)
        self.target = (self.source + 1) % len(self.nodes)

    def begin(self) -> None:
        self.nodes[self.target].execute_command("CLUSTER SETSLOT", self.slot, "IMPORTING", self.ids[self.source])
        self.nodes[self.source].execute_command("CLUSTER SETSLOT", self.slot, "MIGRATING", self.ids[self.target])

    def carry(self, *keys: str) -> None:
        for key in keys:
            self.nodes[self.source].execute_command("MIGRATE", "127.0.0.1", self.ports[self.target], key, 0, 5000)

    def end(self) -> None:
        order = [self.target, self.source, *({0, 1, 2} - {self.target, self.source})]
        for number in order:
            self.nodes[number].execute_command("CLUSTER SETSLOT", self.slot, "NODE", self.ids[self.target])
        self.source, self.target = self.target, self.source

    def settle(self) -> None:
        for node in self.nodes:
            node.execute_command("CLUSTER SETSLOT", self.slot, "STABLE")

    def close(self) -> None:
        for node in self.nodes:
            node.close()


@pytest.fixture
def move(valkey_cluster: ValkeyCluster) -> Iterator[Move]:
    """The slot of customer `a`; it is brought back in the end."""
    move = Move(valkey_cluster, slot_of("a"))
    home = move.source
    yield move
    valkey_cluster.flush()
    move.settle()
    if move.source != home:
        move.begin()
        move.end()
    move.close()


def test_a_batch_is_spread_over_all_nodes(valkey_cluster: ValkeyCluster, cluster: redis.RedisCluster) -> None:
    states = [live(f"c{number}", number, 1) for number in range(200)]
    assert Publisher(cluster).publish(states) == Outcomes(applied=200)
    for server in valkey_cluster.servers:
        with server.client() as client:
            assert client.dbsize() > 30
    assert contents(cluster) == expected(states)


def test_an_id_that_has_no_slot_of_its_own_is_rejected(cluster: redis.RedisCluster) -> None:
    with pytest.raises(CacheRejected, match="begins with } fits into no cluster"):
        Publisher(cluster).publish([live("}x", 1, 1)])


def test_a_slot_that_has_moved_is_followed(move: Move, cluster: redis.RedisCluster) -> None:
    publisher = Publisher(cluster)
    publisher.publish([live("a", 1, 1), live("b", 1, 1)])
    move.begin()
    move.carry(KEYS.document("a"))
    move.end()
    assert publisher.publish([live("a", 2, 1), live("b", 2, 1)]) == Outcomes(applied=2)
    assert contents(cluster) == expected([live("a", 2, 1), live("b", 2, 1)])


@pytest.mark.parametrize("known", [[], [live("a", 1, 1)]], ids=["new", "known"])
def test_a_customer_whose_slot_is_on_the_move_is_unavailable_until_the_move_ends(
    move: Move, cluster: redis.RedisCluster, known: list[State]
) -> None:
    """A server answers TRYAGAIN to a command whose keys are not all on one side."""
    publisher = Publisher(cluster)
    publisher.publish(known)
    move.begin()
    with pytest.raises(CacheUnavailable, match="moving a slot") as caught:
        publisher.publish([live("a", 2, 1), live("b", 1, 1)])
    assert caught.value.transient
    move.carry(*(KEYS.document(state.id) for state in known))
    move.end()
    assert publisher.publish([live("a", 2, 1), live("b", 1, 1)]) == Outcomes(applied=1, unchanged=1)
    assert contents(cluster) == expected([live("a", 2, 1), live("b", 1, 1)])


def test_a_node_that_does_not_answer_is_unavailable_in_bounded_time(valkey_cluster: ValkeyCluster) -> None:
    states = [live(f"c{number}", 1, 1) for number in range(300)]
    with connect(valkey_cluster.url, answer_timeout=timedelta(milliseconds=200)) as client:
        publisher = Publisher(client)
        publisher.publish(states)
        with valkey_cluster.servers[2].client() as admin:
            admin.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
            with pytest.raises(CacheUnavailable, match="did not answer in time"):
                publisher.publish([live(f"c{number}", 2, 1) for number in range(300)])
            admin.execute_command("CLIENT", "UNPAUSE")
        again = [live(f"c{number}", 2, 1) for number in range(300)]
        assert publisher.publish(again).total == 300
        assert contents(client) == expected(again)


def test_a_connection_lost_in_the_middle_is_made_good(
    valkey_cluster: ValkeyCluster, cluster: redis.RedisCluster
) -> None:
    states = [live(f"c{number}", 1, 1) for number in range(100)]
    with valkey_cluster.servers[1].client() as admin, ThreadPoolExecutor(1) as pool:
        admin.execute_command("CLIENT", "PAUSE", 10_000, "WRITE")
        published = pool.submit(Publisher(cluster).publish, states)

        def waiting() -> list[str]:
            return [each["id"] for each in admin.client_list() if each["cmd"] in ("eval", "evalsha")]

        wait_until(lambda: bool(waiting()), what="a script that waits")
        for each in waiting():
            admin.client_kill_filter(_id=each)
        admin.execute_command("CLIENT", "UNPAUSE")
        assert published.result(timeout=20).total == 100
    assert contents(cluster) == expected(states)


@pytest.fixture
def interference(monkeypatch: pytest.MonkeyPatch) -> list[list[Command]]:
    """Commands that another process gets in before the next writes of the index, one list before each."""
    waiting: list[list[Command]] = []

    def interfered(connection: Connection, commands: Sequence[Command]) -> list[object]:
        if commands and commands[0][0] in ("ZADD", "ZREM") and waiting:
            exchange(connection, waiting.pop(0))
        return exchange(connection, commands)

    monkeypatch.setattr(index, "exchange", interfered)
    return waiting


def test_the_index_follows_a_process_that_was_faster(
    cluster: redis.RedisCluster, interference: list[list[Command]]
) -> None:
    newer = live("a", 2, 1)
    assert newer.document is not None
    interference += [
        [("SET", KEYS.document("a"), newer.document), ("ZADD", KEYS.by_updated_at, newer.updated_ms, "a")],
        [("DEL", KEYS.document("a")), ("ZREM", KEYS.by_updated_at, "a")],
    ]
    Publisher(cluster).publish([live("a", 1, 1), live("b", 1, 1)])
    assert not interference
    assert cluster.zrange(KEYS.by_updated_at, 0, -1) == [b"b"]


def test_customers_that_change_without_end_are_an_error(
    cluster: redis.RedisCluster, interference: list[list[Command]]
) -> None:
    for number in range(2, 300):
        document = live("a", number, 1).document
        assert document is not None
        interference.append([("SET", KEYS.document("a"), document)])
    with pytest.raises(CacheUnavailable, match="published without end"):
        Publisher(cluster).publish([live("a", 1, 1)])


def test_what_a_killed_process_left_undone_in_the_index_a_replay_does(cluster: redis.RedisCluster) -> None:
    states = [live("a", 1, 1), live("b", 1, 1), deletion("c", 1, 1), live("d", 5, 1)]
    publisher = Publisher(cluster)
    publisher.publish(states)
    cluster.delete(KEYS.by_updated_at)
    cluster.zadd(KEYS.by_updated_at, {"a": 1, "c": 2})
    stale = live("d", 4, 1)
    assert publisher.publish([*states[:3], stale]) == Outcomes(unchanged=3, stale=1)
    assert contents(cluster) == expected([*states, stale])


class Killed(Exception):  # noqa: N818
    pass


class KilledBefore:
    """The exchange with the servers, of a process that is killed before the round trip of that number."""

    def __init__(self, replies: Callable[..., list[object]], number: int) -> None:
        self.replies = replies
        self.left = number

    def __call__(self, connection: Connection, commands: Sequence[Command]) -> list[object]:
        self.left -= 1
        if self.left < 0:
            raise Killed
        return self.replies(connection, commands)


def test_a_process_that_is_killed_before_any_of_its_round_trips_is_made_up_for_by_a_replay(
    valkey_cluster: ValkeyCluster, cluster: redis.RedisCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = [
        customer("a", 1, email="a@b.c", phone="+1"),
        customer("b", 1, email="a@b.c"),
        customer("c", 1, email="c@b.c"),
    ]
    after = [customer("a", 2, email="c@b.c"), deletion("b", 2, 1), customer("c", 2, phone="+2"), customer("d", 1)]
    for number in itertools.count():
        valkey_cluster.flush()
        Publisher(cluster).publish(before)
        killed = KilledBefore(exchanging._replies, number)
        with monkeypatch.context() as patch, contextlib.suppress(Killed):
            patch.setattr(exchanging, "_replies", killed)
            Publisher(cluster).publish(after)
        if killed.left >= 0:
            break
        Publisher(cluster).publish(after)
        assert contents(cluster) == expected(after), number
        assert {(one.id, one.version) for one in told(cluster)} >= {(state.id, state.version) for state in after}
    assert number > 10
