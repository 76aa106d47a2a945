"""Publication: the cache that the frontend reads."""

from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg

from customer_pipeline import timestamps
from customer_pipeline.defs.checks import OUTDATED_AFTER, STALE_AFTER, check_publication, publication_checks
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.partitions import range_runs, ten_minute_windows, windows_of
from customer_pipeline.defs.resources import CacheResource, LandingResource
from customer_pipeline.defs.verdicts import Metadata, require
from customer_pipeline.steps import publication


@dg.asset(
    group_name="publication",
    deps=["customers"],
    partitions_def=ten_minute_windows,
    backfill_policy=range_runs,
    retry_policy=transient_retries,
    check_specs=publication_checks,
    # It looks at the last publication of any window; `cache_is_fresh` is not deceived by an old one.
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=OUTDATED_AFTER, warn_window=STALE_AFTER),
    kinds={"redis", "python"},
    owners=["team:data-engineering"],
    description="The publication of the window to Redis. An older state never replaces a newer one.",
)
def customer_cache(
    context: dg.AssetExecutionContext, landing: LandingResource, cache: CacheResource
) -> Iterator[dg.MaterializeResult[None]]:
    """Publish each window through the guard, then add it to the coverage."""
    store = landing.store()
    reports: list[publication.Published] = []
    windows = windows_of(context)
    with (
        _published_windows_stay_green(context, reports),
        explained(context, *windows),
        cache.writer() as (publisher, coverage),
    ):
        for window in windows:
            with explained(context, window):
                report = publication.publish(window, landing=store, publisher=publisher, coverage=coverage)
            reports.append(report)
    for report in reports:
        context.add_asset_metadata(_metadata_of(report), partition_key=report.window.key)
    verdicts = check_publication(reports, at=timestamps.now())
    yield dg.MaterializeResult(check_results=[verdict.result() for verdict in verdicts])
    with explained(context, *windows):
        require(verdicts, specs=publication_checks)


@contextmanager
def _published_windows_stay_green(
    context: dg.AssetExecutionContext, reports: list[publication.Published]
) -> Iterator[None]:
    """Record what was published before the failure of another window.

    Before a retry nothing is recorded: the retry publishes these windows again, and its success records them.
    """
    try:
        yield
    except dg.Failure as failure:
        if not failure.allow_retries:
            for report in reports:
                context.log_event(
                    dg.AssetMaterialization(
                        "customer_cache", partition=report.window.key, metadata=_metadata_of(report)
                    )
                )
        raise


def _metadata_of(report: publication.Published) -> Metadata:
    outcomes, freshness = report.outcomes, report.freshness
    return {
        "dagster/row_count": report.normalized,
        "applied": outcomes.applied,
        "unchanged": outcomes.unchanged,
        "stale": outcomes.stale,
        "deleted": outcomes.deleted,
        "suppressed": outcomes.suppressed,
        "freshness_lag_seconds": round(freshness.lag(timestamps.now()).total_seconds()),
        "as_of": dg.MetadataValue.timestamp(freshness.as_of),
        "gaps": len(freshness.gaps),
        "seconds": round(report.seconds, 3),
    }
