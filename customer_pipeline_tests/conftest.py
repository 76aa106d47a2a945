"""Fixtures that many tests share."""

from collections.abc import Iterator

import pytest

from customer_pipeline_tests.servers import ValkeyServer


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One Valkey for the whole test process."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> Iterator[ValkeyServer]:
    """The Valkey, empty."""
    with valkey_server.client() as client:
        client.flushall()
    yield valkey_server
