"""A day of Datasette's customers, from the shipped profiles alone, ends in the cache as they are in the database."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_pipeline_tests.real_input.comparison import cached_documents, differences, expected_documents
from customer_pipeline_tests.real_input.datasette import DatasetteServer
from customer_pipeline_tests.real_input.persons import DAY, Person, persons
from customer_pipeline_tests.real_input.pipeline import Pipeline
from customer_pipeline_tests.servers import ValkeyServer


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return persons()


@pytest.fixture(scope="module")
def server(people: list[Person], tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetteServer]:
    server = DatasetteServer(tmp_path_factory.mktemp("datasette"))
    server.load(people)
    with server:
        yield server


@pytest.mark.parametrize("profile", ["datasette", "datasette-link-header"])
def test_after_a_day_of_windows_the_cache_is_the_database(
    server: DatasetteServer, people: list[Person], valkey: ValkeyServer, tmp_path: Path, profile: str
) -> None:
    Pipeline(tmp_path, valkey, profile=profile, secrets=server.environment).materialize(DAY)

    expected = expected_documents(server.rows(), people, rec_id="id", created="created_at", updated="updated_at")
    assert len(expected) == 5000
    assert differences(cached_documents(valkey), expected) == []
    with valkey.client() as client:
        assert client.zcard("customers:by_updated_at") == 5000
        freshness = json.loads(client.get("customers:freshness") or "null")
    assert freshness["as_of"] == "2025-11-21T00:00:00.000000Z"
    assert freshness["gaps"] == []
