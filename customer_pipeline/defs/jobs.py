"""Jobs."""

import dagster as dg

from customer_pipeline import run_tags
from customer_pipeline.defs.ingestion import raw_customers
from customer_pipeline.defs.normalization import normalization
from customer_pipeline.defs.publication import customer_cache
from customer_pipeline.defs.reconciliation import customer_reconciliation as reconciliation
from customer_pipeline.defs.snapshot import customer_snapshot

customer_sync = dg.define_asset_job(
    "customer_sync",
    selection=dg.AssetSelection.assets(raw_customers, normalization, customer_cache),
    description="Ingest, normalize and publish windows: one at each tick, ranges in a backfill.",
)

customer_bootstrap = dg.define_asset_job(
    "customer_bootstrap",
    selection=dg.AssetSelection.assets(customer_snapshot),
    description="Load the whole cache from the provider, or from what has landed. Live runs go on meanwhile.",
    # A million customers take minutes at one provider and hours at another.
    tags={run_tags.LANE: run_tags.BOOTSTRAP, run_tags.MAX_RUNTIME: str(24 * 60 * 60)},
)

customer_reconciliation = dg.define_asset_job(
    "customer_reconciliation",
    selection=dg.AssetSelection.assets(reconciliation),
    description="Compare the whole provider with the cache, and make the cache agree. Live runs go on meanwhile.",
    tags={
        run_tags.LANE: run_tags.RECONCILIATION,
        run_tags.PRIORITY: run_tags.HEAL_PRIORITY,
        run_tags.MAX_RUNTIME: str(24 * 60 * 60),
    },
)
