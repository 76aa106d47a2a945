"""What sensors and schedules read of Dagster's memory, on a real instance."""

from datetime import timedelta

import dagster as dg
import pytest
from dagster._core.definitions.selector import PartitionRangeSelector, PartitionsByAssetSelector, PartitionsSelector
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemotePartitionSetOrigin,
    RemoteRepositoryOrigin,
)

from customer_pipeline import run_tags, timestamps
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, split
from customer_pipeline_tests.defs.conftest import Deployment

JOB = defs.resolve_job_def("customer_sync")
GRAPH = defs.get_repository_def().asset_graph
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("customer_pipeline"), "__repository__")
START = Window.from_key("2026-11-02T0000Z").start
FAILURE, CANCELED, SUCCESS = dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED, dg.DagsterRunStatus.SUCCESS
QUEUED, STARTED = dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED


@dg.op
def nothing() -> None: ...


@dg.job
def foreign_job() -> None:
    nothing()


def windows(first: int, length: int = 1) -> Window:
    return Window(START + first * WINDOW_LENGTH, START + (first + length) * WINDOW_LENGTH)


def range_tags(range_: Window) -> dict[str, str]:
    last = Window(range_.end - WINDOW_LENGTH, range_.end)
    return {run_tags.RANGE_START: range_.key, run_tags.RANGE_END: last.key}


def create(instance: dg.DagsterInstance, range_: Window | None, status: dg.DagsterRunStatus, **tags: str) -> str:
    return instance.create_run_for_job(
        JOB,
        status=status,
        tags={**(range_tags(range_) if range_ else {}), **tags},
        remote_job_origin=RemoteJobOrigin(REPOSITORY, "customer_sync"),
    ).run_id


def asset_backfill(instance: dg.DagsterInstance, name: str, *ranges: Window) -> None:
    selected = PartitionsSelector(
        ranges=[
            PartitionRangeSelector(start=tags[run_tags.RANGE_START], end=tags[run_tags.RANGE_END])
            for tags in map(range_tags, ranges)
        ]
    )
    instance.add_backfill(
        PartitionBackfill.from_partitions_by_assets(
            backfill_id=name,
            asset_graph=GRAPH,
            backfill_timestamp=timestamps.now().timestamp(),
            tags={},
            dynamic_partitions_store=instance,
            partitions_by_assets=[
                PartitionsByAssetSelector(asset_key=asset, partitions=selected) for asset in history.ASSETS
            ],
            title=None,
            description=None,
            run_config=None,
        )
    )


def job_backfill(instance: dg.DagsterInstance, name: str, job: str, *keys: str) -> None:
    instance.add_backfill(
        PartitionBackfill(
            backfill_id=name,
            status=BulkActionStatus.REQUESTED,
            from_failure=False,
            tags={},
            backfill_timestamp=timestamps.now().timestamp(),
            partition_set_origin=RemotePartitionSetOrigin(
                repository_origin=REPOSITORY, partition_set_name=f"{job}_partition_set"
            ),
            partition_names=list(keys),
        )
    )


@pytest.fixture
def instance(deployment: Deployment) -> dg.DagsterInstance:
    return deployment.instance


def test_unfinished_runs_are_those_that_are_queued_or_under_way_newest_first(instance: dg.DagsterInstance) -> None:
    first = create(instance, windows(0), QUEUED, **{run_tags.LANE: run_tags.LIVE})
    second = create(instance, windows(1, 3), STARTED)
    for ended in (FAILURE, CANCELED, SUCCESS):
        create(instance, windows(9), ended)
    instance.create_run_for_job(foreign_job, status=STARTED)

    newer, older = history.unfinished(instance)

    assert (newer.id, newer.lane, newer.windows) == (second, None, windows(1, 3))
    assert (older.id, older.lane, older.windows) == (first, "live", windows(0))


def test_finished_runs_are_found_by_lane_over_several_pages(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_PAGE", 2)
    created = [
        create(instance, windows(number), (SUCCESS, FAILURE, CANCELED)[number % 3], **{run_tags.LANE: run_tags.HEAL})
        for number in range(5)
    ]
    for number in range(3):
        create(instance, windows(number), SUCCESS, **{run_tags.LANE: run_tags.LIVE})
        instance.create_run_for_job(foreign_job, status=SUCCESS, tags={run_tags.LANE: run_tags.HEAL})

    assert [run.id for run in history.finished(instance, lane=run_tags.HEAL, limit=4)] == created[:0:-1]
    assert [run.id for run in history.finished(instance, lane=run_tags.HEAL, limit=9)] == created[::-1]
    assert len(history.finished(instance, limit=99)) == 8


def test_only_a_failure_that_says_so_is_permanent(instance: dg.DagsterInstance) -> None:
    create(instance, windows(0), FAILURE, **{run_tags.PERMANENT: "true"})
    create(instance, windows(1), FAILURE, **{run_tags.PERMANENT: "false"})
    create(instance, windows(2), FAILURE)
    create(instance, windows(3), CANCELED)
    create(instance, windows(4), SUCCESS, **{run_tags.PERMANENT: "true"})

    told = {run.windows: (run.failed, run.permanent) for run in history.finished(instance, limit=9)}

    assert told == {
        windows(0): (True, True),
        windows(1): (True, False),
        windows(2): (True, False),
        windows(3): (True, False),
        windows(4): (False, False),
    }


def test_in_progress_is_what_runs_and_requested_backfills_work_on(instance: dg.DagsterInstance) -> None:
    create(instance, windows(0, 2), QUEUED)
    create(instance, windows(1, 4), STARTED)
    create(instance, None, STARTED)
    create(instance, windows(300), FAILURE)
    asset_backfill(instance, "aaaaaaaa", windows(10, 5), windows(20, 1))
    job_backfill(instance, "bbbbbbbb", "customer_sync", windows(30).key, windows(31).key, windows(33).key)
    job_backfill(instance, "cccccccc", "foreign_job", windows(40).key)
    asset_backfill(instance, "dddddddd", windows(50, 5))
    done = instance.get_backfill("dddddddd")
    assert done is not None
    instance.update_backfill(done._replace(status=BulkActionStatus.COMPLETED_SUCCESS))

    assert history.in_progress(instance, GRAPH) == [
        windows(0, 5),
        windows(10, 5),
        windows(20),
        windows(30, 2),
        windows(33),
    ]


def test_a_backfill_of_every_window_is_one_range(instance: dg.DagsterInstance) -> None:
    asset_backfill(instance, "aaaaaaaa", windows(-144, 3000))

    assert history.in_progress(instance, GRAPH) == [windows(-144, 3000)]


def test_a_window_shows_as_failed_from_the_end_of_a_failed_run_until_one_publishes_it(deployment: Deployment) -> None:
    instance = deployment.instance
    end = floor(timestamps.now())
    all_windows = list(split(end - 6 * WINDOW_LENGTH, end))
    whole = Window(all_windows[0].start, end)
    assert history.shown_as_failed(instance, GRAPH, whole) == []
    token = deployment.profile.read_text()
    deployment.edit_profile("/bearer/page_number/customers", "/nowhere")
    assert not deployment.run(all_windows[1:4]).success
    assert not deployment.run(all_windows[5:]).success

    assert history.shown_as_failed(instance, GRAPH, whole) == contiguous([*all_windows[1:4], all_windows[5]])
    assert history.shown_as_failed(instance, GRAPH, all_windows[2]) == [all_windows[2]]

    deployment.profile.write_text(token)
    assert deployment.run(all_windows[1:3]).success
    assert history.shown_as_failed(instance, GRAPH, whole) == [all_windows[3], all_windows[5]]


def test_publications_are_read_newest_first_with_their_counts(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LARGEST_FETCH", 2)
    instance = deployment.instance
    before = timestamps.now()
    end = floor(before)
    all_windows = list(split(end - 3 * WINDOW_LENGTH, end))
    assert history.first_publication(instance) is None
    assert history.last_ingestion(instance) is None
    assert deployment.run(all_windows).success

    found = history.publications(instance, after=before)

    assert [publication.window for publication in found] == all_windows[::-1]
    assert all({"applied", "unchanged", "deleted", "dagster/row_count"} <= set(one.counts) for one in found)
    assert history.publications(instance, after=timestamps.now() + timedelta(minutes=1)) == []
    assert len(history.publications(instance, after=before, limit=2)) == 2
    first, last = history.first_publication(instance), history.last_ingestion(instance)
    assert first == found[-1].at
    assert last is not None
    assert before < last < first


def test_the_range_of_a_run_is_that_of_its_tags() -> None:
    key = windows(5).key
    assert run_tags.windows_of({run_tags.PARTITION: key}) == windows(5)
    assert run_tags.windows_of(range_tags(windows(5, 9))) == windows(5, 9)
    assert run_tags.windows_of({"dagster/backfill": "x"}) is None
    # Dagster takes whatever tags a person writes.
    assert run_tags.windows_of({run_tags.PARTITION: "2026-11-23T1455Z"}) is None
    assert run_tags.windows_of({run_tags.RANGE_START: windows(9).key, run_tags.RANGE_END: windows(5).key}) is None


def test_what_a_person_executes_again_is_in_no_lane_though_its_tags_were_copied() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        lane = {run_tags.LANE: run_tags.LIVE}
        first = create(instance, windows(0), FAILURE, **lane)
        for tags in ({}, {run_tags.RETRY_NUMBER: "1"}):
            instance.create_run_for_job(
                JOB,
                status=SUCCESS,
                tags={**range_tags(windows(0)), **lane, **tags},
                parent_run_id=first,
                root_run_id=first,
            )

        by_dagster, by_a_person, original = history.finished(instance, limit=3)
    assert (by_dagster.lane, by_a_person.lane, original.lane) == (run_tags.LIVE, None, run_tags.LIVE)
