"""The API before the one Valkey."""

from collections.abc import Iterator

import pytest

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.api.serving import ApiServer
from customer_pipeline_tests.cache.conftest import cluster_servers, valkey_cluster
from customer_pipeline_tests.servers import ValkeyServer

__all__ = ["cluster_servers", "valkey_cluster"]


@pytest.fixture(scope="session")
def api_server(valkey_server: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """One API for the whole test process."""
    with ApiServer(tmp_path_factory.mktemp("api"), valkey_server.url) as server:
        yield server


@pytest.fixture
def connection(valkey: ValkeyServer) -> Iterator[Connection]:
    """The cache, empty."""
    with connect(valkey.url) as client:
        yield client


@pytest.fixture
def publisher(connection: Connection) -> Publisher:
    """Publishes into the cache."""
    return Publisher(connection)


@pytest.fixture
def api(api_server: ApiServer, connection: Connection) -> ApiServer:
    """The API, its cache empty."""
    del connection
    return api_server
