"""The ten-minute schedule."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from customer_pipeline.definitions import defs
from customer_pipeline.defs.schedules import customer_sync_schedule


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
