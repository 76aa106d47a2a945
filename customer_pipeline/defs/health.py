"""The health of the pipeline, for whoever opens its asset: the last 24 hours in pictures and key numbers.

An asset downstream of the cache does not run when a run fails, so what it shows is reported by a sensor.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.defs import history
from customer_pipeline.defs.checks import check_freshness
from customer_pipeline.defs.history import PipelineRun
from customer_pipeline.defs.outages import failing_so_since, said_at
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.defs.verdicts import Metadata, Verdict
from customer_pipeline.healing.memory import Memory
from customer_pipeline.health import pictures
from customer_pipeline.health.day import LENGTH, Publication, State, due, lag_at, look_back
from customer_pipeline.health.seen import Seen
from customer_pipeline.health.state import Health

_PROVIDER = {
    run_tags.PROVIDER_UNAVAILABLE,
    run_tags.PROVIDER_THROTTLED,
    run_tags.PROVIDER_REJECTED,
    run_tags.PROVIDER_MISBEHAVED,
}

pipeline_health = dg.AssetSpec(
    "pipeline_health",
    deps=["customer_cache"],
    group_name="health",
    kinds={"dagster"},
    owners=["team:data-engineering"],
    description="The last 24 hours at a glance, times in UTC; reported after each run, failed ones included.\n\n"
    "- **windows**: what became of each of the 144; blank before the pipeline's start\n"
    "- **lag**: how far the cache lay behind when each window ended, and now\n"
    "- **throughput**: how many customers the publications of each window changed",
)


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports `pipeline_health`, and whether the cache is fresh, when a run has ended or a window is late.",
)
def report_health(context: dg.SensorEvaluationContext, cache: CacheResource) -> dg.SensorResult | dg.SkipReason:
    """Report if there is something new; without it an evaluation costs one query."""
    at = timestamps.now()
    seen = Seen.parse(context.cursor)
    news = history.ended(context.instance, after=seen.ended) if seen else []
    if seen and not news and not seen.is_old(at):
        return dg.SkipReason(f"no run has ended since {said_at(seen.ended)}")
    health, fresh = _observe(context, cache, at=at)
    ended = news[0].ended if news else None
    cursor = Seen(looked=at, ended=ended or (seen.ended if seen else at), shown=health.shown).dump()
    if seen and not news and seen.shown == health.shown:
        return dg.SensorResult(skip_reason=f"nothing has changed: {health.summary()}", cursor=cursor)
    return dg.SensorResult(
        asset_events=[
            dg.AssetMaterialization("pipeline_health", metadata=metadata(health)),
            fresh.evaluation(),
        ],
        skip_reason=f"reported: {health.summary()}",
        cursor=cursor,
    )


def metadata(health: Health) -> Metadata:
    """Return what the UI shows. The keys are short: a long one would push the pictures out of sight."""
    day = health.day
    shown: dict[str, str | int | dg.MetadataValue | None] = {
        "summary": health.summary(),
        "windows": dg.MetadataValue.md(pictures.states(day)),
        "lag": dg.MetadataValue.md(pictures.lags(day, now=health.lag)),
        "throughput": dg.MetadataValue.md(pictures.throughput(day)),
        "published": day.count(State.PUBLISHED),
        "changed": sum(number for number in day.changed if number is not None),
        "missing": health.missing,
        "gaps": None if health.gaps is None else len(health.gaps),
        "as_of": dg.MetadataValue.timestamp(health.as_of) if health.as_of else None,
        "lag_seconds": None if health.lag is None else round(health.lag.total_seconds()),
        "provider": health.provider,
        "last_failure": health.last_failure or "none in these 24 hours",
        "failed_run": dg.MetadataValue.dagster_run(health.failed_run) if health.failed_run else None,
    }
    return {name: value for name, value in shown.items() if value is not None}


def _observe(context: dg.SensorEvaluationContext, cache: CacheResource, *, at: datetime) -> tuple[Health, Verdict]:
    instance = context.instance
    if context.repository_def is None:
        raise dg.DagsterInvariantViolationError("a sensor is evaluated with its repository")
    runs = history.ended(instance, after=at - LENGTH)
    in_progress = history.in_progress(instance, context.repository_def.asset_graph)
    publications = [_publication(each) for each in reversed(history.publications(instance, after=at - LENGTH))]
    until = due(at, tried=[run.windows for run in runs if run.windows])
    coverage = [publication.window for publication in publications]
    gaps, freshness, lag, unreadable = None, None, None, None
    try:
        with cache.reader() as (reader, _):
            coverage, freshness = reader.read(), reader.freshness()
            gaps = reader.gaps(until)
        lag = freshness.lag(at) if freshness else None
    except CacheError as error:
        unreadable = error
        lag = lag_at(at, publications=publications)
    failure = next((run for run in runs if run.status == dg.DagsterRunStatus.FAILURE), None)
    health = Health(
        at=at,
        day=look_back(
            at,
            start=settings.start,
            due=until,
            published=coverage,
            in_progress=in_progress,
            given_up=Memory.parse(history.heal_memory(instance)).given_up,
            publications=publications,
        ),
        as_of=freshness.as_of if freshness else None,
        gaps=gaps,
        lag=lag,
        unreadable=unreadable.reason if unreadable else None,
        provider=_provider(runs, answered=history.last_ingestion(instance)),
        last_failure=_told(instance, failure) if failure else None,
        failed_run=failure.id if failure else None,
    )
    return health, _unreadable(unreadable) if unreadable else check_freshness(freshness, at=at)


def _provider(runs: Sequence[PipelineRun], *, answered: datetime | None) -> str:
    """Return how the provider answered last.

    Args:
        runs: those that have ended, the one that ended last first.
        answered: when a window was ingested last.
    """
    refused = next((run for run in runs if run.failed and run.tags.get(run_tags.FAILURE, "") in _PROVIDER), None)
    if refused and refused.ended and not (answered and answered > refused.ended):
        said = run_tags.SAID[refused.tags[run_tags.FAILURE]].removeprefix("provider ")
        return f"{said} since {said_at(failing_so_since(refused))}" + (", needs a person" if refused.permanent else "")
    return f"answered at {said_at(answered)}" if answered else "not asked yet"


def _told(instance: dg.DagsterInstance, run: PipelineRun) -> str:
    failure = run.tags.get(run_tags.FAILURE)
    said = "its worker was lost" if failure is None else run_tags.SAID.get(failure, failure)
    return f"{said_at(run.ended or run.created)}: {history.explanation(instance, run.id) or said}"


def _publication(reported: history.Publication) -> Publication:
    counts = reported.counts
    return Publication(
        window=reported.window,
        at=reported.at,
        changed=round(counts.get("applied", 0) + counts.get("deleted", 0)),
        lag=timedelta(seconds=counts.get("freshness_lag_seconds", 0)),
    )


def _unreadable(error: CacheError) -> Verdict:
    return Verdict(
        check="cache_is_fresh",
        asset="customer_cache",
        passed=False,
        description=f"The cache does not tell: {error.reason}.",
        metadata={"what_next": error.advice},
    )
