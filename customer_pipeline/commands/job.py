"""What the commands share that start one run of a job through the running instance, and watch it."""

import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from customer_pipeline.commands.output import complain, say
from customer_pipeline.instance import job_runs
from customer_pipeline.instance.graphql import GraphQL, WebserverError, WebserverUnreachable
from customer_pipeline.instance.job_runs import JobRun
from customer_pipeline.instance.watching import QUEUE_PATIENCE, ContactLost, watch
from customer_pipeline.timestamps import now

FAILED = 1
OUTCOME_UNKNOWN = 3
INTERRUPTED = 130
ANSWER_TIMEOUT = timedelta(minutes=1)


def run_job(
    graphql: GraphQL,
    job: str,
    *,
    config: Mapping[str, Any],
    tags: Mapping[str, str] | None = None,
    wait: Callable[[float], None] = time.sleep,
) -> int:
    """Start a run of a job, or go on watching one with the same tags; return the exit code of its outcome.

    A run of which an asset check did not pass has not succeeded.

    Args:
        graphql: of the webserver.
        job: its name.
        config: the run config, where a run is started.
        tags: of that run; one that is under way with others does something else.
        wait: waits for so many seconds.
    """
    try:
        run = job_runs.unfinished(graphql, job, tags=tags)
        if run:
            say(f"run {run.id[:8]} of {job} is under way: watching it")
        else:
            run = job_runs.launch(graphql, job, config=config, tags=tags)
            say(f"run {run.id[:8]} of {job} is requested")
    except WebserverUnreachable as error:
        return complain(
            f"{error}; nothing was started. Start the stack, or name its Dagster UI by --url or DAGSTER_WEBSERVER_URL",
            code=OUTCOME_UNKNOWN,
        )
    except WebserverError as error:
        return complain(f"{error}; nothing was started", code=OUTCOME_UNKNOWN)
    say(graphql.link(job_runs.page(run)))
    try:
        return _watched(graphql, job, run, wait=wait)
    except KeyboardInterrupt:
        say("the run goes on: the same command watches it again, the UI can stop it")
        return INTERRUPTED


def _watched(graphql: GraphQL, job: str, run: JobRun, *, wait: Callable[[float], None]) -> int:
    seen = run
    is_queue_told = False

    def look() -> JobRun:
        return job_runs.look(graphql, seen)

    try:
        for seen in watch(look, say=say, wait=wait, clock=now):
            for line in seen.lines:
                say(line)
            if seen.queued and seen.created and not is_queue_told and now() - seen.created >= QUEUE_PATIENCE:
                say(f"queued since {seen.created:%H:%M:%S}Z: does the daemon run? `customer-pipeline status` tells")
                is_queue_told = True
    except ContactLost as error:
        return complain(
            f"{error}. The run goes on: once the webserver is back, the same command watches it again",
            code=OUTCOME_UNKNOWN,
        )
    if seen.succeeded and not seen.failed_checks:
        say(f"run {run.id[:8]} of {job} has succeeded")
        return 0
    if seen.succeeded:
        return complain(f"run {run.id[:8]} of {job} has ended: {' '.join(seen.failed_checks)}", code=FAILED)
    cause = seen.cause or ("canceled" if seen.status == "CANCELED" else "it does not say why")
    return complain(f"run {run.id[:8]} of {job} ended as {seen.status}: {cause}", code=FAILED)
