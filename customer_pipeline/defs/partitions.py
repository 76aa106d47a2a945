"""The ten-minute windows as Dagster partitions, and what every partitioned asset shares."""

import os

import dagster as dg

from customer_pipeline.settings import Settings
from customer_pipeline.windows import KEY_FORMAT, Window

# Read while definitions load: partitions need a fixed start, and wrong settings are to be named before any run.
settings = Settings.from_environment(os.environ)

ten_minute_windows = dg.TimeWindowPartitionsDefinition(
    start=settings.start, cron_schedule="*/10 * * * *", timezone="UTC", fmt=KEY_FORMAT
)

# The same object on every asset: only then do they run together, as ranges. 144 windows are a day, and as many
# planned events as the creation of a run writes without timing out.
range_runs = dg.BackfillPolicy.multi_run(max_partitions_per_run=144)


def windows_of(context: dg.AssetExecutionContext) -> list[Window]:
    """Return the windows of this run, oldest first."""
    return [Window.from_key(key) for key in context.partition_keys]
