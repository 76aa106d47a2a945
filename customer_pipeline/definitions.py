"""The table of contents: everything that Dagster loads. Wrong settings are named here, before any run."""

import os

import dagster as dg

from customer_pipeline.settings import DEFAULT_PREFIX, Settings

Settings.from_environment(os.environ)

from customer_pipeline.defs.ingestion import raw_customers  # noqa: E402 -- after the settings were found usable
from customer_pipeline.defs.jobs import customer_sync  # noqa: E402
from customer_pipeline.defs.normalization import normalization  # noqa: E402
from customer_pipeline.defs.publication import customer_cache  # noqa: E402
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource  # noqa: E402
from customer_pipeline.defs.schedules import customer_sync_schedule  # noqa: E402

defs = dg.Definitions(
    assets=[raw_customers, normalization, customer_cache],
    jobs=[customer_sync],
    schedules=[customer_sync_schedule],
    resources={
        "provider": ProviderResource(profile=dg.EnvVar("PROVIDER_PROFILE")),
        "landing": LandingResource(uri=dg.EnvVar("LANDING_URI")),
        "cache": CacheResource(
            url=dg.EnvVar("REDIS_URL"), prefix=os.environ.get("CUSTOMER_PIPELINE_PREFIX") or DEFAULT_PREFIX
        ),
    },
    # Backfills run outside the job, so the executor stands here. A run in one process takes about a second where a
    # process for each step takes fifteen.
    executor=dg.in_process_executor,
)
