"""Fixtures that many tests share."""

import os
import signal
from collections.abc import Iterator

import dagster as dg
import pytest
from hypothesis import settings

# Definitions read the environment while they load; tests that run them set their own values afterwards.
os.environ.update(
    {
        "PROVIDER_PROFILE": "sandbox",
        "SANDBOX_URL": "http://127.0.0.1:9",
        "SANDBOX_TOKEN": "sandbox-token",
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "LANDING_URI": "file:///nonexistent",
        "CUSTOMER_PIPELINE_START": "2026-11-01T00:00:00Z",
    }
)

from customer_pipeline_tests.postgresql import PostgreSQLServer
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

# What is started in the background is told to ignore Ctrl-C; a program under test is not to inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# A machine may be busy: a slow example is no failure.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def valkey_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One Valkey for the whole test process."""
    with ValkeyServer(tmp_path_factory.mktemp("valkey")) as server:
        yield server


@pytest.fixture
def valkey(valkey_server: ValkeyServer) -> ValkeyServer:
    """The Valkey, empty."""
    with valkey_server.client() as client:
        client.flushall()
    return valkey_server


@pytest.fixture(scope="session")
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxServer]:
    """One sandbox provider for the whole test process: 600 customers whose changes are made by the tests alone."""
    arguments = ("--customers", "600", "--changes-per-minute", "0")
    with SandboxServer(tmp_path_factory.mktemp("sandbox"), *arguments) as server:
        yield server


@pytest.fixture
def sandbox(sandbox_server: SandboxServer) -> Iterator[SandboxServer]:
    """The sandbox provider without faults; records that are no customers are removed when the test has ended."""
    sandbox_server.control("DELETE", "faults")
    yield sandbox_server
    sandbox_server.control("DELETE", "faults")
    for key, line in sandbox_server.truth().items():
        if not isinstance(line["record"], dict) or line["record"].get("id") != key:
            sandbox_server.control("DELETE", f"customers/{key}", hard="1")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQLServer]:
    """One PostgreSQL for the whole test process."""
    with PostgreSQLServer() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def either_instance(request: pytest.FixtureRequest) -> Iterator[dg.DagsterInstance]:
    """An instance that keeps its runs in SQLite, as by default, then one that keeps them in PostgreSQL."""
    overrides = {}
    if request.param == "postgresql":
        server: PostgreSQLServer = request.getfixturevalue("postgresql")
        overrides = {"storage": server.storage()}
    with dg.instance_for_test(overrides=overrides) as made:
        yield made
