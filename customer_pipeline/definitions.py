"""The table of contents: everything that Dagster loads. Wrong settings are named here, before any run."""

import dagster as dg

from customer_pipeline.defs.alerting import alert_on_failure
from customer_pipeline.defs.erasure import customer_erasure
from customer_pipeline.defs.healing import heal_gaps
from customer_pipeline.defs.health import pipeline_health, report_health
from customer_pipeline.defs.ingestion import raw_customers
from customer_pipeline.defs.jobs import customer_sync
from customer_pipeline.defs.loading import load_empty_cache
from customer_pipeline.defs.normalization import normalization
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.publication import customer_cache
from customer_pipeline.defs.reconciliation import (
    cache_agrees_with_provider,
    customer_reconciliation,
    customer_reconciliation_job,
    customer_reconciliation_schedule,
)
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.defs.retention import landing_retention, landing_retention_schedule, landing_store
from customer_pipeline.defs.schedules import customer_sync_schedule
from customer_pipeline.defs.snapshot import customer_bootstrap, customer_snapshot

defs = dg.Definitions(
    assets=[
        raw_customers,
        normalization,
        customer_cache,
        customer_snapshot,
        customer_reconciliation,
        landing_store,
        pipeline_health,
    ],
    asset_checks=[cache_agrees_with_provider],
    jobs=[customer_sync, customer_bootstrap, customer_reconciliation_job, customer_erasure, landing_retention],
    schedules=[customer_sync_schedule, customer_reconciliation_schedule, landing_retention_schedule],
    sensors=[heal_gaps, load_empty_cache, alert_on_failure, report_health],
    resources={
        "provider": ProviderResource(
            profile=dg.EnvVar("PROVIDER_PROFILE"), cache_url=dg.EnvVar("REDIS_URL"), cache_prefix=settings.prefix
        ),
        "landing": LandingResource(uri=dg.EnvVar("LANDING_URI")),
        "cache": CacheResource(url=dg.EnvVar("REDIS_URL"), prefix=settings.prefix, changes_kept=settings.changes_kept),
    },
    # Backfills run outside the job, so the executor stands here. A run in one process takes about a second where a
    # process for each step takes fifteen.
    executor=dg.in_process_executor,
)
