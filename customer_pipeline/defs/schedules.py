"""Schedules."""

from datetime import UTC

import dagster as dg

from customer_pipeline import run_tags
from customer_pipeline.defs import outages
from customer_pipeline.defs.jobs import customer_sync
from customer_pipeline.defs.partitions import settings
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor


@dg.schedule(
    job=customer_sync,
    cron_schedule="*/10 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every ten minutes, the window that has just ended.",
)
def customer_sync_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    """Request the window that ended at the tick; what becomes visible later is caught by the lookback.

    While live runs fail for good it is skipped, but for a probe an hour.
    """
    end = floor(context.scheduled_execution_time.astimezone(UTC))
    window = Window(end - WINDOW_LENGTH, end)
    if window.start < settings.start:
        return dg.SkipReason(f"the pipeline starts at {settings.start:%Y-%m-%dT%H:%MZ}")
    if reason := outages.reason_to_skip(context.instance, at=end):
        return dg.SkipReason(reason)
    tags = {run_tags.LANE: run_tags.LIVE, run_tags.PRIORITY: run_tags.LIVE_PRIORITY}
    return dg.RunRequest(run_key=window.key, partition_key=window.key, tags=tags)
