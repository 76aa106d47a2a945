from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from customer_pipeline import run_tags
from customer_pipeline.instance import backfills
from customer_pipeline.instance.backfills import REPLAYED, Backfill, Request
from customer_pipeline.instance.graphql import GraphQL, WebserverError
from customer_pipeline.instance.runs import ASSETS, PipelineRun, first_line_of_failure, runs
from customer_pipeline.windows import Window

AT = datetime(2026, 11, 23, 15, tzinfo=UTC)
RANGE = Window(datetime(2026, 11, 23, 12, tzinfo=UTC), datetime(2026, 11, 23, 13, tzinfo=UTC))
KEYS = [f"2026-11-23T12{minute}0Z" for minute in range(6)]


class Scripted(GraphQL):
    """Answers in turn, as a webserver was seen to, and keeps what it was asked; `test_on_a_stack` has a real one."""

    def __init__(self, *answers: dict[str, Any]) -> None:
        super().__init__("http://127.0.0.1:9")
        self.prepared = list(answers)
        self.asked: list[Mapping[str, Any]] = []

    def ask(self, query: str, variables: Mapping[str, Any] | None = None) -> dict[str, Any]:
        assert query
        self.asked.append(variables or {})
        return self.prepared.pop(0)


def launched(mutation: str) -> dict[str, Any]:
    return {mutation: {"__typename": "LaunchBackfillSuccess", "backfillId": "abcdefgh"}}


def run_answer(
    status: str, *, first: str, last: str, assets: tuple[str, ...] = ASSETS, job: str = "__ASSET_JOB"
) -> dict[str, Any]:
    tags = {run_tags.RANGE_START: first, run_tags.RANGE_END: last}
    return {
        "runId": "r1",
        "status": status,
        "jobName": job,
        "creationTime": AT.timestamp(),
        "startTime": None,
        "endTime": None,
        "assetSelection": [{"path": [asset]} for asset in assets],
        "stepKeysToExecute": None,
        "tags": [{"key": key, "value": value} for key, value in tags.items()],
    }


def state(*run_answers: dict[str, Any], status: str = "COMPLETED_FAILED", error: str | None = None) -> dict[str, Any]:
    counts = {"assetKey": {"path": ["customer_cache"]}, "numPartitionsMaterialized": 0, "numPartitionsFailed": 2}
    content = {
        "status": status,
        "error": error and {"message": error},
        "partitionsTargetedForAssetKey": {"ranges": [{"start": KEYS[0], "end": KEYS[-1]}], "partitionKeys": None},
        "assetBackfillData": {"assetBackfillStatuses": [counts]},
        "runs": list(run_answers),
    }
    return {"partitionBackfillOrError": content}


def ended(title: str | None) -> Backfill:
    return Backfill(id="before", status="COMPLETED_FAILED", title=title, created=AT)


@pytest.mark.parametrize(
    ("replay", "assets", "tag", "title"),
    [
        (False, ASSETS, "2026-11-23T1200Z..2026-11-23T1300Z", "Backfill 2026-11-23T1200Z..2026-11-23T1300Z"),
        (True, REPLAYED, "2026-11-23T1200Z..2026-11-23T1300Z replay", "Replay 2026-11-23T1200Z..2026-11-23T1300Z"),
    ],
)
def test_a_backfill_is_launched_as_the_ui_does_and_tagged(
    *, replay: bool, assets: tuple[str, ...], tag: str, title: str
) -> None:
    graphql = Scripted(launched("launchPartitionBackfill"))

    assert backfills.launch(graphql, Request(windows=RANGE, replay=replay)) == "abcdefgh"
    assert graphql.asked == [
        {
            "params": {
                "assetSelection": [{"path": [asset]} for asset in assets],
                "partitionNames": KEYS,
                "tags": [{"key": "customer_pipeline/backfill", "value": tag}],
                "title": title,
            }
        }
    ]


def test_what_is_left_is_reexecuted_from_failure() -> None:
    graphql = Scripted(launched("reexecutePartitionBackfill"))

    backfills.launch_what_is_left(graphql, Request(windows=RANGE), ended("Backfill x"))

    assert graphql.asked == [{"params": {"parentRunId": "before", "strategy": "FROM_FAILURE"}}]


def test_what_is_left_is_launched_anew_where_the_title_would_become_too_long() -> None:
    request = Request(windows=RANGE)
    title = request.title
    done = run_answer("SUCCESS", first=KEYS[0], last=KEYS[1])
    undone = run_answer("FAILURE", first=KEYS[2], last=KEYS[5])
    answers = [launched("reexecutePartitionBackfill")] * 3 + [state(undone, done), launched("launchPartitionBackfill")]
    graphql = Scripted(*answers)

    for _ in range(4):
        backfills.launch_what_is_left(graphql, request, ended(title))
        title = f"Re-execution of {title}"

    assert [list(asked.get("params", {})) for asked in graphql.asked[:3]] == [["parentRunId", "strategy"]] * 3
    assert graphql.asked[-1]["params"]["partitionNames"] == KEYS[2:]
    assert graphql.asked[-1]["params"]["title"] == request.title


def test_what_only_ingested_a_window_has_not_done_it() -> None:
    ingested = run_answer("SUCCESS", first=KEYS[0], last=KEYS[5], assets=("raw_customers",))
    graphql = Scripted(state(ingested), launched("launchPartitionBackfill"))

    backfills.launch_what_is_left(graphql, Request(windows=RANGE), ended("x" * 90))

    assert graphql.asked[-1]["params"]["partitionNames"] == KEYS


def test_a_refused_launch_is_an_error() -> None:
    graphql = Scripted({"launchPartitionBackfill": {"__typename": "PipelineNotFoundError"}})

    with pytest.raises(WebserverError, match="the backfill was refused: PipelineNotFoundError"):
        backfills.launch(graphql, Request(windows=RANGE))


def test_the_first_line_of_what_went_wrong_with_a_backfill_is_told() -> None:
    progress = backfills.progress(Scripted(state(status="FAILED", error="the asset is gone\nTraceback\n")), "abcdefgh")

    assert (progress.status, progress.total, progress.failed, progress.error) == ("FAILED", 6, 2, "the asset is gone")


def test_an_instance_without_a_window_has_no_range() -> None:
    node: dict[str, Any] = {"first": {"results": []}, "last": {"results": []}}

    assert backfills.known_windows(Scripted({"assetNodeOrError": node})) is None
    node = {"first": {"results": [KEYS[0]]}, "last": {"results": [KEYS[-1]]}}
    assert backfills.known_windows(Scripted({"assetNodeOrError": node})) == RANGE


def test_backfills_of_other_assets_are_not_the_pipelines() -> None:
    entry = {"status": "REQUESTED", "title": None, "creationTime": AT.timestamp()}
    other = {**entry, "id": "o", "assetSelection": [{"path": ["other"]}]}
    ours = {**entry, "id": "p", "assetSelection": [{"path": ["customer_cache"]}]}

    found = backfills.unfinished(Scripted({"runsFeedOrError": {"results": [other, ours]}}), limit=5)

    assert [one.id for one in found] == ["p"]


def test_runs_of_others_are_left_out_and_the_next_page_is_read() -> None:
    other = run_answer("SUCCESS", first=KEYS[0], last=KEYS[1], assets=("other",), job="other")
    mine = run_answer("SUCCESS", first=KEYS[0], last=KEYS[1], assets=(), job="customer_sync")
    graphql = Scripted(
        {"runsOrError": {"results": [other] * 100}}, {"runsOrError": {"results": [mine] * 3 + [other] * 5}}
    )

    found = runs(graphql, limit=2)

    assert [(run.windows, run.publishes) for run in found] == [
        (Window(RANGE.start, RANGE.start.replace(minute=20)), True)
    ] * 2
    assert [asked["cursor"] for asked in graphql.asked] == [None, "r1"]


STEP = {
    "__typename": "ExecutionStepFailureEvent",
    "error": {"message": "dagster._core.errors.Failure: x"},
    "failureMetadata": {"description": "the provider refuses\nand more"},
}
UNTOLD_STEP = {**STEP, "failureMetadata": None, "error": {"message": "dagster._core.errors.DagsterError: broken\n"}}
ENGINE = {"__typename": "EngineEvent", "error": {"message": "DagsterInvalidSubsetError: no such asset\n  at"}}
QUIET_ENGINE = {"__typename": "EngineEvent", "error": None}
FAILURE = {"__typename": "RunFailureEvent", "message": "This run has been marked as failed"}
SUCCESS = {"__typename": "ExecutionStepSuccessEvent"}


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], None),
        ([SUCCESS, QUIET_ENGINE], None),
        ([SUCCESS, ENGINE, STEP, FAILURE], "the provider refuses"),
        ([UNTOLD_STEP, FAILURE], "DagsterError: broken"),
        ([QUIET_ENGINE, ENGINE, FAILURE], "DagsterInvalidSubsetError: no such asset"),
        ([QUIET_ENGINE, FAILURE], "This run has been marked as failed"),
    ],
)
def test_the_cause_of_a_failed_run_is_what_knows_best_says(events: list[dict[str, Any]], line: str | None) -> None:
    half = len(events) // 2
    graphql = Scripted(
        {"logsForRun": {"cursor": "c", "hasMore": True, "events": events[:half]}},
        {"logsForRun": {"cursor": "d", "hasMore": False, "events": events[half:]}},
    )

    run = PipelineRun(id="r1", status="FAILURE", windows=None, created=AT)
    assert first_line_of_failure(graphql, run) == line
    assert [asked["cursor"] for asked in graphql.asked] == [None, "c"]
