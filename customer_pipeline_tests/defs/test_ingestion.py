"""Ingestion within the profile's limits: what a run shows of its waiting, and who goes first."""

import dagster as dg
import pytest

from customer_pipeline import run_tags, timestamps
from customer_pipeline.definitions import defs
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import ValkeyServer

LIMITS = "requests: 6000\n  period: 1m\n  concurrent: 4"
SLOTS = [f"customers:request_budget:sandbox:slot:{number}" for number in range(4)]


def ingest(deployment: Deployment, lane: str | None) -> dg.ExecuteInProcessResult:
    end = floor(timestamps.now())
    return defs.resolve_job_def("customer_sync").execute_in_process(
        instance=deployment.instance,
        tags={
            run_tags.PARTITION: Window(end - WINDOW_LENGTH, end).key,
            **({run_tags.LANE: lane} if lane else {}),
        },
        raise_on_error=False,
        asset_selection=[dg.AssetKey("raw_customers")],
    )


def occupy(valkey: ValkeyServer, *slots: str) -> None:
    with valkey.client() as client:
        for slot in slots:
            client.set(slot, "another process", px=600_000)


@pytest.mark.parametrize("lane", [run_tags.HEAL, None])
def test_a_run_that_is_not_live_leaves_the_last_slot_and_says_whose_budget_is_used_up(
    deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch, lane: str | None
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    occupy(valkey, *SLOTS[1:])
    result = ingest(deployment, lane)
    assert not result.success
    failure = deployment.failure(result)
    assert "the pipeline's own request budget is used up" in str(failure.description)
    assert ingest(deployment, run_tags.LIVE).success


def test_a_window_shows_how_long_it_waited_for_the_budget(deployment: Deployment) -> None:
    deployment.edit_profile(LIMITS, "requests: 1\n  period: 2s")
    deployment.edit_profile("budget: 1s", "budget: 60s")
    ingest(deployment, run_tags.LIVE)
    result = ingest(deployment, run_tags.LIVE)
    assert result.success
    (event,) = result.get_asset_materialization_events()
    waited = event.step_materialization_data.materialization.metadata["waited_seconds"].value
    assert isinstance(waited, float)
    assert 0 < waited < 60


def test_a_redis_that_is_gone_fails_ingestion_with_limits_by_name_and_without_them_not_at_all(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    result = ingest(deployment, run_tags.LIVE)
    assert not result.success
    assert "the cache cannot be reached" in str(deployment.failure(result).description)
    deployment.edit_profile(f"limits:\n  {LIMITS}\n", "")
    assert ingest(deployment, run_tags.LIVE).success
