"""The ten-minute schedule."""

import re
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from customer_pipeline import timestamps
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history
from customer_pipeline.defs.schedules import customer_sync_schedule
from customer_pipeline.windows import WINDOW_LENGTH, floor
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import last_windows
from customer_pipeline_tests.servers import SandboxServer


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def tick(at: datetime) -> object:
    with (
        dg.instance_for_test() as instance,
        dg.build_schedule_context(instance, scheduled_execution_time=at) as context,
    ):
        return customer_sync_schedule(context)


def test_the_tick_at_15_00_runs_the_window_that_has_just_ended() -> None:
    request = tick(datetime(2026, 11, 23, 15, 0, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == request.run_key == "2026-11-23T1450Z"


def test_a_tick_before_the_first_window_has_ended_is_skipped() -> None:
    assert isinstance(tick(datetime(2026, 11, 1, 0, 0, tzinfo=UTC)), dg.SkipReason)


@pytest.mark.parametrize("minute", range(0, 60, 10))
def test_every_tick_names_a_partition_that_exists(minute: int) -> None:
    request = tick(datetime(2026, 11, 2, 7, minute, tzinfo=UTC))
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key is not None
    partitions = defs.resolve_asset_graph().get(dg.AssetKey("raw_customers")).partitions_def
    assert partitions is not None
    assert partitions.has_partition_key(request.partition_key)


def test_the_schedule_runs_without_being_switched_on() -> None:
    assert customer_sync_schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert customer_sync_schedule.cron_schedule == "*/10 * * * *"
    assert customer_sync_schedule.job_name == "customer_sync"


def tick_after_the_last_run(deployment: Deployment) -> datetime:
    return floor(history.finished(deployment.instance, limit=1)[0].created) + WINDOW_LENGTH


def reason_to_skip(deployment: Deployment, at: datetime) -> str:
    """What the schedule makes of a tick: the reason to skip it, or an empty text for a run."""
    with dg.build_schedule_context(deployment.instance, scheduled_execution_time=at) as context:
        decision = customer_sync_schedule(context)
    assert isinstance(decision, dg.RunRequest | dg.SkipReason)
    return decision.skip_message or "" if isinstance(decision, dg.SkipReason) else ""


def test_a_provider_that_refuses_for_good_is_asked_once_an_hour_until_the_secret_is_corrected(
    kept_deployment: Deployment, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = last_windows(3)
    sandbox.control("POST", "faults/expired_token")
    for window in windows:
        assert not reason_to_skip(kept_deployment, timestamps.now())
        assert not kept_deployment.tick(window).success
    next_tick = tick_after_the_last_run(kept_deployment)
    reason = reason_to_skip(kept_deployment, next_tick)
    assert re.fullmatch(
        r"provider rejected since .* UTC \(window .*\): the provider refuses the credentials \(status 401\), "
        r"1 attempt in .* s; needs you: correct the credentials or the profile\. "
        r"The last 3 live runs failed for good, so ticks are skipped; next probe at "
        rf"{next_tick + minutes(50):%Y-%m-%d %H:%M} UTC\. "
        r"A changed profile or secret resumes at the next tick, as does a materialization\.",
        reason,
    )
    assert reason_to_skip(kept_deployment, next_tick + minutes(40)) == reason
    assert not reason_to_skip(kept_deployment, next_tick + minutes(50))

    # the provider's secret is renewed, and so is ours
    sandbox.control("DELETE", "faults")
    with monkeypatch.context() as corrected:
        corrected.setenv("SANDBOX_TOKEN", "renewed")
        assert not reason_to_skip(kept_deployment, next_tick)
    assert reason_to_skip(kept_deployment, next_tick) == reason
    kept_deployment.edit_profile("lookback: ", "# corrected\nlookback: ")
    assert not reason_to_skip(kept_deployment, next_tick)
    assert kept_deployment.tick(windows[2]).success
    assert not reason_to_skip(kept_deployment, next_tick)


def test_a_person_who_materializes_resumes_the_ticks(
    kept_deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = last_windows(3)
    with monkeypatch.context() as unset:
        unset.delenv("SANDBOX_TOKEN")
        for window in windows:
            assert not kept_deployment.tick(window).success
        next_tick = tick_after_the_last_run(kept_deployment)
        assert "profile unusable since" in reason_to_skip(kept_deployment, next_tick)
        assert not kept_deployment.run(windows[:1]).success
        assert not reason_to_skip(kept_deployment, next_tick)
        # one tick fails again: the person's run was before it
        assert not kept_deployment.tick(windows[2]).success
        assert "profile unusable since" in reason_to_skip(kept_deployment, next_tick)


def test_an_outage_that_passes_never_holds_a_tick(
    kept_deployment: Deployment, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    sandbox.control("POST", "faults/error_503")
    for window in last_windows(3):
        assert not kept_deployment.tick(window).success
    assert not reason_to_skip(kept_deployment, tick_after_the_last_run(kept_deployment))
