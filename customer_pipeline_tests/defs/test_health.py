"""The sensor that reports the health of the pipeline, on a real instance, cache and provider."""

import os
from datetime import datetime, timedelta
from typing import Any

import dagster as dg
import pytest
import time_machine

from customer_pipeline import run_tags, timestamps
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history
from customer_pipeline.defs.health import pipeline_health, report_health
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.health.pictures import LONGEST_INLINE
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer


class Observer:
    """Evaluates the sensor as the daemon does: keeps its cursor, and records what it reports."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.cursor: str | None = None
        self.said = ""
        self.check: dg.AssetCheckEvaluation | None = None

    def reported(self) -> dict[str, Any]:
        """Evaluate once, and return the metadata that is reported; empty when it is silent."""
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            repository_def=defs.get_repository_def(),
            resources={"cache": CacheResource(url=os.environ["REDIS_URL"])},
        )
        result = report_health.evaluate_tick(context)
        self.cursor, self.said = result.cursor, str(result.skip_message)
        if not result.asset_events:
            return {}
        materialization, check = result.asset_events
        assert isinstance(materialization, dg.AssetMaterialization)
        assert isinstance(check, dg.AssetCheckEvaluation)
        self.check = check
        assert materialization.asset_key == pipeline_health.key
        for event in result.asset_events:
            self.instance.report_runless_asset_event(event)
        return {name: value.value for name, value in materialization.metadata.items()}

    def fresh(self) -> bool:
        """Whether the check that was reported last has passed."""
        assert self.check is not None
        assert self.check.asset_key == dg.AssetKey("customer_cache")
        assert self.check.check_name == "cache_is_fresh"
        return self.check.passed


@pytest.fixture
def deployment(kept_deployment: Deployment) -> Deployment:
    """One whose instance knows sensors."""
    return kept_deployment


@pytest.fixture
def observer(deployment: Deployment) -> Observer:
    return Observer(deployment.instance)


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


def last_windows(count: int) -> list[Window]:
    end = floor(timestamps.now())
    return list(split(end - count * WINDOW_LENGTH, end))


def test_a_success_is_reported_once(deployment: Deployment, observer: Observer) -> None:
    first = observer.reported()
    assert first["summary"].startswith("Missing windows: ")
    assert first["provider"] == "not asked yet"
    assert not observer.fresh()
    assert not observer.reported()
    assert observer.said.startswith("no run has ended since")

    windows = last_windows(3)
    assert deployment.run(windows).success
    shown = observer.reported()
    assert shown["published"] == 3
    assert shown["changed"] > 0
    assert shown["gaps"] == 1
    assert shown["missing"] == (windows[0].start - datetime.fromisoformat("2026-11-01T00:00Z")) // WINDOW_LENGTH
    assert shown["as_of"] == windows[-1].end.timestamp()
    assert 0 <= shown["lag_seconds"] < 1200
    assert shown["provider"].startswith("answered at ")
    assert shown["last_failure"] == "none in these 24 hours"
    assert "failed_run" not in shown
    assert observer.fresh()
    for name in ("windows", "lag", "throughput"):
        assert len(shown[name]) < LONGEST_INLINE
    assert "published 3" in shown["windows"]
    assert not observer.reported()


def test_a_failure_is_reported_with_its_kind_and_time_though_the_asset_upstream_did_not_run(
    deployment: Deployment, observer: Observer, sandbox: SandboxServer
) -> None:
    deployment.run(last_windows(2)[:1])
    observer.reported()
    sandbox.control("POST", "faults/error_503")
    assert not deployment.run(last_windows(1)).success
    (run,) = history.finished(deployment.instance, limit=1)
    # Other things may fail for longer than the provider does.
    deployment.instance.add_run_tags(run.id, {run_tags.FAILING_SINCE: "2026-11-01T00:00:00.000000Z"})
    shown = observer.reported()
    assert run.ended is not None
    assert run.tags[run_tags.FAILURE] == run_tags.PROVIDER_UNAVAILABLE
    assert shown["failed_run"] == run.id
    assert shown["last_failure"].startswith(f"{run.ended:%Y-%m-%d %H:%M} UTC: ")
    assert "unavailable" in shown["last_failure"]
    so_since = timestamps.parse_instant(run.tags[run_tags.FAILING_SO_SINCE])
    assert shown["provider"] == f"unavailable since {so_since:%Y-%m-%d %H:%M} UTC"
    assert "Provider: unavailable since " in shown["summary"]
    assert shown["published"] == 1
    assert not observer.reported()

    sandbox.control("DELETE", "faults")
    assert deployment.run(last_windows(1)).success
    shown = observer.reported()
    assert shown["provider"].startswith("answered at ")
    assert shown["failed_run"] == run.id


def test_windows_that_grow_old_without_any_run_are_reported_and_the_cache_is_no_longer_fresh(
    deployment: Deployment, observer: Observer
) -> None:
    deployment.run(last_windows(1))
    observer.reported()
    assert observer.fresh()
    with time_machine.travel(timestamps.now() + timedelta(minutes=9), tick=True):
        assert not observer.reported()
    with time_machine.travel(floor(timestamps.now()) + timedelta(minutes=33), tick=True):
        shown = observer.reported()
    assert shown["published"] == 1
    assert "missing 143" in shown["windows"]
    assert not observer.fresh()


def test_ten_minutes_in_which_nothing_changes_are_not_reported(
    observer: Observer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    later = floor(timestamps.now()) + timedelta(minutes=3)
    with time_machine.travel(later, tick=True):
        assert "missing 144" in observer.reported()["windows"]
    with time_machine.travel(later + timedelta(minutes=11), tick=True):
        assert not observer.reported()
        assert observer.said.startswith("nothing has changed: The cache does not tell")
        assert not observer.reported()
        assert observer.said.startswith("no run has ended since")


@pytest.mark.parametrize("published_before", [True, False])
def test_without_the_cache_the_day_is_reported_as_dagster_remembers_it(
    deployment: Deployment, observer: Observer, monkeypatch: pytest.MonkeyPatch, *, published_before: bool
) -> None:
    if published_before:
        deployment.run(last_windows(2))
        observer.reported()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    assert not deployment.run(last_windows(1)).success
    shown = observer.reported()
    assert shown["summary"].startswith("The cache does not tell what it has: the cache cannot be reached")
    assert shown["published"] == 2 * published_before
    assert not {"as_of", "gaps", "missing"} & shown.keys()
    assert ("lag_seconds" in shown) == published_before
    assert "cache" in shown["last_failure"]
    assert not observer.fresh()


def test_a_cache_that_lost_everything_is_shown_as_missing_everything(
    deployment: Deployment, observer: Observer, valkey: ValkeyServer
) -> None:
    deployment.run(last_windows(1))
    with valkey.client() as client:
        client.flushall()
    shown = observer.reported()
    assert shown["published"] == 0
    assert "lag_seconds" not in shown
    assert not observer.fresh()


def test_no_customer_and_no_secret_is_in_what_is_reported(
    deployment: Deployment, observer: Observer, sandbox: SandboxServer
) -> None:
    deployment.run(last_windows(2))
    sandbox.control("POST", "faults/expired_token")
    deployment.run(last_windows(1))
    shown = str(observer.reported()) + observer.said + str(observer.cursor) + str(observer.check)
    assert "needs a person" in shown
    assert sandbox.TOKEN not in shown
    for record in sandbox.truth().values():
        email = record.get("contact", {}).get("email") if isinstance(record.get("contact"), dict) else None
        assert not email or email not in shown


def test_the_last_run_that_ended_is_the_first_although_it_was_requested_before(deployment: Deployment) -> None:
    before = timestamps.now()
    deployment.run(last_windows(1))
    between = timestamps.now()
    deployment.run(last_windows(1))
    both = history.ended(deployment.instance, after=before)
    assert [run.ended for run in both] == sorted((run.ended for run in both if run.ended), reverse=True)
    assert len(both) == 2
    assert history.ended(deployment.instance, after=between) == both[:1]
    # a later update of a run is no second end
    deployment.instance.add_run_tags(both[1].id, {"noted": "later"})
    assert [run.id for run in history.ended(deployment.instance, after=between)] == [both[0].id]
