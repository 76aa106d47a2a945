"""Jobs."""

import dagster as dg

from customer_pipeline.defs.ingestion import raw_customers
from customer_pipeline.defs.normalization import normalization
from customer_pipeline.defs.publication import customer_cache

customer_sync = dg.define_asset_job(
    "customer_sync",
    selection=dg.AssetSelection.assets(raw_customers, normalization, customer_cache),
    description="Ingest, normalize and publish windows: one at each tick, ranges in a backfill.",
)
