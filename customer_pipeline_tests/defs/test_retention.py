"""The job that removes what is too old, on a real landing store, cache and instance."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import time_machine

from customer_pipeline import run_tags, timestamps
from customer_pipeline.alerts.state import State
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history, outages
from customer_pipeline.defs.alerting import observation
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.defs.retention import landing_retention_schedule, landing_store
from customer_pipeline.instance import runs
from customer_pipeline.steps import datasets
from customer_pipeline.windows import Window, floor
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import last_windows
from customer_pipeline_tests.servers import ValkeyServer

LATER = timedelta(days=30)


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


@dataclass
class Ran:
    result: dg.ExecuteInProcessResult

    @property
    def metadata(self) -> dict[str, object]:
        """What the run shows of its output."""
        (event,) = [event for event in self.result.all_events if event.is_successful_output]
        return {name: value.value for name, value in event.step_output_data.metadata.items()}


def retain(deployment: Deployment, *, dry_run: bool = False) -> Ran:
    config = {"ops": {"remove_outdated": {"config": {"dry_run": dry_run}}}} if dry_run else {}
    job = defs.resolve_job_def("landing_retention")
    return Ran(job.execute_in_process(instance=deployment.instance, run_config=config, raise_on_error=False))


@dataclass
class Aged:
    """A deployment a month after its windows ended."""

    deployment: Deployment
    published: list[Window]
    gap: Window
    young: Window

    def has_left(self, *windows: Window) -> bool:
        return all(found == list(windows) for found in self.landed().values())

    def landed(self) -> dict[str, list[Window]]:
        return {dataset: self.deployment.landing.landed(dataset) for dataset in datasets.LANDED}


@pytest.fixture
def aged(deployment: Deployment) -> Iterator[Aged]:
    windows = last_windows(5)
    deployment.land(windows)
    published = [*windows[:2], windows[3]]
    assert deployment.publish(windows[:2]).success
    assert deployment.publish(windows[3:]).success
    with time_machine.travel(windows[3].end + LATER + timedelta(minutes=5)):
        yield Aged(deployment, published, windows[2], windows[4])


def test_old_windows_that_are_published_go_and_the_ui_shows_what_went_and_what_stays(aged: Aged) -> None:
    files = [
        Path(aged.deployment.landing.uri_of(dataset, window).removeprefix("file://"))
        for dataset in datasets.LANDED
        for window in aged.published
    ]
    size = sum(file.stat().st_size for file in files)
    ran = retain(aged.deployment)
    assert ran.result.success
    assert aged.has_left(aged.gap, aged.young)
    shown = ran.metadata
    assert (shown["removed_files"], shown["removed_bytes"], shown["removed_windows"]) == (9, size, 3)
    assert (shown["left_files"], shown["oldest_window"], shown["dry_run"]) == (6, aged.gap.key, False)
    assert (shown["kept_unpublished_windows"], shown["kept_in_use_windows"]) == (1, 0)
    ranges = shown["kept_unpublished"]
    assert isinstance(ranges, dg.TableMetadataValue)
    assert [record.data for record in ranges.records] == [{"first": aged.gap.key, "last": aged.gap.key}]
    # and the asset remembers it, for its plots
    event = aged.deployment.instance.get_latest_materialization_event(landing_store.key)
    assert event is not None
    assert event.asset_materialization is not None
    reported = {name: value.value for name, value in event.asset_materialization.metadata.items()}
    assert reported == shown


def test_a_dry_run_says_what_would_go_and_reports_nothing_as_removed(aged: Aged) -> None:
    before = aged.landed()
    dry = retain(aged.deployment, dry_run=True).metadata
    assert aged.landed() == before
    assert aged.deployment.instance.get_latest_materialization_event(landing_store.key) is None
    assert str(dry["summary"]).startswith("would remove 9 files")
    wet = retain(aged.deployment).metadata
    assert str(wet["summary"]).startswith("removed 9 files")
    assert {**dry, "dry_run": False, "summary": None, "limit": None} == {**wet, "summary": None, "limit": None}


def test_a_cache_that_was_flushed_keeps_the_landing_store_whole(aged: Aged, valkey: ValkeyServer) -> None:
    before = aged.landed()
    with valkey.client() as client:
        client.flushall()
    shown = retain(aged.deployment).metadata
    assert aged.landed() == before
    assert (shown["removed_files"], shown["kept_unpublished_windows"]) == (0, 4)


def test_what_a_run_works_on_is_kept(aged: Aged) -> None:
    tags = {run_tags.RANGE_START: aged.published[0].key, run_tags.RANGE_END: aged.published[1].key}
    aged.deployment.instance.create_run_for_job(
        defs.resolve_job_def("customer_sync"), status=dg.DagsterRunStatus.STARTED, tags=tags
    )
    shown = retain(aged.deployment).metadata
    assert shown["kept_in_use_windows"] == 2
    assert aged.has_left(*aged.published[:2], aged.gap, aged.young)


def test_a_cache_that_cannot_be_asked_fails_the_run_in_one_sentence_and_removes_nothing(
    aged: Aged, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = aged.landed()
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    ran = retain(aged.deployment)
    assert not ran.result.success
    assert aged.landed() == before
    failure = aged.deployment.failure(ran.result)
    told = str(failure.description)
    assert re.fullmatch(
        r"cache unavailable since \d{4}-\d\d-\d\d \d\d:\d\d UTC: the cache cannot be reached: [^;]*; "
        "tried again by the next run of landing_retention_schedule",
        told,
    )
    assert failure.metadata["tried"].value == "try 3 of 3"
    assert failure.metadata["what_next"].value == "Tried again by the next run of landing_retention_schedule."


def test_what_only_a_person_can_mend_is_not_tried_again_and_says_what_to_do(
    aged: Aged, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANDING_URI", "ftp://landing")
    ran = retain(aged.deployment)
    assert not ran.result.success
    failure = aged.deployment.failure(ran.result)
    assert re.fullmatch(
        r"landing store failing since .* UTC: the landing URI 'ftp://landing' has no scheme that is known; "
        r"needs you: expected file:///absolute/directory or s3://bucket/prefix",
        str(failure.description),
    )
    assert failure.metadata["permanent"].value is True
    assert failure.metadata["tried"].value == "not tried again within this run"
    assert str(failure.metadata["what_next"].value).endswith(
        "Then run the job again, or wait: it is tried again by the next run of landing_retention_schedule."
    )


def test_a_run_of_retention_is_none_of_the_pipelines(
    kept_deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The heal, the alerts, the schedule and `customer-pipeline status` go by what the pipeline's runs do."""
    instance = kept_deployment.instance
    for window in last_windows(3):
        assert kept_deployment.tick(window).success
    before = [run.id for run in history.finished(instance, limit=99)]
    cache = CacheResource(url=valkey.url)
    seen = observation(instance, cache, State())
    with monkeypatch.context() as patch:
        patch.setenv("LANDING_URI", "ftp://landing")
        for _ in range(outages.PERMANENT_FAILURES):
            assert not retain(kept_deployment).result.success
    ran = retain(kept_deployment)
    assert ran.result.success
    assert [run.id for run in history.finished(instance, limit=99)] == before
    assert history.unfinished(instance) == []
    assert {run.id for run in history.ended(instance, after=timestamps.now() - timedelta(days=99))} == set(before)
    again = observation(instance, cache, State())
    assert seen.live is not None
    assert (again.live, again.gaps, again.given_up) == (seen.live, seen.gaps, seen.given_up)
    assert outages.reason_to_skip(instance, at=floor(timestamps.now())) is None
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[ran.result.run_id]))
    run = record.dagster_run
    assert run_tags.windows_of(run.tags) is None
    assert run_tags.LANE not in run.tags
    told = {"jobName": run.job_name, "assetSelection": [{"path": key.path} for key in run.asset_selection or []]}
    assert not runs._is_ours(told)


def test_the_schedule_runs_every_night_without_being_switched_on() -> None:
    assert landing_retention_schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert landing_retention_schedule.cron_schedule == "20 3 * * *"
    assert landing_retention_schedule.execution_timezone == "UTC"
    assert landing_retention_schedule.job_name == "landing_retention"
    with dg.build_schedule_context(scheduled_execution_time=floor(timestamps.now())) as context:
        tick = landing_retention_schedule.evaluate_tick(context)
    (request,) = tick.run_requests or []
    assert request.tags.get(run_tags.LANE) is None
