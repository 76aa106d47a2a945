"""Publication: the cache that the frontend reads."""

from collections.abc import Iterator

import dagster as dg

from customer_pipeline import steps, timestamps
from customer_pipeline.defs.checks import check_publication, publication_checks
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.partitions import range_runs, ten_minute_windows, windows_of
from customer_pipeline.defs.resources import CacheResource, LandingResource


@dg.asset(
    group_name="publication",
    deps=["customers"],
    partitions_def=ten_minute_windows,
    backfill_policy=range_runs,
    retry_policy=transient_retries,
    check_specs=publication_checks,
    kinds={"redis", "python"},
    owners=["team:data-engineering"],
    description="The publication of the window to Redis. An older state never replaces a newer one.",
)
def customer_cache(
    context: dg.AssetExecutionContext, landing: LandingResource, cache: CacheResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Publish each window through the guard, then add it to the coverage."""
    store = landing.store()
    reports = []
    windows = windows_of(context)
    with explained(context, *windows), cache.writer() as (publisher, coverage):
        for window in windows:
            with explained(context, window):
                report = steps.publish(window, landing=store, publisher=publisher, coverage=coverage)
            reports.append(report)
            outcomes, freshness = report.outcomes, report.freshness
            context.add_asset_metadata(
                {
                    "dagster/row_count": report.normalized,
                    "applied": outcomes.applied,
                    "unchanged": outcomes.unchanged,
                    "stale": outcomes.stale,
                    "deleted": outcomes.deleted,
                    "freshness_lag_seconds": round(steps.lag(freshness, timestamps.now()).total_seconds()),
                    "as_of": dg.MetadataValue.timestamp(freshness.as_of),
                    "gaps": len(freshness.gaps),
                    "seconds": round(report.seconds, 3),
                },
                partition_key=window.key,
            )
        gaps = reports[-1].freshness.gaps
    yield dg.MaterializeResult(check_results=check_publication(reports, gaps))
