"""The sensor that heals: it asks the cache what is missing and Dagster what is in progress, and requests the rest."""

from datetime import timedelta

import dagster as dg

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.defs import history, outages
from customer_pipeline.defs.jobs import customer_sync
from customer_pipeline.defs.loading import is_being_loaded
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.healing import gaps
from customer_pipeline.healing.plan import HealRun, Memory, Request, Situation, decide
from customer_pipeline.windows import WINDOW_LENGTH, Window

RUN_KEY = "dagster/run_key"

# A window is published some seconds after its end; readers are not told of a gap before.
_DUE_AFTER = timedelta(minutes=2)
# How far back a window that is published is made green as well.
_GREEN_WITHIN = timedelta(days=7)
# More than are outstanding at a time, so that none of them is overlooked.
_ENDED_RUNS = 20


@dg.sensor(
    job=customer_sync,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Publishes the gaps without a person asking, once the newest window proves that the provider is there.",
)
def heal_gaps(context: dg.SensorEvaluationContext, cache: CacheResource) -> dg.SensorResult | dg.SkipReason:
    """Request what is missing, newest first; say what waits, and what was given up."""
    now = timestamps.now()
    windows = gaps.ended(settings.start, now)
    if windows is None:
        return dg.SkipReason(f"the pipeline starts at {settings.start:%Y-%m-%dT%H:%MZ}: no window has ended yet")
    graph = _repository(context).asset_graph
    in_progress = history.in_progress(context.instance, graph)
    runs = _runs(context.instance)
    recent = Window(max(windows.start, windows.end - _GREEN_WITHIN), windows.end)
    red = history.shown_as_failed(context.instance, graph, recent)
    try:
        # Last, so that what the runs above have done is in it.
        with cache.reader() as (coverage, loads):
            coverage.refresh(until=now - _DUE_AFTER)
            published, load = coverage.read(), loads.read()
    except CacheError as error:
        return dg.SkipReason(f"the cache does not say what is missing: {error}")
    if load.as_of is None and is_being_loaded(context.instance, now=now):
        return dg.SkipReason("the cache is being loaded as a whole; what lacks then is healed")
    situation = Situation(
        now=now,
        start=settings.start,
        coverage=published,
        red=red,
        in_progress=in_progress,
        runs=runs,
        configuration=outages.configuration(),
        loaded_at=load.loaded_at,
    )
    decision = decide(situation, Memory.parse(context.cursor))
    return dg.SensorResult(
        run_requests=[_run_request(request) for request in decision.requests],
        skip_reason=None if decision.requests else decision.says,
        cursor=decision.memory.dump(),
    )


def _repository(context: dg.SensorEvaluationContext) -> dg.RepositoryDefinition:
    if context.repository_def is None:
        raise dg.DagsterInvariantViolationError("a sensor is evaluated with its repository")
    return context.repository_def


def _runs(instance: dg.DagsterInstance) -> list[HealRun]:
    """Return the heal's runs; one that ends while they are read is seen in both ways, and has ended."""
    unfinished = [run for run in history.unfinished(instance) if run.lane == run_tags.HEAL]
    finished = history.finished(instance, lane=run_tags.HEAL, limit=_ENDED_RUNS)
    known = {run.id: run for run in [*unfinished, *finished]}
    ended = {run.id for run in finished}
    return [
        HealRun(
            run_key=run.tags.get(RUN_KEY, ""),
            ended=run.id in ended,
            permanent=run.permanent,
            told=run_tags.FAILURE in run.tags,
            canceled=run.status == dg.DagsterRunStatus.CANCELED,
            local=run.tags.get(run_tags.FAILURE) in outages.WITHIN_A_WINDOW,
            failed_window=run_tags.windows_of({run_tags.PARTITION: run.tags.get(run_tags.FAILED_WINDOW, "")}),
        )
        for run in sorted(known.values(), key=lambda run: run.created, reverse=True)
    ]


def _run_request(request: Request) -> dg.RunRequest:
    last = Window(request.windows.end - WINDOW_LENGTH, request.windows.end)
    return dg.RunRequest(
        run_key=request.run_key,
        tags={
            run_tags.RANGE_START: request.windows.key,
            run_tags.RANGE_END: last.key,
            run_tags.LANE: run_tags.HEAL,
            run_tags.PRIORITY: run_tags.HEAL_PRIORITY,
            run_tags.REASON: request.reason,
            # The heal itself tries again, and cuts what is too large.
            run_tags.MAX_RETRIES: "0",
        },
    )
