"""A provider with sixty customers and a cache that agrees with it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_pipeline.cache.connection import Connection
from customer_pipeline.sandbox.world import Settings
from customer_pipeline_tests.cache.conftest import (
    cluster,
    cluster_servers,
    connection,
    either,
    valkey_cluster,
)
from customer_pipeline_tests.reconciliation.scenes import Scene, profile_of
from customer_pipeline_tests.sandbox.running import RunningSandbox

__all__ = ["cluster", "cluster_servers", "connection", "either", "valkey_cluster"]

CUSTOMERS = 60


@pytest.fixture
def provider() -> Iterator[RunningSandbox]:
    with RunningSandbox(Settings(customers=CUSTOMERS, changes_per_minute=0)) as running:
        for one in running.truth():
            if one["deleted"]:
                running.control("PUT", f"/customers/{one['id']}", json={"deleted": False})
        yield running


@pytest.fixture
def scene(provider: RunningSandbox, connection: Connection, tmp_path: Path) -> Scene:
    """On the one server."""
    scene = Scene(provider, connection, tmp_path)
    scene.reconcile()
    return scene


@pytest.fixture
def either_scene(provider: RunningSandbox, either: Connection, tmp_path: Path) -> Scene:
    """On the one server, then on the cluster."""
    scene = Scene(provider, either, tmp_path)
    scene.reconcile()
    return scene


@pytest.fixture(params=["with a lookup", "by a second walk"])
def each_scene(
    request: pytest.FixtureRequest, provider: RunningSandbox, connection: Connection, tmp_path: Path
) -> Scene:
    """A profile that names a lookup, then one that does not."""
    profile = profile_of() if request.param == "with a lookup" else profile_of(lookup=None)
    scene = Scene(provider, connection, tmp_path, profile=profile)
    scene.reconcile()
    scene.walks = 0
    return scene
