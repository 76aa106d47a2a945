"""A real cluster, and connections to the cache."""

from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial

import pytest
import redis

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline_tests.servers import ValkeyServer, free_port, wait_until

NODES = 3
SLOTS = 16384


class ValkeyCluster:
    """Three primaries that share the slots."""

    def __init__(self, servers: list[ValkeyServer]) -> None:
        self.servers = servers

    @property
    def url(self) -> str:
        return f"redis+cluster://127.0.0.1:{self.servers[0].port}"

    def form(self, bus_ports: list[int]) -> None:
        for number, server in enumerate(self.servers):
            with server.client() as client:
                first, last = SLOTS * number // NODES, SLOTS * (number + 1) // NODES - 1
                client.execute_command("CLUSTER ADDSLOTSRANGE", first, last)
                client.execute_command("CLUSTER SET-CONFIG-EPOCH", number + 1)
                client.execute_command("CLUSTER MEET", "127.0.0.1", self.servers[0].port, bus_ports[0])
        for server in self.servers:
            with server.client() as client:
                wait_until(partial(_is_formed, client), what="the forming of the cluster")

    def flush(self) -> None:
        for server in self.servers:
            with server.client() as client:
                client.flushall()


def _is_formed(client: redis.Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return bool(info["cluster_state"] == "ok" and int(info["cluster_known_nodes"]) == NODES)


@pytest.fixture(scope="session")
def cluster_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyCluster]:
    folder = tmp_path_factory.mktemp("cluster")
    bus_ports = [free_port() for _ in range(NODES)]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(
                ValkeyServer(
                    folder / str(number),
                    *("--cluster-enabled", "yes", "--cluster-port", str(bus_port), "--cluster-node-timeout", "5000"),
                )
            )
            for number, bus_port in enumerate(bus_ports)
        ]
        cluster = ValkeyCluster(servers)
        cluster.form(bus_ports)
        yield cluster


@pytest.fixture
def valkey_cluster(cluster_servers: ValkeyCluster) -> ValkeyCluster:
    """The cluster, empty."""
    cluster_servers.flush()
    return cluster_servers


@pytest.fixture
def connection(valkey: ValkeyServer) -> Iterator[Connection]:
    """The one server, empty."""
    with connect(valkey.url) as client:
        yield client


@pytest.fixture
def cluster(valkey_cluster: ValkeyCluster) -> Iterator[redis.RedisCluster]:
    """The cluster, empty."""
    with connect(valkey_cluster.url) as client:
        assert isinstance(client, redis.RedisCluster)
        yield client


@pytest.fixture(params=["standalone", "cluster"])
def either(request: pytest.FixtureRequest) -> Connection:
    """The one server, then the cluster."""
    client: Connection = request.getfixturevalue("connection" if request.param == "standalone" else "cluster")
    return client
