"""What a real server says when it cannot or will not write, and that nothing half-written is left behind."""

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import redis

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.errors import CacheRejected, CacheUnavailable, explain
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.cache.states import KEYS, START, contents, deletion, expected, live
from customer_pipeline_tests.cache.test_convergence import hanging_script
from customer_pipeline_tests.servers import ValkeyServer, wait_until

WINDOW = Window(START, START + WINDOW_LENGTH)


def test_a_full_server_is_unavailable_and_nothing_of_the_batch_is_written(tmp_path: Path) -> None:
    with ValkeyServer(tmp_path, "--maxmemory-policy", "noeviction") as server, connect(server.url) as client:
        publisher = Publisher(client)
        publisher.publish([live("a", 1, 1)])
        client.config_set("maxmemory", 1)
        before = contents(client)
        with pytest.raises(CacheUnavailable, match=r"no memory left \(OOM\).*maxmemory") as caught:
            publisher.publish([live("a", 2, 1), deletion("b", 1, 1), live("c", 1, 1)])
        assert caught.value.transient
        assert contents(client) == before
        with pytest.raises(CacheUnavailable, match="OOM"):
            Coverage(client, keys=KEYS).extend([WINDOW])
        client.config_set("maxmemory", 0)
        assert publisher.publish([live("a", 2, 1), deletion("b", 1, 1), live("c", 1, 1)]).total == 3


def test_a_batch_on_a_server_that_runs_full_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    """Later batches of the same round trip may fit again: a refused one frees its memory."""
    with ValkeyServer(tmp_path, "--maxmemory-policy", "noeviction", "--maxmemory", "3mb") as server:
        states = [live(f"c{number}", number, 1, "x" * 500) for number in range(10_000)]
        with connect(server.url) as client:
            with pytest.raises(CacheUnavailable, match="OOM"):
                Publisher(client, batch_size=100).publish(states)
            written = contents(client)
            assert 0 < len(written.index) < len(states)
            batches = [states[first : first + 100] for first in range(0, len(states), 100)]
            there = [batch for batch in batches if batch[0].id in written.index]
            assert written == expected(state for batch in there for state in batch)


def test_a_replica_is_unavailable(valkey: ValkeyServer, tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path, "--replicaof", "127.0.0.1", str(valkey.port)) as replica,
        connect(replica.url) as client,
        connect(valkey.url) as primary,
    ):
        wait_until(lambda: client.info("replication")["master_link_status"] == "up", what="the replication")
        Publisher(primary).publish([live("a", 1, 1)])
        wait_until(lambda: bool(client.exists(KEYS.document("a"))), what="the replicated document")
        for states in ([live("b", 1, 1)], [live("a", 1, 1)], [deletion("a", 2, 1)]):
            with pytest.raises(CacheUnavailable, match=r"read-only replica \(READONLY\)"):
                Publisher(client).publish(states)
        assert contents(client) == expected([live("a", 1, 1)])


def test_a_primary_that_lacks_its_replicas_is_unavailable(tmp_path: Path) -> None:
    with (
        ValkeyServer(tmp_path, "--min-replicas-to-write", "1") as server,
        connect(server.url) as client,
        pytest.raises(CacheUnavailable, match="NOREPLICAS"),
    ):
        Publisher(client).publish([live("a", 1, 1)])


def test_a_busy_server_is_unavailable(valkey: ValkeyServer) -> None:
    with connect(valkey.url) as client:
        publisher = Publisher(client)
        with hanging_script(valkey), pytest.raises(CacheUnavailable, match=r"busy with a script \(BUSY\).*SCRIPT KILL"):
            publisher.publish([live("a", 1, 1)])
        assert publisher.publish([live("a", 1, 1)]) == Outcomes(applied=1)


def test_a_server_that_is_loading_is_unavailable(tmp_path: Path) -> None:
    server = ValkeyServer(tmp_path, "--enable-debug-command", "local")
    with server, server.client() as admin:
        admin.execute_command("DEBUG", "POPULATE", 3000)
        admin.save()
    server.command += ["--key-load-delay", "1000", "--loading-process-events-interval-bytes", "1024"]
    server.start()
    try:
        with connect(server.url) as client, pytest.raises(CacheUnavailable, match=r"loading its data \(LOADING\)"):
            Publisher(client).publish([live("a", 1, 1)])
    finally:
        server.kill()


def test_a_killed_server_comes_back_with_whole_batches_and_a_replay_repairs(tmp_path: Path) -> None:
    states = [
        *(live(f"c{number}", 1, 1) for number in range(5000)),
        *(deletion(f"c{number}", 2, 2) for number in range(0, 5000, 2)),
        *(live(f"c{number}", 3, 3) for number in range(0, 5000, 4)),
    ]
    server = ValkeyServer(tmp_path)
    server.command += ["--appendonly", "yes", "--appendfsync", "everysec"]
    with server:
        with connect(server.url) as client, ThreadPoolExecutor(1) as pool:
            published = pool.submit(Publisher(client, batch_size=50).publish, states)
            with connect(server.url) as observer:
                wait_until(lambda: observer.zcard(KEYS.by_updated_at) > 500, what="the middle of the publication")
            assert server.process is not None
            os.kill(server.process.pid, signal.SIGKILL)
            error = published.exception(timeout=30)
        server.kill()
        assert error is None or isinstance(error, CacheUnavailable)
        server.start()
        with connect(server.url) as client:
            wait_until(lambda: not client.info("persistence")["loading"], what="the loading")
            survived = contents(client)
            documents = {key for key in survived.values if not key.endswith(":tombstone")}
            assert {KEYS.document(name) for name in survived.index} == documents
            assert Publisher(client).publish(states).total == len(states)
            assert contents(client) == expected(states)


def test_errors_tell_nothing_of_the_customer(valkey: ValkeyServer) -> None:
    with connect(valkey.url) as client:
        client.hset(KEYS.document("Ada"), mapping={"a": "b"})
        with pytest.raises(CacheRejected) as caught:
            Publisher(client).publish([live("Ada", 1, 1, "Lovelace")])
        assert "Ada" not in str(caught.value)
        assert "Lovelace" not in str(caught.value)


def test_an_unknown_answer_is_rejected_without_repeating_it() -> None:
    answer = redis.ResponseError("ERR unknown command 'EVALSHA', with args beginning with: 'customer:{Ada}'")
    error = explain(answer)
    assert isinstance(error, CacheRejected)
    assert "(ERR)" in str(error)
    assert "Ada" not in str(error)


@pytest.mark.parametrize(
    ("error", "transient", "said"),
    [
        (redis.exceptions.ClusterDownError("The cluster is down", status_code="CLUSTERDOWN"), True, "CLUSTERDOWN"),
        (redis.exceptions.TryAgainError("Multiple keys", status_code="TRYAGAIN"), True, "TRYAGAIN"),
        (redis.exceptions.ClusterError("TTL exhausted."), True, "moving a slot"),
        (redis.exceptions.SlotNotCoveredError("Slot 1"), True, "SlotNotCoveredError"),
        (redis.exceptions.RedisClusterException("x"), True, "did not answer as a whole"),
        (redis.ResponseError("MISCONF Redis is configured to save"), True, "MISCONF"),
        (redis.ResponseError("ERR Script killed by user with SCRIPT KILL."), True, "KILLED"),
        (redis.ResponseError("UNKILLABLE Sorry"), True, "UNKILLABLE"),
        (redis.AuthenticationError("invalid username-password pair"), False, "WRONGPASS"),
        (redis.DataError("Invalid input"), False, "DataError"),
    ],
)
def test_each_error_has_its_kind(error: Exception, *, transient: bool, said: str) -> None:
    explained = explain(error)
    assert explained.transient is transient
    assert said in str(explained)


def test_one_publisher_may_be_used_by_several_threads(valkey: ValkeyServer) -> None:
    states = [live(f"c{number}", updated, 1) for updated in range(3) for number in range(200)]
    barrier = threading.Barrier(3)
    with connect(valkey.url) as client:
        publisher = Publisher(client, batch_size=30)

        def publish(step: int) -> int:
            barrier.wait(timeout=10)
            return publisher.publish(states[::step]).total

        with ThreadPoolExecutor(3) as pool:
            totals = list(pool.map(publish, (1, -1, 7)))
        assert totals == [600, 600, 86]
        assert contents(client) == expected(states)
