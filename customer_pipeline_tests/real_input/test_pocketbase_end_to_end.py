"""A day of PocketBase's customers, edited by an application during the walk, ends in the cache as in the database."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from customer_pipeline.provider.profile import shipped_profiles
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.real_input.comparison import (
    cached_documents,
    differences,
    expected_documents,
    tombstones,
)
from customer_pipeline_tests.real_input.persons import DAY, Person, persons
from customer_pipeline_tests.real_input.pipeline import Pipeline
from customer_pipeline_tests.real_input.pocketbase import Editor, PocketBaseServer, written
from customer_pipeline_tests.servers import ValkeyServer

NOON = DAY.start + timedelta(hours=12)
MORNING, AFTERNOON = Window(DAY.start, NOON), Window(NOON, DAY.end)


@pytest.fixture(scope="module")
def people() -> list[Person]:
    return persons()


@pytest.fixture
def server(people: list[Person], tmp_path: Path) -> Iterator[PocketBaseServer]:
    folder = tmp_path / "pocketbase"
    folder.mkdir()
    with PocketBaseServer(folder) as server:
        server.load(people)
        yield server


def test_after_a_day_of_windows_and_edits_the_cache_is_the_database(
    server: PocketBaseServer, people: list[Person], valkey: ValkeyServer, tmp_path: Path
) -> None:
    """The morning is walked in small pages while its customers are edited, the afternoon afterwards."""
    profile = tmp_path / "pocketbase.yaml"
    shipped = shipped_profiles()["pocketbase"].read_text()
    assert "  size: 500 " in shipped
    profile.write_text(shipped.replace("  size: 500 ", "  size: 10 "))
    pipeline = Pipeline(tmp_path / "pipeline", valkey, profile=profile, secrets=server.environment)
    of_the_morning = [row["id"] for row in server.rows() if row["updated"] < written(NOON)]

    first = Window(MORNING.start, MORNING.start + WINDOW_LENGTH)
    with Editor(
        server,
        of_the_morning,
        begin=lambda: pipeline.has_landed(first),
        start=NOON + timedelta(hours=1),
        step=timedelta(seconds=7),
    ) as editor:
        pipeline.materialize(MORNING)
    edited, landed = set(editor.edited), pipeline.landed_ids(MORNING)
    assert edited & landed, "some were edited after they had been fetched"
    assert edited - landed, "some were edited before, while the walk was under way"
    assert set(of_the_morning) - edited <= landed, "nobody edited these: none may be lost"

    pipeline.materialize(AFTERNOON)
    rows = server.rows()
    expected = expected_documents(rows, people, rec_id="rec_id", created="created", updated="updated")
    assert differences(cached_documents(valkey), expected) == []
    deleted = {row["id"] for row in rows if row["deleted"]}
    assert len(expected) + len(deleted) == 5000
    assert deleted
    assert tombstones(valkey) == deleted
    with valkey.client() as client:
        freshness = json.loads(client.get("customers:freshness") or "null")
    assert freshness["as_of"] == "2025-11-21T00:00:00.000000Z"
