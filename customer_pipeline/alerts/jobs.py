"""When a job beside the windows fails and when it succeeds again: one message each, however often it fails between.

A run that ended before the alerts first looked is not told.
"""

from dataclasses import replace
from datetime import datetime

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.job_words import ERASURE, JOBS
from customer_pipeline.alerts.messages import Message
from customer_pipeline.alerts.observation import JobRun, Observation
from customer_pipeline.alerts.state import JobState, State


def observe_jobs(state: State, seen: Observation) -> tuple[State, list[Message]]:
    """Return the next state, and what is to be told now; `state` is that after `observe`."""
    newest = {run.job: run for run in seen.jobs}
    jobs, messages = {}, []
    for job in JOBS:
        known, run = state.jobs.get(job), newest.get(job)
        if known is None:
            jobs[job] = JobState(seen_until=max(seen.now, run.ended) if run else seen.now)
        elif run is None or run.ended <= known.seen_until:
            jobs[job] = known
        else:
            jobs[job] = JobState(
                seen_until=run.ended, failing_since=(known.failing_since or run.ended) if run.failed else None
            )
            if run.failed != bool(known.failing_since):
                messages.append(_message(run, known, state=state, now=seen.now))
    return replace(state, jobs=jobs), messages


def _message(run: JobRun, known: JobState, *, state: State, now: datetime) -> Message:
    if not run.failed:
        return Message(event="job_recovered", at=now, job=run.job, since=known.failing_since, run_id=run.id)
    told_already = state.outage and Cause(state.outage.cause).passes and run.cause and run.cause.passes
    return Message(
        event="job_failed",
        at=now,
        outage=state.outage.noticed if state.outage and told_already else None,
        since=run.ended,
        cause=run.cause.kind if run.cause else None,
        # Nothing repeats an erasure.
        permanent=run.job == ERASURE or bool(run.cause and run.cause.permanent),
        run_id=run.id,
        job=run.job,
        told=run.told,
    )
