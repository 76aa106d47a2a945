"""The jobs of one code location: their runs are found, launched and canceled, as the first load needs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customer_pipeline import run_tags
from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.runs import tags_of
from customer_pipeline.windows import WINDOW_LENGTH, Window

__all__ = ["Run", "Webserver", "WebserverError", "first_and_last_key"]

_LOCATIONS = """query { workspaceOrError { ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
  __typename ... on RepositoryLocation { repositories { name } } ... on PythonError { message causes { message } } } } }
  ... on PythonError { message } } }"""
_RUNS = """query($filter: RunsFilter!) { runsOrError(filter: $filter) { ... on Runs { results {
  runId status updateTime tags { key value } } } ... on PythonError { message }
  ... on InvalidPipelineRunsFilterError { message } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PipelineNotFoundError { message } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_CANCEL = """mutation($run: String!) { terminateRun(runId: $run, terminatePolicy: MARK_AS_CANCELED_IMMEDIATELY) {
  __typename ... on TerminateRunFailure { message } ... on PythonError { message } } }"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A run that has not ended.

    Attributes:
        id: the run's id.
        queued: whether it waits for its turn.
        updated: epoch seconds of its last change.
        windows: the range it works on, where it has one.
    """

    id: str
    queued: bool
    updated: float
    windows: Window | None

    def has_lost_its_worker(self, since: datetime) -> bool:
        """Return whether the run was under way before `since` and has not been heard of after."""
        return not self.queued and self.updated < since.timestamp()


class Webserver:
    """One code location, through its webserver."""

    def __init__(self, url: str, *, location: str) -> None:
        self._graphql = GraphQL(url)
        self._location = location
        self._repository: str | None = None

    def answers(self) -> bool:
        """Return whether the UI is up."""
        return self._graphql.answers()

    def find_job(self) -> None:
        """Find the repository of the code location.

        Raises:
            WebserverError: if the location failed to load; the message has its error.
        """
        entries = self._graphql.ask(_LOCATIONS)["workspaceOrError"]["locationEntries"]
        entry = next((entry for entry in entries if entry["name"] == self._location), None)
        loaded = entry and entry["locationOrLoadError"]
        if not loaded:
            raise WebserverError(f"the code location {self._location} is not loaded yet")
        if "message" in loaded:
            # Dagster's own error only says that there is one; the innermost is what happened.
            innermost = [loaded, *loaded.get("causes", [])][-1]
            raise WebserverError(f"the code location {self._location} failed to load: {innermost['message'].strip()}")
        self._repository = loaded["repositories"][0]["name"]

    def unfinished_runs(self, job: str) -> list[Run]:
        """Return a job's runs that are queued or under way."""
        statuses = ["QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING"]
        variables = {"filter": {"pipelineName": job, "statuses": statuses}}
        return [
            Run(
                id=run["runId"],
                queued=run["status"] == "QUEUED",
                updated=run["updateTime"] or 0.0,
                windows=run_tags.windows_of(tags_of(run)),
            )
            for run in self._graphql.ask(_RUNS, variables)["runsOrError"]["results"]
        ]

    def launch(self, job: str, *, tags: Mapping[str, str], config: Mapping[str, Any] | None = None) -> None:
        """Queue one run of a job."""
        selector = {
            "repositoryLocationName": self._location,
            "repositoryName": self._repository,
            "pipelineName": job,
        }
        metadata = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        params = {"selector": selector, "runConfigData": config or {}, "executionMetadata": metadata}
        answer = self._graphql.ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise WebserverError(f"the run was refused: {answer}")

    def cancel(self, run: Run) -> None:
        """Mark a run as canceled whose worker is gone."""
        self._graphql.ask(_CANCEL, {"run": run.id})


def first_and_last_key(windows: Window) -> tuple[str, str]:
    """Return the partition keys at both ends of a range."""
    return windows.key, Window(windows.end - WINDOW_LENGTH, windows.end).key
