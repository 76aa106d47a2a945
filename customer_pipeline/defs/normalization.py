"""Normalization: typed customers, and the records that cannot become one."""

from collections.abc import Iterator, Mapping

import dagster as dg

from customer_pipeline.defs.checks import check_normalization, normalization_checks
from customer_pipeline.defs.columns import columns_of
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.partitions import range_runs, ten_minute_windows, windows_of
from customer_pipeline.defs.resources import LandingResource, ProviderResource
from customer_pipeline.defs.verdicts import require
from customer_pipeline.steps.datasets import CUSTOMERS, QUARANTINED_CUSTOMERS
from customer_pipeline.steps.normalization import normalize


@dg.multi_asset(
    name="normalization",
    specs=[
        dg.AssetSpec(
            "customers",
            deps=["raw_customers"],
            group_name="normalization",
            kinds={"pandas", "parquet"},
            owners=["team:data-engineering"],
            description="One typed row a customer: the newest state in the window.",
            metadata=columns_of(CUSTOMERS),
        ),
        dg.AssetSpec(
            "quarantined_customers",
            deps=["raw_customers"],
            group_name="normalization",
            kinds={"pandas", "parquet"},
            owners=["team:data-engineering"],
            description="Rejected records with a reason code and the field's path; never published.",
            metadata=columns_of(QUARANTINED_CUSTOMERS),
        ),
    ],
    partitions_def=ten_minute_windows,
    backfill_policy=range_runs,
    retry_policy=transient_retries,
    check_specs=normalization_checks,
)
def normalization(
    context: dg.AssetExecutionContext, provider: ProviderResource, landing: LandingResource
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """Normalize each landed window anew; the provider is not asked."""
    store = landing.store()
    windows = windows_of(context)
    with explained(context, *windows):
        profile = provider.load()
    reports = []
    for window in windows:
        with explained(context, window):
            report = normalize(window, profile=profile, landing=store)
        reports.append(report)
        context.add_asset_metadata(
            {
                "dagster/row_count": report.normalized,
                "fetched": report.fetched,
                "duplicates": report.duplicates,
                "deletions": report.deletions,
                "suppressed": report.suppressed,
                "invalid_fields": sum(report.invalid.values()),
                "invalid_by_field": _table("field", report.invalid),
                "seconds": round(report.seconds, 3),
                "dagster/uri": store.uri_of(CUSTOMERS, window),
            },
            asset_key="customers",
            partition_key=window.key,
        )
        context.add_asset_metadata(
            {
                "dagster/row_count": report.quarantined_total,
                "quarantined_by_reason": _table("reason", report.quarantined),
                "dagster/uri": store.uri_of(QUARANTINED_CUSTOMERS, window),
            },
            asset_key="quarantined_customers",
            partition_key=window.key,
        )
    yield dg.MaterializeResult(asset_key="customers")
    yield dg.MaterializeResult(asset_key="quarantined_customers")
    verdicts = check_normalization(reports)
    yield from (verdict.result() for verdict in verdicts)
    # Dagster would stop here too, but only name the checks.
    with explained(context, *windows):
        require(verdicts, specs=normalization_checks)


def _table(column: str, counts: Mapping[str, int]) -> dg.TableMetadataValue:
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dg.MetadataValue.table(
        records=[dg.TableRecord({column: name, "records": count}) for name, count in ordered],
        schema=dg.TableSchema(columns=[dg.TableColumn(column, "string"), dg.TableColumn("records", "int")]),
    )
