"""Publications in any order, at once, and with faults in between end in the keys and values of the newest states."""

import contextlib
import multiprocessing
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest
import redis
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.cache.conftest import ValkeyCluster
from customer_pipeline_tests.cache.proxy import CuttingProxy, Loss
from customer_pipeline_tests.cache.publishing_process import PROCESSES, part, publish_part
from customer_pipeline_tests.cache.states import contents, deletion, expected, live, newest, told
from customer_pipeline_tests.servers import ValkeyServer, wait_until

PUBLISHERS = 3
BATCH_SIZES = (1, 3, 300)

Point = tuple[str, int, int]
POINTS = st.tuples(st.sampled_from("abcde"), st.integers(0, 3), st.integers(0, 7))
SEQUENCES = st.lists(POINTS, min_size=1, max_size=12)


def state_at(point: Point, revision: int = 0) -> State:
    """The one state that a customer has at a version; neighbouring fetches often see the same document."""
    name, updated, fetched = point
    if (sum(name.encode()) + updated + fetched // 2) % 4 == 0:
        return deletion(name, updated, fetched)
    return live(name, updated, fetched, f"{fetched // 3} normalized by {revision}")


class Publications(RuleBasedStateMachine):
    """Publishers with connections of their own, and a model that knows nothing but the order of versions."""

    def __init__(self, connections: list[Connection], observer: Connection) -> None:
        super().__init__()
        self.observer = observer
        self.is_cluster = isinstance(observer, redis.RedisCluster)
        self.publishers = [
            Publisher(connection, batch_size=size) for connection, size in zip(connections, BATCH_SIZES, strict=True)
        ]
        self.history: list[Point] = []
        self.failed: list[list[Point]] = []
        self.revision = 0
        self.faulty = False
        self.changes: Counter[str] = Counter()
        self.erase()

    def erase(self) -> None:
        for key in list(self.observer.scan_iter(count=1000)):
            self.observer.delete(key)

    def send(self, sequence: list[Point], publisher: int) -> None:
        states = [state_at(point, self.revision) for point in sequence]
        try:
            outcomes = self.publishers[publisher].publish(states)
        except CacheUnavailable:
            if not self.faulty:
                raise
            self.failed.append(sequence)
        else:
            assert outcomes.total == len(states)
            self.changes.update(changed=outcomes.applied, deleted=outcomes.deleted)

    def send_at_once(self, sequences: list[list[Point]]) -> None:
        with ThreadPoolExecutor(PUBLISHERS) as pool:
            list(pool.map(self.send, sequences, range(len(sequences))))

    @rule(sequence=SEQUENCES, publisher=st.integers(0, PUBLISHERS - 1))
    def publish(self, sequence: list[Point], publisher: int) -> None:
        self.history += sequence
        self.send(sequence, publisher)

    @rule(sequences=st.lists(SEQUENCES, min_size=2, max_size=PUBLISHERS))
    def publish_at_once(self, sequences: list[list[Point]]) -> None:
        for sequence in sequences:
            self.history += sequence
        self.send_at_once(sequences)

    @precondition(lambda self: self.history)
    @rule(data=st.data(), publisher=st.integers(0, PUBLISHERS - 1))
    def publish_again_in_another_order(self, data: st.DataObject, publisher: int) -> None:
        self.send(data.draw(st.permutations(self.history)), publisher)

    @precondition(lambda self: self.history)
    @rule(data=st.data(), publisher=st.integers(0, PUBLISHERS - 1))
    def correct_the_normalization_and_replay_all(self, data: st.DataObject, publisher: int) -> None:
        self.revision += 1
        self.send(data.draw(st.permutations(self.history)), publisher)

    @rule(publisher=st.integers(0, PUBLISHERS - 1))
    def publish_what_failed(self, publisher: int) -> None:
        failed, self.failed = self.failed, []
        for sequence in failed:
            self.send(sequence, publisher)

    @invariant()
    def the_cache_holds_the_newest_states(self) -> None:
        if not self.failed:
            assert contents(self.observer) == expected(state_at(point, self.revision) for point in self.history)

    @invariant()
    def the_stream_tells_of_the_newest_states(self) -> None:
        """On one server of exactly as many changes as there were, unless replies were lost."""
        if self.failed:
            return
        said = told(self.observer)
        kinds = Counter(one.kind for one in said)
        assert kinds >= self.changes if self.faulty or self.is_cluster else kinds == +self.changes
        ought = newest(state_at(point, self.revision) for point in self.history)
        # A state that is only seen again, later, is no change.
        of_each = {(one.id, one.kind, one.version.partition("/")[0]) for one in said}
        assert of_each >= {
            (name, "deleted" if state.document is None else "changed", state.version.partition("/")[0])
            for name, state in ought.items()
        }

    def make_good(self) -> None:
        """End the faults."""

    def teardown(self) -> None:
        self.make_good()
        had_faults, self.faulty = self.faulty, False
        self.publish_what_failed(0)
        self.the_cache_holds_the_newest_states()
        self.faulty = had_faults
        self.the_stream_tells_of_the_newest_states()


class PublicationsWithFaults(Publications):
    """The same, while scripts are forgotten and killed, and connections dropped."""

    def __init__(self, connections: list[Connection], observer: Connection, servers: list[ValkeyServer]) -> None:
        super().__init__(connections, observer)
        self.servers = servers
        self.faulty = True

    @rule()
    def forget_the_scripts(self) -> None:
        self.observer.script_flush()

    @rule()
    def drop_the_connections(self) -> None:
        for server in self.servers:
            _drop_connections(server)

    @rule(sequences=st.lists(SEQUENCES, min_size=PUBLISHERS, max_size=PUBLISHERS))
    def drop_connections_while_publishing(self, sequences: list[list[Point]]) -> None:
        for sequence in sequences:
            self.history += sequence
        stop = threading.Event()

        def dropper() -> None:
            while not stop.is_set():
                for server in self.servers:
                    _drop_connections(server)

        thread = threading.Thread(target=dropper)
        thread.start()
        self.send_at_once(sequences)
        stop.set()
        thread.join()

    @rule(sequence=SEQUENCES, publisher=st.integers(0, PUBLISHERS - 1))
    def publish_while_a_script_hangs_until_it_is_killed(self, sequence: list[Point], publisher: int) -> None:
        self.history += sequence
        with hanging_script(self.servers[0]):
            self.send(sequence, publisher)


class PublicationsThroughProxies(PublicationsWithFaults):
    """The same, and requests and replies are lost on the way."""

    def __init__(
        self,
        connections: list[Connection],
        observer: Connection,
        servers: list[ValkeyServer],
        proxies: list[CuttingProxy],
    ) -> None:
        super().__init__(connections, observer, servers)
        self.proxies = proxies

    @rule(
        proxy=st.integers(0, PUBLISHERS - 1),
        loss=st.sampled_from(["request", "half", "reply"]),
        times=st.integers(1, 2),
    )
    def lose_what_comes_next(self, proxy: int, loss: Loss, times: int) -> None:
        self.proxies[proxy].lose(loss, times=times)

    def make_good(self) -> None:
        for proxy in self.proxies:
            proxy.heal()


def _drop_connections(server: ValkeyServer) -> None:
    with contextlib.suppress(redis.ConnectionError, redis.ResponseError), server.client() as client:
        for each in client.client_list():
            if "customer-test" in each["name"]:
                client.client_kill_filter(_id=each["id"])


@contextmanager
def hanging_script(server: ValkeyServer) -> Iterator[None]:
    """Keep the server busy with a script, then kill the script."""

    def hang() -> None:
        with server.client() as client, contextlib.suppress(redis.RedisError):
            client.eval("while true do end", 0)

    def is_busy() -> bool:
        try:
            killer.ping()
        except redis.ResponseError as error:
            return str(error).startswith("BUSY")
        return False

    def is_killed() -> bool:
        with contextlib.suppress(redis.ResponseError):
            killer.script_kill()
        return not is_busy()

    thread = threading.Thread(target=hang)
    with server.client() as killer:
        killer.config_set("busy-reply-threshold", 5)
        thread.start()
        try:
            wait_until(is_busy, what="a hanging script")
            yield
        finally:
            wait_until(is_killed, what="the end of the script")
            thread.join()


def _connect(stack: ExitStack, url: str) -> Connection:
    client: Connection = stack.enter_context(connect(f"{url}?client_name=customer-test"))
    return client


def _run(machine: Callable[[], RuleBasedStateMachine], *, examples: int) -> None:
    chosen = settings(max_examples=examples, stateful_step_count=12, deadline=None)
    run_state_machine_as_test(machine, settings=chosen)  # type: ignore[arg-type]  # any factory will do


def test_publications_in_any_order_and_at_once_converge(valkey: ValkeyServer) -> None:
    with ExitStack() as stack:
        connections = [_connect(stack, valkey.url) for _ in range(PUBLISHERS)]
        observer = _connect(stack, valkey.url)
        _run(lambda: Publications(connections, observer), examples=20)


def test_publications_converge_whatever_is_lost_in_between(valkey: ValkeyServer) -> None:
    with ExitStack() as stack:
        proxies = [stack.enter_context(CuttingProxy(valkey.port)) for _ in range(PUBLISHERS)]
        connections = [_connect(stack, proxy.url) for proxy in proxies]
        observer = stack.enter_context(connect(valkey.url))
        _run(lambda: PublicationsThroughProxies(connections, observer, [valkey], proxies), examples=20)


def test_publications_to_a_cluster_converge(valkey_cluster: ValkeyCluster) -> None:
    with ExitStack() as stack:
        connections = [_connect(stack, valkey_cluster.url) for _ in range(PUBLISHERS)]
        observer = _connect(stack, valkey_cluster.url)
        _run(lambda: Publications(connections, observer), examples=8)


def test_publications_to_a_cluster_converge_whatever_is_lost_in_between(valkey_cluster: ValkeyCluster) -> None:
    with ExitStack() as stack:
        connections = [_connect(stack, valkey_cluster.url) for _ in range(PUBLISHERS)]
        observer = stack.enter_context(connect(valkey_cluster.url))
        _run(lambda: PublicationsWithFaults(connections, observer, valkey_cluster.servers), examples=8)


@pytest.mark.parametrize("kind", ["valkey", "valkey_cluster"])
def test_two_processes_at_once_end_as_one(kind: str, request: pytest.FixtureRequest) -> None:
    server: ValkeyServer | ValkeyCluster = request.getfixturevalue(kind)
    context = multiprocessing.get_context("spawn")
    ready = context.Barrier(PROCESSES)
    processes = [context.Process(target=publish_part, args=(server.url, number, ready)) for number in range(PROCESSES)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(timeout=60)
    assert [process.exitcode for process in processes] == [0] * PROCESSES
    with connect(server.url) as client:
        assert contents(client) == expected(state for number in range(PROCESSES) for state in part(number))
