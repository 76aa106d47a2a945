"""Checks: true sentences about a run's windows. They come from the assets' own counts and load nothing.

They are reported from within the assets, since a check of its own does not know which windows a range run holds.
A blocking one stops publication; the windows then stay uncovered until they are materialized again.
"""

from collections.abc import Sequence

import dagster as dg

from customer_pipeline.steps import Normalized, Published
from customer_pipeline.windows import Window

MAX_QUARANTINE_RATE = 0.1
MIN_QUARANTINED = 5

normalization_checks = [
    dg.AssetCheckSpec(
        "fetched_records_are_conserved",
        asset="customers",
        blocking=True,
        description="In each window: fetched = normalized + quarantined + duplicates.",
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
        description="In each window: normalized = applied + unchanged + stale + deleted.",
    ),
    dg.AssetCheckSpec(
        "coverage_has_no_gap",
        asset="customer_cache",
        description="Every window from the pipeline's start to the newest published one is published.",
    ),
]


def check_normalization(reports: Sequence[Normalized]) -> list[dg.AssetCheckResult]:
    """Return the results of `normalization_checks`."""
    return [
        _result(
            "fetched_records_are_conserved",
            "customers",
            [report.window for report in reports if not report.conserved],
        ),
        _result(
            "customer_ids_are_unique",
            "customers",
            [report.window for report in reports if report.unique_ids != report.normalized],
        ),
        _result(
            "quarantine_rate_is_low",
            "quarantined_customers",
            [report.window for report in reports if _is_quarantined_too_often(report)],
            what_next="Read the reasons in the windows' metadata, correct the profile, materialize `customers` again.",
        ),
    ]


def _is_quarantined_too_often(report: Normalized) -> bool:
    quarantined = report.quarantined_total - report.recurring
    return quarantined >= MIN_QUARANTINED and quarantined > MAX_QUARANTINE_RATE * (report.fetched - report.recurring)


def check_publication(reports: Sequence[Published], gaps: Sequence[Window]) -> list[dg.AssetCheckResult]:
    """Return the results of `publication_checks`; `gaps` are those of the whole cache."""
    listed = ", ".join(f"[{gap.start:%Y-%m-%dT%H:%MZ}, {gap.end:%Y-%m-%dT%H:%MZ})" for gap in gaps[-20:])
    return [
        _result(
            "published_customers_are_conserved",
            "customer_cache",
            [report.window for report in reports if report.outcomes.total != report.normalized],
        ),
        dg.AssetCheckResult(
            passed=not gaps,
            check_name="coverage_has_no_gap",
            asset_key="customer_cache",
            severity=dg.AssetCheckSeverity.WARN,
            metadata={"gaps": len(gaps), "newest_gaps": listed or "none"},
        ),
    ]


def _result(
    name: str, asset: str, failing: Sequence[Window], *, what_next: str = "Materialize these windows again."
) -> dg.AssetCheckResult:
    metadata: dict[str, str | int | float] = {"failing_windows": len(failing)}
    if failing:
        metadata |= {"windows": ", ".join(window.key for window in failing[:20]), "what_next": what_next}
    return dg.AssetCheckResult(passed=not failing, check_name=name, asset_key=asset, metadata=metadata)
