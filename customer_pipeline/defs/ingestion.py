"""Ingestion: what the provider says changed, landed as received."""

import dagster as dg

from customer_pipeline import run_tags
from customer_pipeline.defs.columns import columns_of
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.partitions import range_runs, ten_minute_windows, windows_of
from customer_pipeline.defs.resources import LandingResource, ProviderResource
from customer_pipeline.ranges import ingestions
from customer_pipeline.steps import datasets


@dg.asset(
    group_name="ingestion",
    partitions_def=ten_minute_windows,
    backfill_policy=range_runs,
    retry_policy=transient_retries,
    kinds={"python", "parquet"},
    owners=["team:data-engineering"],
    description="Every record that the provider says changed in the window, as received.",
    metadata=columns_of(datasets.RAW_CUSTOMERS),
)
def raw_customers(
    context: dg.AssetExecutionContext, provider: ProviderResource, landing: LandingResource
) -> dg.MaterializeResult[None]:
    """Ask the provider for each window, with the lookback before it, and land the answer."""
    store = landing.store()
    windows = windows_of(context)
    background = context.run.tags.get(run_tags.LANE) != run_tags.LIVE
    with (
        explained(context, *windows),
        provider.clients(most=len(windows), background=background) as clients,
        ingestions(windows, clients=clients, landing=store) as under_way,
    ):
        for window, report in under_way:
            with explained(context, window):
                ingested = report()
            walk = ingested.walk
            context.add_asset_metadata(
                {
                    "dagster/row_count": ingested.landed,
                    "pages": walk.pages,
                    "requests": walk.requests,
                    "retries": walk.retries,
                    "bytes": walk.bytes,
                    "landed_bytes": ingested.landed_bytes,
                    "seconds": round(walk.seconds, 3),
                    "waited_seconds": round(walk.waited.total_seconds(), 3),
                    "passes": walk.passes,
                    "redelivered": walk.redelivered,
                    "outside_window": walk.outside,
                    "suppressed": ingested.suppressed,
                    "dagster/uri": store.uri_of(datasets.RAW_CUSTOMERS, window),
                },
                partition_key=window.key,
            )
    return dg.MaterializeResult()
