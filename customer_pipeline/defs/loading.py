"""The sensor that notices an empty cache, new or lost, and has it loaded."""

from datetime import datetime, timedelta

import dagster as dg

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.defs import history, outages
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.defs.snapshot import SnapshotConfig, customer_bootstrap
from customer_pipeline.snapshot.request import LoadRun, decide
from customer_pipeline.timestamps import format_instant

# More than fail in a row before the delay is the longest one.
_RUNS = 20
# How long the heal waits for a load.
SOON = timedelta(hours=1)


@dg.sensor(
    job=customer_bootstrap,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Has a cache loaded that is empty: in a first deployment, or when Redis was lost.",
)
def load_empty_cache(context: dg.SensorEvaluationContext, cache: CacheResource) -> dg.RunRequest | dg.SkipReason:
    """Request the load of a cache that does not know of one."""
    if not settings.profile.snapshot.enabled:
        return dg.SkipReason("the profile says that the provider cannot be walked as a whole (snapshot.enabled)")
    runs = load_runs(context.instance)
    try:
        with cache.reader() as (_, loads):
            load = loads.read()
    except CacheError as error:
        return dg.SkipReason(f"the cache does not say whether it is loaded: {error}")
    now = timestamps.now()
    decision = decide(load, runs, configuration=outages.configuration(), now=now)
    if not decision.requested:
        return dg.SkipReason(decision.says)
    return dg.RunRequest(
        run_key=f"load at {format_instant(now)}",
        run_config=dg.RunConfig(
            ops={"load_customers": SnapshotConfig(from_landing=decision.from_landing, only_if_empty=True)}
        ),
        tags={
            run_tags.REASON: decision.says,
            run_tags.FROM_LANDING: str(decision.from_landing).lower(),
            run_tags.PRIORITY: run_tags.HEAL_PRIORITY,
        },
    )


def load_runs(instance: dg.DagsterInstance) -> list[LoadRun]:
    """Return the newest runs that load the cache, newest first."""
    return [
        LoadRun(
            created=run.created,
            ended=run.ended if run.is_over else None,
            failed=run.failed,
            canceled=run.status == dg.DagsterRunStatus.CANCELED,
            failure=run.tags.get(run_tags.FAILURE),
            permanent=run.permanent,
            configuration=run.tags.get(run_tags.CONFIGURATION),
            from_landing=run.tags.get(run_tags.FROM_LANDING) == "true",
        )
        for run in history.of_job(instance, history.BOOTSTRAP_JOB, limit=_RUNS)
    ]


def is_being_loaded(instance: dg.DagsterInstance, *, now: datetime) -> bool:
    """Return whether a run that loads the cache is queued or under way, and will soon have made the gaps good."""
    return any(run.ended is None and now - run.created < SOON for run in load_runs(instance))
