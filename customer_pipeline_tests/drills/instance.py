"""What a drill asks of the running Dagster instance: through the webserver, as the UI does."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import requests

from customer_pipeline import run_tags
from customer_pipeline.windows import WINDOW_LENGTH, Window, split

LOCATION = "customer_pipeline"
REPOSITORY = "__repository__"
JOB = "customer_sync"
ASSETS = ("raw_customers", "customers", "quarantined_customers", "customer_cache")
LIVE_TAGS = {run_tags.LANE: run_tags.LIVE, run_tags.PRIORITY: run_tags.LIVE_PRIORITY}
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")

_RUN = "runId status jobName creationTime startTime endTime tags { key value }"
_RUNS = (
    "query($filter: RunsFilter!, $limit: Int, $cursor: String) {"
    " runsOrError(filter: $filter, limit: $limit, cursor: $cursor) {"
    f" __typename ... on Runs {{ results {{ {_RUN} }} }} ... on PythonError {{ message }} }} }}"
)
_STEPS = (
    "query($run: ID!) { runOrError(runId: $run) {"
    " __typename ... on Run { status stepStats { stepKey status startTime } } } }"
)
_FAILURES = """query($run: ID!) { logsForRun(runId: $run) { __typename ... on EventConnection { events { __typename
  ... on ExecutionStepFailureEvent { stepKey error { message } failureMetadata { description } }
  ... on RunFailureEvent { message } } } } }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) { __typename
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_BACKFILLS = """query { partitionBackfillsOrError(limit: 20) { __typename ... on PartitionBackfills {
  results { id status } } ... on PythonError { message } } }"""
_PARTITIONS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { __typename ... on AssetNode {
  assetPartitionStatuses { __typename ... on TimePartitionStatuses {
  ranges { status startKey endKey } } } } } }"""
_LOADED = """query { workspaceOrError { ... on Workspace { locationEntries {
  loadStatus locationOrLoadError { __typename } } } } }"""
_TICKS = """query($selector: InstigationSelector!) { instigationStateOrError(instigationSelector: $selector) {
  __typename ... on InstigationState { ticks(limit: 5) { status timestamp skipReason error { message } } } } }"""


@dataclass(frozen=True, kw_only=True, slots=True)
class DrilledRun:
    """One run, as the UI shows it."""

    id: str
    status: str
    lane: str | None
    windows: Window | None
    created: datetime
    started: datetime | None
    ended: datetime | None
    tags: Mapping[str, str]

    @property
    def finished(self) -> bool:
        return self.status not in UNFINISHED


class Instance:
    """The instance behind one webserver."""

    def __init__(self, url: str) -> None:
        self.url = url

    def loaded(self) -> bool:
        """Whether the webserver answers and has the code location."""
        try:
            entries = self._ask(_LOADED)["workspaceOrError"]["locationEntries"]
        except (requests.RequestException, RuntimeError, KeyError):
            return False
        return bool(entries) and all(
            (entry["locationOrLoadError"] or {}).get("__typename") == "RepositoryLocation" for entry in entries
        )

    def launch(self, windows: Window, *, tags: Mapping[str, str] = LIVE_TAGS) -> str:
        """Queue one run, by default as the schedule would; return its id."""
        first, last = windows.key, Window(windows.end - WINDOW_LENGTH, windows.end).key
        where = (
            {run_tags.PARTITION: first} if first == last else {run_tags.RANGE_START: first, run_tags.RANGE_END: last}
        )
        all_tags = [{"key": key, "value": value} for key, value in {**where, **tags}.items()]
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "pipelineName": JOB}
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": all_tags}}
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"the run was refused: {answer}")
        return str(answer["run"]["runId"])

    def launch_job(self, job: str) -> str:
        """Queue a run of a job without windows; return its id."""
        selector = {"repositoryLocationName": LOCATION, "repositoryName": REPOSITORY, "pipelineName": job}
        params = {"selector": selector, "runConfigData": {}, "executionMetadata": {"tags": []}}
        answer = self._ask(_LAUNCH, {"params": params})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"the run was refused: {answer}")
        return str(answer["run"]["runId"])

    def runs_of(self, job: str) -> list[DrilledRun]:
        """Return the runs of a job, newest first."""
        results = self._ask(_RUNS, {"filter": {"pipelineName": job}, "limit": 100})["runsOrError"]["results"]
        return [_run(each) for each in results]

    def backfill(self, windows: Window) -> str:
        """Start a backfill as the UI's dialog does; return its id."""
        keys = [window.key for window in split(windows.start, windows.end)]
        params = {"assetSelection": [{"path": [asset]} for asset in ASSETS], "partitionNames": keys}
        answer = self._ask(_BACKFILL, {"params": params})["launchPartitionBackfill"]
        if answer["__typename"] != "LaunchBackfillSuccess":
            raise RuntimeError(f"the backfill was refused: {answer}")
        return str(answer["backfillId"])

    def backfills_in_progress(self) -> list[str]:
        results = self._ask(_BACKFILLS)["partitionBackfillsOrError"]["results"]
        return [each["id"] for each in results if each["status"] in {"REQUESTED", "CANCELING", "FAILING"}]

    def runs(
        self, *, statuses: Sequence[str] = (), lane: str | None = None, since: datetime | None = None, limit: int = 1000
    ) -> list[DrilledRun]:
        """Return the runs, newest first."""
        filters: dict[str, Any] = {}
        if statuses:
            filters["statuses"] = list(statuses)
        if lane:
            filters["tags"] = [{"key": run_tags.LANE, "value": lane}]
        if since:
            filters["createdAfter"] = since.timestamp()
        results = self._ask(_RUNS, {"filter": filters, "limit": limit})["runsOrError"]["results"]
        return [_run(each) for each in results]

    def run(self, run_id: str) -> DrilledRun:
        (found,) = self._ask(_RUNS, {"filter": {"runIds": [run_id]}})["runsOrError"]["results"]
        return _run(found)

    def unfinished(self) -> list[DrilledRun]:
        return self.runs(statuses=UNFINISHED)

    def started_steps(self, run_id: str) -> set[str]:
        stats = self._ask(_STEPS, {"run": run_id})["runOrError"].get("stepStats") or []
        return {each["stepKey"] for each in stats if each["startTime"]}

    def failures(self, run_id: str) -> list[str]:
        """Return what the run says of its failure, step by step and as a whole."""
        said = []
        for event in self._ask(_FAILURES, {"run": run_id})["logsForRun"]["events"]:
            if event["__typename"] == "ExecutionStepFailureEvent":
                error = (event["error"] or {}).get("message", "")
                said.append(f"{event['stepKey']}: {(event['failureMetadata'] or {}).get('description') or error}")
            elif event["__typename"] == "RunFailureEvent":
                said.append(event["message"])
        return said

    def wait_for(self, run_ids: Iterable[str], *, timeout: float) -> list[DrilledRun]:
        """Wait until runs have ended; return them."""
        left = list(run_ids)
        deadline = time.monotonic() + timeout
        while True:
            runs = [self.run(run_id) for run_id in left]
            if all(run.finished for run in runs):
                return runs
            if time.monotonic() > deadline:
                raise TimeoutError(f"runs did not end within {timeout} s: {runs}")
            time.sleep(0.5)

    def partitions(self, asset: str) -> dict[str, list[Window]]:
        """Return the ranges of an asset's windows by status, such as MATERIALIZED."""
        node = self._ask(_PARTITIONS, {"key": {"path": [asset]}})["assetNodeOrError"]
        ranges: dict[str, list[Window]] = {}
        for each in node["assetPartitionStatuses"]["ranges"]:
            span = Window(Window.from_key(each["startKey"]).start, Window.from_key(each["endKey"]).end)
            ranges.setdefault(each["status"], []).append(span)
        return ranges

    def ticks(self, name: str) -> list[dict[str, Any]]:
        selector = {
            "repositoryLocationName": LOCATION,
            "repositoryName": REPOSITORY,
            "name": name,
        }  # of a schedule or sensor
        answer = self._ask(_TICKS, {"selector": selector})["instigationStateOrError"]
        ticks: list[dict[str, Any]] = answer.get("ticks", [])
        return ticks

    def _ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = {"query": query, "variables": variables or {}}
        answer = requests.post(f"{self.url}/graphql", json=body, timeout=120).json()
        if answer.get("errors"):
            raise RuntimeError("; ".join(str(error.get("message")) for error in answer["errors"]))
        content: dict[str, Any] = answer["data"]
        return content


def _run(content: Mapping[str, Any]) -> DrilledRun:
    tags = {tag["key"]: tag["value"] for tag in content["tags"]}
    first = tags.get(run_tags.RANGE_START, tags.get(run_tags.PARTITION))
    last = tags.get(run_tags.RANGE_END, first)
    windows = None
    if first and last:
        windows = Window(Window.from_key(first).start, Window.from_key(last).end)
    return DrilledRun(
        id=content["runId"],
        status=content["status"],
        lane=tags.get(run_tags.LANE),
        windows=windows,
        created=datetime.fromtimestamp(content["creationTime"], UTC),
        started=_instant(content["startTime"]),
        ended=_instant(content["endTime"]),
        tags=tags,
    )


def _instant(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
