from typing import Any

import pytest

from customer_pipeline import run_tags
from customer_pipeline.instance import job_runs
from customer_pipeline.instance.graphql import GraphQL

REPLAY = {"runId": "replay", "status": "STARTED", "tags": {run_tags.FROM_LANDING: "true", run_tags.LANE: "bootstrap"}}
LOAD = {"runId": "load", "status": "QUEUED", "tags": {run_tags.FROM_LANDING: "false"}}


class Filtering(GraphQL):
    """Answers as Dagster does, with the runs that have every tag of the filter."""

    def __init__(self, *runs: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9")
        self._runs = runs

    def ask(self, query: str, variables: Any = None) -> dict[str, Any]:
        assert "runsOrError" in query
        tags = {tag["key"]: tag["value"] for tag in variables["filter"]["tags"]}
        return {"runsOrError": {"results": [run for run in self._runs if tags.items() <= run["tags"].items()]}}


@pytest.mark.parametrize(("wanted", "found"), [("true", "replay"), ("false", "load"), (None, "replay")])
def test_only_a_run_with_the_same_tags_is_the_one_that_is_under_way(wanted: str | None, found: str) -> None:
    tags = {run_tags.FROM_LANDING: wanted} if wanted else None

    run = job_runs.unfinished(Filtering(REPLAY, LOAD), "customer_bootstrap", tags=tags)

    assert run is not None
    assert run.id == found


def test_a_run_with_other_tags_does_something_else() -> None:
    assert job_runs.unfinished(Filtering(REPLAY), "customer_bootstrap", tags={run_tags.FROM_LANDING: "false"}) is None
