"""The pipeline's runs, as the webserver tells of them, and why one failed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from customer_pipeline import run_tags
from customer_pipeline.instance.graphql import GraphQL
from customer_pipeline.timestamps import from_epoch_microseconds
from customer_pipeline.windows import Window

JOB = "customer_sync"
ASSETS = ("raw_customers", "customers", "quarantined_customers", "customer_cache")
INGESTION = "raw_customers"
PUBLICATION = "customer_cache"

QUEUED = frozenset({"QUEUED", "NOT_STARTED", "MANAGED"})
UNDER_WAY = frozenset({"STARTING", "STARTED", "CANCELING"})
SUCCEEDED = frozenset({"SUCCESS"})
FAILED = frozenset({"FAILURE", "CANCELED"})

RUN_FIELDS = """runId status jobName creationTime startTime endTime assetSelection { path } stepKeysToExecute
  tags { key value }"""
_RUNS = f"""query($filter: RunsFilter!, $cursor: String, $limit: Int) {{
  runsOrError(filter: $filter, cursor: $cursor, limit: $limit) {{ ... on Runs {{ results {{ {RUN_FIELDS} }} }}
  ... on PythonError {{ message }} ... on InvalidPipelineRunsFilterError {{ message }} }} }}"""
_EVENTS = """query($run: ID!, $cursor: String) { logsForRun(runId: $run, afterCursor: $cursor, limit: 1000) {
  ... on EventConnection { cursor hasMore events { __typename
    ... on ExecutionStepFailureEvent { error { message } failureMetadata { description } }
    ... on EngineEvent { error { message } } ... on RunFailureEvent { message } } }
  ... on PythonError { message } ... on RunNotFoundError { message } } }"""
_TELLING = ("ExecutionStepFailureEvent", "EngineEvent", "RunFailureEvent")
_PAGE = 100
_PAGES = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRun:
    """One run of the pipeline's assets.

    Attributes:
        id: the run's id.
        status: as Dagster has it, such as STARTED.
        windows: the range it works on; None for a run without partitions.
        created: when it was requested.
        started: when its worker began, None before.
        ended: when it ended, None before.
        ingests: whether it asks the provider; a replay does not, nor what goes on after the ingestion of another run.
        publishes: whether it publishes into the cache.
        tags: all of its tags; `run_tags` has their names.
    """

    id: str
    status: str
    windows: Window | None
    created: datetime
    started: datetime | None = None
    ended: datetime | None = None
    ingests: bool = True
    publishes: bool = True
    tags: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def lane(self) -> str | None:
        """`live`, `heal`, or None where a person started it."""
        return self.tags.get(run_tags.LANE)

    @property
    def failed(self) -> bool:
        """Whether it has ended without success."""
        return self.status in FAILED

    @property
    def failure(self) -> str | None:
        """What failed, as the run said itself; `worker_lost` where it could not say."""
        if self.status != "FAILURE":
            return None
        return self.tags.get(run_tags.FAILURE, "worker_lost")

    @property
    def took(self) -> timedelta | None:
        """How long it worked, None while it has not ended."""
        return self.ended - self.started if self.ended and self.started else None


def runs(graphql: GraphQL, *, limit: int, statuses: Sequence[str] = (), lane: str | None = None) -> list[PipelineRun]:
    """Return the newest runs of the pipeline, newest first, at most `limit`.

    On an instance that others share, runs that lie behind thousands of theirs are not found.
    """
    filters: dict[str, Any] = {}
    if statuses:
        filters["statuses"] = sorted(statuses)
    if lane:
        filters["tags"] = [{"key": run_tags.LANE, "value": lane}]
    found: list[PipelineRun] = []
    cursor = None
    for _ in range(_PAGES):
        page = graphql.ask(_RUNS, {"filter": filters, "cursor": cursor, "limit": _PAGE})["runsOrError"]["results"]
        found += [pipeline_run(run) for run in page if _is_ours(run)]
        if len(found) >= limit or len(page) < _PAGE:
            break
        cursor = page[-1]["runId"]
    return found[:limit]


def pipeline_run(run: Mapping[str, Any]) -> PipelineRun:
    """Return the run that an answer holds as `RUN_FIELDS`."""
    tags = tags_of(run)
    selected = _selected(run)
    return PipelineRun(
        id=run["runId"],
        status=run["status"],
        windows=run_tags.windows_of(tags),
        created=instant(run["creationTime"]),
        started=instant(run["startTime"]) if run["startTime"] else None,
        ended=instant(run["endTime"]) if run["endTime"] else None,
        ingests=(not selected or INGESTION in selected) and INGESTION in (run["stepKeysToExecute"] or [INGESTION]),
        publishes=not selected or PUBLICATION in selected,
        tags=tags,
    )


def first_line_of_failure(graphql: GraphQL, run: PipelineRun) -> str | None:
    """Return what a failed run says first of its cause; None if it says nothing.

    A step knows it best. Of a run that was lost before or between its steps, Dagster knows something.
    """
    told: dict[str, str] = {}
    for event in _events(graphql, run):
        if line := _told(event):
            told.setdefault(event["__typename"], line)
    best = next((told[kind] for kind in _TELLING if kind in told), None)
    return best.strip().splitlines()[0] if best and best.strip() else None


def tags_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of an answer."""
    return {tag["key"]: tag["value"] for tag in content["tags"]}


def instant(epoch_seconds: float) -> datetime:
    """Return the instant of a GraphQL timestamp."""
    return from_epoch_microseconds(round(epoch_seconds * 1_000_000))


def _selected(run: Mapping[str, Any]) -> set[str]:
    return {key["path"][-1] for key in run["assetSelection"] or []}


def _is_ours(run: Mapping[str, Any]) -> bool:
    return run["jobName"] == JOB or bool(_selected(run) & set(ASSETS))


def _events(graphql: GraphQL, run: PipelineRun) -> Iterator[Mapping[str, Any]]:
    cursor = None
    while True:
        page = graphql.ask(_EVENTS, {"run": run.id, "cursor": cursor})["logsForRun"]
        yield from page["events"]
        if not page["hasMore"]:
            return
        cursor = page["cursor"]


def _told(event: Mapping[str, Any]) -> str | None:
    kind = event["__typename"]
    if kind == "ExecutionStepFailureEvent" and (description := (event["failureMetadata"] or {}).get("description")):
        return str(description)
    if kind == "RunFailureEvent":
        return str(event["message"])
    error = event.get("error") if kind in _TELLING else None
    # The name of the error's class is its module's too.
    return error and str(error["message"]).removeprefix("dagster._core.errors.")
