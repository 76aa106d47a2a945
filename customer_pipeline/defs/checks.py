"""Checks: true sentences about a run's windows. They come from the assets' own counts and load nothing.

They are reported from within the assets, since a check of its own does not know which windows a range run holds.
A blocking one stops publication; the windows then stay uncovered until they are materialized again.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from customer_pipeline.cache.coverage import Freshness
from customer_pipeline.defs.verdicts import Metadata, Verdict
from customer_pipeline.steps.normalization import Normalized
from customer_pipeline.steps.publication import Published
from customer_pipeline.windows import Window

MAX_QUARANTINE_RATE = 0.1
MIN_QUARANTINED = 5
STALE_AFTER = timedelta(minutes=20)
OUTDATED_AFTER = timedelta(minutes=30)

normalization_checks = [
    dg.AssetCheckSpec(
        "fetched_records_are_conserved",
        asset="customers",
        blocking=True,
        description="In each window: fetched = normalized + quarantined + duplicates + suppressed.",
    ),
    dg.AssetCheckSpec(
        "customer_ids_are_unique", asset="customers", blocking=True, description="A window holds a customer once."
    ),
    dg.AssetCheckSpec(
        "quarantine_rate_is_low",
        asset="quarantined_customers",
        blocking=True,
        description=f"At most {MAX_QUARANTINE_RATE:.0%} of a window's records are quarantined, or fewer than "
        f"{MIN_QUARANTINED}; more mean that the profile is wrong rather than the records.",
    ),
]

publication_checks = [
    dg.AssetCheckSpec(
        "published_customers_are_conserved",
        asset="customer_cache",
        blocking=True,
        description="In each window: normalized = applied + unchanged + stale + deleted + suppressed.",
    ),
    dg.AssetCheckSpec(
        "coverage_has_no_gap",
        asset="customer_cache",
        description="Every window from the pipeline's start to the newest published one is published.",
    ),
    dg.AssetCheckSpec(
        "cache_is_fresh",
        asset="customer_cache",
        description=f"The newest published window has ended less than {STALE_AFTER // timedelta(minutes=1)} minutes "
        "ago, and nothing before it is missing. The publication of an old window alters neither.",
    ),
]


def check_normalization(reports: Sequence[Normalized]) -> list[Verdict]:
    """Return the verdicts of `normalization_checks`."""
    return [
        _of_windows(
            "fetched_records_are_conserved",
            "customers",
            [report.window for report in reports if not report.conserved],
        ),
        _of_windows(
            "customer_ids_are_unique",
            "customers",
            [report.window for report in reports if report.unique_ids != report.normalized],
        ),
        _of_windows(
            "quarantine_rate_is_low",
            "quarantined_customers",
            [report.window for report in reports if is_quarantined_too_often(report)],
            what_next="Read the reasons in the windows' metadata of quarantined_customers, correct the profile.",
        ),
    ]


def is_quarantined_too_often(report: Normalized) -> bool:
    """Return whether so much of a window is quarantined that the profile must be wrong."""
    quarantined = report.quarantined_total - report.recurring
    return quarantined >= MIN_QUARANTINED and quarantined > MAX_QUARANTINE_RATE * (report.fetched - report.recurring)


def check_publication(reports: Sequence[Published], *, at: datetime) -> list[Verdict]:
    """Return the verdicts of `publication_checks`; the last report tells of the whole cache."""
    freshness = reports[-1].freshness
    gaps = freshness.gaps
    listed = ", ".join(f"[{gap.start:%Y-%m-%dT%H:%MZ}, {gap.end:%Y-%m-%dT%H:%MZ})" for gap in gaps[-20:])
    return [
        _of_windows(
            "published_customers_are_conserved",
            "customer_cache",
            [report.window for report in reports if report.outcomes.total != report.normalized],
        ),
        Verdict(
            check="coverage_has_no_gap",
            asset="customer_cache",
            passed=not gaps,
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"gaps": len(gaps), "newest_gaps": listed or "none"},
        ),
        check_freshness(freshness, at=at),
    ]


def check_freshness(freshness: Freshness | None, *, at: datetime) -> Verdict:
    """Return the verdict of `cache_is_fresh` at an instant; `freshness` is what readers get.

    It fails with a warning where the newest published window, or what is complete up to its first gap, ended too long
    ago, and with an error where the newest one did long ago: then the cache stands still.
    """
    if freshness is None:
        return Verdict(
            check="cache_is_fresh",
            asset="customer_cache",
            passed=False,
            description="Nothing was published yet.",
            metadata={},
        )
    behind, incomplete = at - freshness.latest, at - freshness.as_of
    if behind > STALE_AFTER:
        description = f"The newest published window ended {_minutes(behind)} ago."
    elif incomplete > STALE_AFTER:
        description = f"Windows are missing since {freshness.as_of:%Y-%m-%d %H:%M} UTC; newer ones are published."
    else:
        description = f"The newest published window ended {_minutes(behind)} ago."
    metadata: Metadata = {
        "as_of": dg.MetadataValue.timestamp(freshness.as_of),
        "newest_window_ended": dg.MetadataValue.timestamp(freshness.latest),
        "published_at": dg.MetadataValue.timestamp(freshness.published_at),
        "minutes_behind": round(behind / timedelta(minutes=1), 1),
        "gaps": len(freshness.gaps),
    }
    if freshness.stale_since:
        metadata["stale_since"] = dg.MetadataValue.timestamp(freshness.stale_since)
    return Verdict(
        check="cache_is_fresh",
        asset="customer_cache",
        passed=max(behind, incomplete) <= STALE_AFTER,
        severity=dg.AssetCheckSeverity.ERROR if behind > OUTDATED_AFTER else dg.AssetCheckSeverity.WARN,
        description=description,
        metadata=metadata,
    )


def _minutes(length: timedelta) -> str:
    return f"{length / timedelta(minutes=1):.0f} minutes"


def _of_windows(
    name: str, asset: str, failing: Sequence[Window], *, what_next: str = "Report it: the pipeline has a defect."
) -> Verdict:
    metadata: Metadata = {"failing_windows": len(failing)}
    if failing:
        metadata |= {"windows": ", ".join(window.key for window in failing[:20]), "what_next": what_next}
    return Verdict(check=name, asset=asset, passed=not failing, metadata=metadata, windows=tuple(failing))
