"""The stores that landing's and the cache's tests have."""

import pytest

from customer_pipeline.cache.connection import Connection
from customer_pipeline_tests.cache.conftest import cluster, cluster_servers, connection, either, valkey_cluster
from customer_pipeline_tests.erasure.world import World
from customer_pipeline_tests.landing.conftest import Place, bucket, folder, place, s3_server

__all__ = [
    "bucket",
    "cluster",
    "cluster_servers",
    "connection",
    "either",
    "folder",
    "place",
    "s3_server",
    "valkey_cluster",
]


@pytest.fixture
def world(folder: Place, connection: Connection) -> World:
    """A local landing store and one server."""
    return World(folder, connection)
