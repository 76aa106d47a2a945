"""Tells people when the cache goes stale or a job fails, and when all is well again.

What is told, and when, is in `customer_pipeline.alerts`.
"""

import os

import dagster as dg

from customer_pipeline import run_tags, timestamps
from customer_pipeline.alerts.causes import WORKER_LOST, Cause
from customer_pipeline.alerts.channels import configured
from customer_pipeline.alerts.delivery import deliver
from customer_pipeline.alerts.job_words import JOBS
from customer_pipeline.alerts.jobs import observe_jobs
from customer_pipeline.alerts.memory import Memory
from customer_pipeline.alerts.observation import JobRun, LiveRun, Observation, Published
from customer_pipeline.alerts.outage import observe
from customer_pipeline.alerts.state import State
from customer_pipeline.alerts.texts import Sender, summary
from customer_pipeline.cache.errors import CacheError
from customer_pipeline.defs import history
from customer_pipeline.defs.outages import failing_since
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.healing.memory import Memory as HealMemory
from customer_pipeline.variables import WEBSERVER_URL
from customer_pipeline.windows import floor

# Runs that somebody repeats are among them; the newest window's counts.
_LIVE_RUNS = 20
_JOB_RUNS = 20


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="One message when an outage starts, one when it has healed, one for windows that were given up; one "
    "when a load, a reconciliation, a retention or an erasure fails, one when it succeeds again.",
)
def alert_on_failure(context: dg.SensorEvaluationContext, cache: CacheResource) -> dg.SkipReason:
    """Observe, and tell what is new. Without a channel it is told in the log of the evaluation alone."""
    memory = Memory.parse(context.cursor)
    seen = observation(context.instance, cache, memory.state)
    state, messages = observe(memory.state, seen)
    state, more = observe_jobs(state, seen)
    messages += more
    sender = Sender(
        name=f"customer_pipeline ({settings.profile.name})", webserver_url=os.environ.get(WEBSERVER_URL.name)
    )
    letters = [sender.letter(message) for message in messages]
    for letter in letters:
        context.log.warning("%s\n%s", letter.title, letter.text)
    outbox, problems = deliver(memory.outbox, messages, channels=configured(os.environ), sender=sender, now=seen.now)
    for problem in problems:
        context.log.warning("%s", problem)
    context.update_cursor(Memory(state=state, outbox=outbox).dump())
    return dg.SkipReason("; ".join([*(letter.title for letter in letters), *problems]) or summary(state))


def observation(instance: dg.DagsterInstance, cache: CacheResource, state: State) -> Observation:
    """Return what is so now."""
    gaps = unreadable = None
    try:
        with cache.reader() as (coverage, _):
            gaps = tuple(coverage.gaps(floor(timestamps.now())))
    except CacheError as error:
        kind = run_tags.CACHE_UNAVAILABLE if error.transient else run_tags.CACHE_REJECTED
        unreadable = Cause(kind, permanent=not error.transient)
    after = state.publications_after
    return Observation(
        now=timestamps.now(),
        gaps=gaps,
        unreadable=unreadable,
        live=_newest_live(instance),
        given_up=tuple(HealMemory.parse(history.heal_memory(instance)).given_up),
        first_publication=state.first_publication or history.first_publication(instance),
        publications=[_published(each) for each in history.publications(instance, after=after)] if after else [],
        jobs=[run for job in JOBS if (run := _newest_of(instance, job, state))],
    )


def _newest_live(instance: dg.DagsterInstance) -> LiveRun | None:
    """Return the newest live run that counts: not one that a person stopped, nor one that Dagster repeats by itself."""
    found = [
        (windows.end, run.created, windows, run)
        for run in history.finished(instance, lane=run_tags.LIVE, limit=_LIVE_RUNS)
        if (windows := run.windows)
        and run.status != dg.DagsterRunStatus.CANCELED
        and run.tags.get(run_tags.WILL_RETRY) != "true"
    ]
    if not found:
        return None
    _, _, windows, run = max(found, key=lambda each: each[:2])
    cause = Cause(run.tags.get(run_tags.FAILURE, WORKER_LOST), run.permanent) if run.failed else None
    return LiveRun(id=run.id, windows=windows, cause=cause, since=failing_since(run))


def _newest_of(instance: dg.DagsterInstance, job: str, state: State) -> JobRun | None:
    """Return the run of a job that ended last and counts: loading what had landed makes no failed load good."""
    found = [
        (run.ended, run)
        for run in history.of_job(instance, job, limit=_JOB_RUNS)
        if run.ended
        and run.status in {dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE}
        and run.tags.get(run_tags.WILL_RETRY) != "true"
        and (run.failed or run.tags.get(run_tags.FROM_LANDING) != "true")
    ]
    if not found:
        return None
    ended, run = max(found, key=lambda each: each[0])
    if not run.failed:
        return JobRun(job=job, id=run.id, ended=ended, failed=False)
    told = history.explanation(instance, run.id) if state.is_news(job, ended) else None
    kind = run.tags.get(run_tags.FAILURE, None if told else WORKER_LOST)
    cause = Cause(kind, permanent=run.permanent) if kind else None
    return JobRun(job=job, id=run.id, ended=ended, failed=True, cause=cause, told=told)


def _published(publication: history.Publication) -> Published:
    changed = sum(publication.counts.get(name, 0) for name in ("applied", "deleted"))
    return Published(window=publication.window, at=publication.at, changed=round(changed))
