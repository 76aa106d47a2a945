"""Backfills of the pipeline's assets: launched, found again, re-executed, and how far they are."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from customer_pipeline import run_tags
from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.progress import UNFINISHED, Progress, count
from customer_pipeline.instance.runs import ASSETS, PUBLICATION, RUN_FIELDS, instant, pipeline_run
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, split, subtract

# What works from the landing store alone; the provider is not asked.
REPLAYED = tuple(asset for asset in ASSETS if asset != "raw_customers")

SUCCEEDED = frozenset({"COMPLETED_SUCCESS", "COMPLETED"})

# Dagster's limit, and what it puts before the title at each re-execution.
_LONGEST_TITLE = 100
_TITLE_OF_ANOTHER = "Re-execution of "
_MOST_RUNS = 1000

_LAUNCHED = """__typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  ... on PartitionKeysNotFoundError { message } ... on UnauthorizedError { message }"""
_LAUNCH = f"""mutation($params: LaunchBackfillParams!) {{
  launchPartitionBackfill(backfillParams: $params) {{ {_LAUNCHED} }} }}"""
_REEXECUTE = f"""mutation($params: ReexecutionParams!) {{
  reexecutePartitionBackfill(reexecutionParams: $params) {{ {_LAUNCHED} }} }}"""
_FEED = """query($filter: RunsFilter!, $limit: Int!) {
  runsFeedOrError(filter: $filter, limit: $limit, view: BACKFILLS) { ... on RunsFeedConnection { results {
    ... on PartitionBackfill { id status title creationTime assetSelection { path } } } }
  ... on PythonError { message } } }"""
_STATE = f"""query($id: String!, $asset: AssetKeyInput!, $runs: Int!) {{ partitionBackfillOrError(backfillId: $id) {{
  ... on PartitionBackfill {{ status error {{ message }}
    partitionsTargetedForAssetKey(assetKey: $asset) {{ ranges {{ start end }} partitionKeys }}
    assetBackfillData {{ assetBackfillStatuses {{ ... on AssetPartitionsStatusCounts {{
      assetKey {{ path }} numPartitionsMaterialized numPartitionsFailed }} }} }}
    runs(limit: $runs) {{ {RUN_FIELDS} }} }}
  ... on BackfillNotFoundError {{ message }} ... on PythonError {{ message }} }} }}"""
_WINDOWS = """query($asset: AssetKeyInput!) { assetNodeOrError(assetKey: $asset) { ... on AssetNode {
  first: partitionKeyConnection(limit: 1, ascending: true) { results }
  last: partitionKeyConnection(limit: 1, ascending: false) { results } }
  ... on AssetNotFoundError { message } } }"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Backfill:
    """A backfill of the pipeline's assets.

    Attributes:
        id: its id.
        status: as Dagster has it, such as COMPLETED_FAILED.
        title: as the UI shows it.
        created: when it was requested.
    """

    id: str
    status: str
    title: str | None
    created: datetime

    @property
    def unfinished(self) -> bool:
        """Whether it goes on."""
        return self.status in UNFINISHED

    @property
    def succeeded(self) -> bool:
        """Whether it has ended with every window done."""
        return self.status in SUCCEEDED


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What a person asked for.

    Attributes:
        windows: the range.
        replay: whether to work from the landing store, without asking the provider.
    """

    windows: Window
    replay: bool = False

    @property
    def tag(self) -> str:
        """The value of the tag by which the backfill is found again."""
        bounds = f"{self.windows.key}..{Window(self.windows.end, self.windows.end + WINDOW_LENGTH).key}"
        return f"{bounds} replay" if self.replay else bounds

    @property
    def title(self) -> str:
        """What the UI shows."""
        return f"{'Replay' if self.replay else 'Backfill'} {self.tag.removesuffix(' replay')}"


def page(backfill_id: str) -> str:
    """Return the path of its page in the UI."""
    return f"/runs/b/{backfill_id}"


def known_windows(graphql: GraphQL) -> Window | None:
    """Return the range of all windows that the instance has: from its start to the newest that has ended.

    Raises:
        WebserverError: if the instance does not know the pipeline.
    """
    node = graphql.ask(_WINDOWS, {"asset": _key(PUBLICATION)})["assetNodeOrError"]
    ends = [*node["first"]["results"], *node["last"]["results"]]
    return Window(Window.from_key(ends[0]).start, Window.from_key(ends[-1]).end) if ends else None


def newest(graphql: GraphQL, request: Request) -> Backfill | None:
    """Return the newest backfill that was launched for the same request, or by re-execution of one."""
    tags = [{"key": run_tags.BACKFILL, "value": request.tag}]
    answer = graphql.ask(_FEED, {"filter": {"tags": tags}, "limit": 1})
    return next((_backfill(entry) for entry in answer["runsFeedOrError"]["results"]), None)


def unfinished(graphql: GraphQL, *, limit: int) -> list[Backfill]:
    """Return the pipeline's backfills that go on, newest first; whoever launched them."""
    # The feed knows the statuses of runs: these are those of backfills that go on.
    filters = {"statuses": ["STARTED", "CANCELING"]}
    entries = graphql.ask(_FEED, {"filter": filters, "limit": limit})["runsFeedOrError"]["results"]
    return [
        _backfill(entry)
        for entry in entries
        if {key["path"][-1] for key in entry["assetSelection"] or []} & set(ASSETS)
    ]


def launch(graphql: GraphQL, request: Request, *, windows: Iterable[Window] | None = None) -> str:
    """Launch a backfill of every asset that the request concerns, and return its id.

    Args:
        graphql: of the instance.
        request: what was asked for.
        windows: the ranges of it to work on; all of it by default.
    """
    ranges = [request.windows] if windows is None else windows
    params = {
        "assetSelection": [_key(asset) for asset in (REPLAYED if request.replay else ASSETS)],
        "partitionNames": [one.key for part in ranges for one in split(part.start, part.end)],
        "tags": [{"key": run_tags.BACKFILL, "value": request.tag}],
        "title": request.title,
    }
    return _launched(graphql.ask(_LAUNCH, {"params": params})["launchPartitionBackfill"])


def launch_what_is_left(graphql: GraphQL, request: Request, ended: Backfill) -> str:
    """Launch a backfill of what `ended` left undone, and return its id.

    Only those assets of a window are made again that were not. Dagster refuses that where the title would become too
    long, after a few times; the windows that are not published are then done as a whole.
    """
    if len(_TITLE_OF_ANOTHER + (ended.title or "")) <= _LONGEST_TITLE:
        params = {"parentRunId": ended.id, "strategy": "FROM_FAILURE"}
        return _launched(graphql.ask(_REEXECUTE, {"params": params})["reexecutePartitionBackfill"])
    state = graphql.ask(_STATE, _state_of(ended.id))["partitionBackfillOrError"]
    runs = [pipeline_run(run) for run in state["runs"]]
    done = [run.windows for run in runs if run.status == "SUCCESS" and run.windows and run.publishes]
    return launch(graphql, request, windows=[hole for part in _targeted(state) for hole in subtract(part, done)])


def progress(graphql: GraphQL, backfill_id: str) -> Progress:
    """Return how far a backfill is."""
    state = graphql.ask(_STATE, _state_of(backfill_id))["partitionBackfillOrError"]
    counts = (state["assetBackfillData"] or {}).get("assetBackfillStatuses", [])
    published: dict[str, int] = next((one for one in counts if one.get("assetKey") == _key(PUBLICATION)), {})
    error = state["error"]
    return count(
        _targeted(state),
        [pipeline_run(run) for run in state["runs"]],
        status=state["status"],
        published=published.get("numPartitionsMaterialized", 0),
        failed=published.get("numPartitionsFailed", 0),
        error=error and error["message"].strip().splitlines()[0],
    )


def _state_of(backfill_id: str) -> dict[str, Any]:
    return {"id": backfill_id, "asset": _key(PUBLICATION), "runs": _MOST_RUNS}


def _targeted(state: Mapping[str, Any]) -> list[Window]:
    target = state["partitionsTargetedForAssetKey"] or {}
    ranges: Sequence[Mapping[str, str]] = target.get("ranges") or []
    bounds = [(one["start"], one["end"]) for one in ranges] + [(key, key) for key in target.get("partitionKeys") or []]
    return contiguous(Window(Window.from_key(first).start, Window.from_key(last).end) for first, last in bounds)


def _backfill(entry: Mapping[str, Any]) -> Backfill:
    return Backfill(
        id=entry["id"], status=entry["status"], title=entry["title"], created=instant(entry["creationTime"])
    )


def _launched(answer: Mapping[str, Any]) -> str:
    if answer["__typename"] != "LaunchBackfillSuccess":
        raise WebserverError(f"the backfill was refused: {answer['__typename']}")
    return str(answer["backfillId"])


def _key(asset: str) -> dict[str, list[str]]:
    return {"path": [asset]}
