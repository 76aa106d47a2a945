"""One run of a job that has no windows: launched, found while it goes on, and watched to its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.runs import FAILED, QUEUED, SUCCEEDED, UNDER_WAY, instant

_REPOSITORIES = """query { repositoriesOrError { ... on RepositoryConnection { nodes { name location { name }
  pipelines { name } } } ... on PythonError { message } } }"""
_RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) { ... on Runs { results {
  runId status } } ... on PythonError { message } ... on InvalidPipelineRunsFilterError { message } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PipelineNotFoundError { message } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_EVENTS = """query($run: ID!, $cursor: String) { runOrError(runId: $run) { ... on Run { status creationTime } }
  logsForRun(runId: $run, afterCursor: $cursor, limit: 1000) { ... on EventConnection { cursor hasMore events {
    __typename ... on LogMessageEvent { message level }
    ... on AssetCheckEvaluationEvent { evaluation { checkName success description } }
    ... on ExecutionStepFailureEvent { error { message } failureMetadata { description } } } }
  ... on PythonError { message } ... on RunNotFoundError { message } } }"""


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRun:
    """A run as far as it is known.

    Attributes:
        id: its id.
        status: as Dagster has it, such as STARTED.
        created: when it was requested; None until it is looked at.
        lines: what it has logged since it was last looked at.
        cause: the first line of why its step failed.
        failed_checks: what asset checks found that did not pass.
        cursor: where the next look begins.
    """

    id: str
    status: str
    created: datetime | None = None
    lines: tuple[str, ...] = ()
    cause: str | None = None
    failed_checks: tuple[str, ...] = ()
    cursor: str | None = None

    @property
    def queued(self) -> bool:
        """Whether it has not begun."""
        return self.status in QUEUED

    @property
    def unfinished(self) -> bool:
        """Whether it is queued or under way."""
        return self.status in QUEUED | UNDER_WAY

    @property
    def succeeded(self) -> bool:
        """Whether it has ended well."""
        return self.status in SUCCEEDED

    @property
    def failed(self) -> bool:
        """Whether it has ended without success."""
        return self.status in FAILED


def unfinished(graphql: GraphQL, job: str, *, tags: Mapping[str, str] | None = None) -> JobRun | None:
    """Return the newest run of a job, with these tags among others, that has not ended.

    Raises:
        WebserverError: if the webserver does not answer.
    """
    runs = {"pipelineName": job, "statuses": sorted(QUEUED | UNDER_WAY), "tags": _tags(tags)}
    found = graphql.ask(_RUNS, {"filter": runs})["runsOrError"]["results"]
    return JobRun(id=found[0]["runId"], status=found[0]["status"]) if found else None


def launch(graphql: GraphQL, job: str, *, config: Mapping[str, Any], tags: Mapping[str, str] | None = None) -> JobRun:
    """Queue a run of a job.

    Args:
        graphql: of the webserver.
        job: its name.
        config: the run config.
        tags: of the run, besides those of the job.

    Raises:
        WebserverError: if no code location has the job, or the run is refused.
    """
    nodes = graphql.ask(_REPOSITORIES)["repositoriesOrError"]["nodes"]
    found = [node for node in nodes if any(each["name"] == job for each in node["pipelines"])]
    if not found:
        raise WebserverError(f"no code location that is loaded has the job {job}")
    selector = {
        "repositoryLocationName": found[0]["location"]["name"],
        "repositoryName": found[0]["name"],
        "pipelineName": job,
    }
    params = {"selector": selector, "runConfigData": config, "executionMetadata": {"tags": _tags(tags)}}
    answer = graphql.ask(_LAUNCH, {"params": params})["launchRun"]
    if answer["__typename"] != "LaunchRunSuccess":
        messages = "; ".join(error["message"] for error in answer.get("errors", []))
        raise WebserverError(f"the run was refused: {messages or answer['__typename']}")
    return JobRun(id=answer["run"]["runId"], status="QUEUED")


def look(graphql: GraphQL, run: JobRun) -> JobRun:
    """Return what has become of a run since it was last looked at.

    Raises:
        WebserverError: if the webserver does not answer, or knows no such run.
    """
    lines: list[str] = []
    failed_checks = list(run.failed_checks)
    cause, cursor = run.cause, run.cursor
    while True:
        answer = graphql.ask(_EVENTS, {"run": run.id, "cursor": cursor})
        events = answer["logsForRun"]
        for event in events["events"]:
            if event["__typename"] == "LogMessageEvent" and event["level"] in {"INFO", "WARNING"}:
                lines.append(event["message"].partition("\n")[0])
            elif event["__typename"] == "AssetCheckEvaluationEvent":
                check = event["evaluation"]
                if not check["success"]:
                    failed_checks.append(check["description"] or f"{check['checkName']} failed")
            elif event["__typename"] == "ExecutionStepFailureEvent":
                told = (event["failureMetadata"] or {}).get("description") or (event["error"] or {}).get("message", "")
                cause = told.partition("\n")[0]
        cursor = events["cursor"]
        if not events["hasMore"]:
            break
    return JobRun(
        id=run.id,
        status=answer["runOrError"]["status"],
        created=instant(answer["runOrError"]["creationTime"]),
        lines=tuple(lines),
        cause=cause,
        failed_checks=tuple(failed_checks),
        cursor=cursor,
    )


def _tags(tags: Mapping[str, str] | None) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in (tags or {}).items()]


def page(run: JobRun) -> str:
    """Return the path of a run's page in the UI."""
    return f"/runs/{run.id}"
