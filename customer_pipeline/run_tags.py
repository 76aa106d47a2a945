"""The tags by which runs are told apart, and the priorities of the queue. A person sees and filters them in the UI."""

from collections.abc import Mapping

from customer_pipeline.windows import Window

# The lanes: one run of each at a time (`dagster.yaml`). What a person starts has none.
LANE = "customer_pipeline/lane"
LIVE = "live"
HEAL = "heal"
BOOTSTRAP = "bootstrap"
RECONCILIATION = "reconciliation"

# Why a heal was requested.
REASON = "customer_pipeline/reason"

# What `customer-pipeline backfill` was asked for, so that it is found again.
BACKFILL = "customer_pipeline/backfill"

# Whether a load is made of what has landed: `true` or `false`.
FROM_LANDING = "customer_pipeline/from_landing"

# Written to a run by its own failure.
FAILURE = "customer_pipeline/failure"  # what failed, such as provider_unavailable
PERMANENT = "customer_pipeline/permanent"  # `true` or `false`: whether trying again needs a person first
FAILED_WINDOW = "customer_pipeline/failed_window"  # the key of the window that the run met it in
FAILING_SINCE = "customer_pipeline/failing_since"  # since when runs fail without a success between, an instant
FAILING_SO_SINCE = "customer_pipeline/failing_so_since"  # since when they fail for the present reason
CONFIGURATION = "customer_pipeline/configuration"  # fingerprint of the profile, its secrets and the stores' URLs

# The values of FAILURE, and how they are said.
PROVIDER_UNAVAILABLE = "provider_unavailable"
PROVIDER_THROTTLED = "provider_throttled"
PROVIDER_REJECTED = "provider_rejected"
PROVIDER_MISBEHAVED = "provider_misbehaved"
CACHE_UNAVAILABLE = "cache_unavailable"
CACHE_REJECTED = "cache_rejected"
LANDING = "landing"
PROFILE = "profile"
CHECKS = "checks"
UNFORESEEN = "unforeseen"
SAID = {
    PROVIDER_UNAVAILABLE: "provider unavailable",
    PROVIDER_THROTTLED: "provider throttled",
    PROVIDER_REJECTED: "provider rejected",
    PROVIDER_MISBEHAVED: "provider misbehaved",
    CACHE_UNAVAILABLE: "cache unavailable",
    CACHE_REJECTED: "cache rejected",
    LANDING: "landing store failing",
    PROFILE: "profile unusable",
    CHECKS: "checks failing",
    UNFORESEEN: "unforeseen error",
}

# Dagster's own.
PARTITION = "dagster/partition"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"
PRIORITY = "dagster/priority"
RETRY_NUMBER = "dagster/retry_number"
WILL_RETRY = "dagster/will_retry"
MAX_RETRIES = "dagster/max_retries"
MAX_RUNTIME = "dagster/max_runtime"
RETRY_ON_FAILURE = "dagster/retry_on_asset_or_op_failure"

# Live outranks what a person starts, which has no priority of its own, and that outranks the heal.
LIVE_PRIORITY = "1"
HEAL_PRIORITY = "-1"


def windows_of(tags: Mapping[str, str]) -> Window | None:
    """Return the range that a run's tags name; None where they name none: people may write any tags."""
    first = tags.get(RANGE_START, tags.get(PARTITION))
    last = tags.get(RANGE_END, first)
    if first is None or last is None:
        return None
    try:
        return Window(Window.from_key(first).start, Window.from_key(last).end)
    except ValueError:
        return None
