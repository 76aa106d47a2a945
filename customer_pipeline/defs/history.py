"""What Dagster remembers of the pipeline's runs, as far as sensors and schedules decide by it. Reads only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.scheduler.instigation import SensorInstigatorData
from dagster._core.storage.dagster_run import FINISHED_STATUSES, NOT_FINISHED_STATUSES, RunRecord
from dagster._core.storage.partition_status_cache import AssetPartitionStatus

from customer_pipeline import run_tags
from customer_pipeline.windows import Window, contiguous, split

JOB = "customer_sync"
BOOTSTRAP_JOB = "customer_bootstrap"
RECONCILIATION = "customer_reconciliation"
HEAL_SENSOR = "heal_gaps"
ASSETS = frozenset(map(dg.AssetKey, ["raw_customers", "customers", "quarantined_customers", "customer_cache"]))

_PAGE = 100
_LARGEST_FETCH = 1000


@dataclass(frozen=True, kw_only=True, slots=True)
class PipelineRun:
    """One run of the pipeline's assets.

    Attributes:
        id: the run's id.
        lane: `live`, `heal`, or None where a person started it.
        windows: the range it works on; None for a run without partitions.
        status: as Dagster has it.
        created: when it was requested.
        ended: when it ended, None before.
        tags: all of its tags; `run_tags` has their names.
    """

    id: str
    lane: str | None
    windows: Window | None
    status: dg.DagsterRunStatus
    created: datetime
    ended: datetime | None
    tags: Mapping[str, str] = field(repr=False)

    @property
    def failed(self) -> bool:
        """Whether it has ended without success."""
        return self.status in {dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED}

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.status in FINISHED_STATUSES

    @property
    def permanent(self) -> bool:
        """Whether it failed in a way that a person has to mend."""
        return self.failed and self.tags.get(run_tags.PERMANENT) == "true"


def unfinished(instance: dg.DagsterInstance) -> list[PipelineRun]:
    """Return the runs that are queued or under way, newest first."""
    return list(_runs(instance, dg.RunsFilter(statuses=NOT_FINISHED_STATUSES), limit=None))


def finished(instance: dg.DagsterInstance, *, lane: str | None = None, limit: int) -> list[PipelineRun]:
    """Return the newest runs that have ended, newest first; of one lane, or of all."""
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
    tags = {run_tags.LANE: lane} if lane else None
    return list(_runs(instance, dg.RunsFilter(statuses=ended, tags=tags), limit=limit))


def of_job(instance: dg.DagsterInstance, job: str, *, limit: int) -> list[PipelineRun]:
    """Return the newest runs of a job, newest first, whatever their state."""
    records = instance.get_run_records(filters=dg.RunsFilter(job_name=job), limit=limit)
    return [_pipeline_run(record) for record in records]


def reconciliations(instance: dg.DagsterInstance, *, limit: int) -> list[tuple[datetime, Mapping[str, object]]]:
    """Return when the newest reconciliations ended and what metadata they reported, newest first."""
    result = instance.fetch_materializations(dg.AssetKey(RECONCILIATION), limit=limit)
    return [
        (
            datetime.fromtimestamp(record.timestamp, UTC),
            {name: value.value for name, value in event.metadata.items()},
        )
        for record in result.records
        if (event := record.asset_materialization)
    ]


def ended(instance: dg.DagsterInstance, *, after: datetime) -> list[PipelineRun]:
    """Return the runs that ended after an instant, the one that ended last first."""
    # A run's end is an update of it, and so is a tag that it gets later.
    filters = dg.RunsFilter(statuses=FINISHED_STATUSES, updated_after=after)
    found = [(run.ended, run) for run in _runs(instance, filters, limit=None) if run.ended and run.ended > after]
    return [run for _, run in sorted(found, key=lambda each: each[0], reverse=True)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One window's publication, as the run that made it reported it.

    Attributes:
        window: what was published.
        at: when.
        counts: the numbers of its metadata, such as `applied`, `deleted`, `dagster/row_count`, `freshness_lag_seconds`.
    """

    window: Window
    at: datetime
    counts: Mapping[str, float]


def publications(instance: dg.DagsterInstance, *, after: datetime, limit: int = 5000) -> list[Publication]:
    """Return what was published after an instant, newest first, at most `limit`."""
    filters = dg.AssetRecordsFilter(asset_key=dg.AssetKey("customer_cache"), after_timestamp=after.timestamp())
    found: list[Publication] = []
    cursor = None
    while len(found) < limit:
        result = instance.fetch_materializations(filters, limit=min(_LARGEST_FETCH, limit - len(found)), cursor=cursor)
        for record in result.records:
            if record.partition_key and (event := record.asset_materialization):
                counts = {
                    name: float(value.value)
                    for name, value in event.metadata.items()
                    if isinstance(value, (dg.IntMetadataValue, dg.FloatMetadataValue)) and value.value is not None
                }
                at = datetime.fromtimestamp(record.timestamp, UTC)
                found.append(Publication(window=Window.from_key(record.partition_key), at=at, counts=counts))
        if not result.has_more:
            break
        cursor = result.cursor
    return found


def first_publication(instance: dg.DagsterInstance) -> datetime | None:
    """Return when anything was published for the first time; None before."""
    first = instance.fetch_materializations(dg.AssetKey("customer_cache"), limit=1, ascending=True).records
    return datetime.fromtimestamp(first[0].timestamp, UTC) if first else None


def last_ingestion(instance: dg.DagsterInstance) -> datetime | None:
    """Return when a window was ingested last; None before the first."""
    event = instance.get_latest_materialization_event(dg.AssetKey("raw_customers"))
    return datetime.fromtimestamp(event.timestamp, UTC) if event else None


def heal_memory(instance: dg.DagsterInstance) -> str | None:
    """Return the cursor of the sensor that heals; None before its first evaluation."""
    states = instance.all_instigator_state(instigator_type=InstigatorType.SENSOR)
    data = [state.instigator_data for state in states if state.instigator_name == HEAL_SENSOR]
    ticked = [each for each in data if isinstance(each, SensorInstigatorData) and each.cursor]
    # A code location that was renamed leaves its state behind.
    newest = max(ticked, key=lambda each: each.last_tick_timestamp or 0, default=None)
    return newest.cursor if newest else None


def in_progress(instance: dg.DagsterInstance, asset_graph: BaseAssetGraph[Any]) -> list[Window]:
    """Return what is queued or under way, requested backfills included: disjoint ranges, oldest first."""
    ranges = [run.windows for run in unfinished(instance) if run.windows]
    requested = instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    for backfill in requested:
        if not backfill.is_asset_backfill:
            keys = backfill.partition_names or [] if backfill.job_name == JOB else []
            ranges += [Window.from_key(key) for key in keys]
            continue
        target = backfill.get_asset_backfill_data(asset_graph).target_subset
        for asset in ASSETS & target.asset_keys:
            if partitions := asset_graph.get(asset).partitions_def:
                key_ranges = target.get_partitions_subset(asset).get_partition_key_ranges(partitions)
                ranges += [_between(one.start, one.end) for one in key_ranges]
    return contiguous(ranges)


def explanation(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """Return the one sentence by which a failed run explains itself; None where it does not."""
    records = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.STEP_FAILURE).records
    for record in records:
        event = record.event_log_entry.dagster_event
        told = event.step_failure_data.user_failure_data if event else None
        if told and told.description:
            return told.description.partition("\n")[0]
    return None


def shown_as_failed(instance: dg.DagsterInstance, asset_graph: BaseAssetGraph[Any], windows: Window) -> list[Window]:
    """Return what of `windows` the UI shows as failed in `customer_cache`: ranges, oldest first."""
    asset = dg.AssetKey("customer_cache")
    partitions = asset_graph.get(asset).partitions_def
    keys = [window.key for window in split(windows.start, windows.end)]
    statuses = instance.get_status_by_partition(asset, keys, partitions) if partitions else None
    failed = [key for key, status in (statuses or {}).items() if status is AssetPartitionStatus.FAILED]
    return contiguous(Window.from_key(key) for key in failed)


def _runs(instance: dg.DagsterInstance, filters: dg.RunsFilter, *, limit: int | None) -> Iterator[PipelineRun]:
    found = 0
    cursor = None
    while limit is None or found < limit:
        records = instance.get_run_records(filters=filters, limit=_PAGE, cursor=cursor)
        for record in records:
            if _is_ours(record.dagster_run) and (limit is None or found < limit):
                found += 1
                yield _pipeline_run(record)
        if len(records) < _PAGE:
            return
        cursor = records[-1].dagster_run.run_id


def _is_ours(run: dg.DagsterRun) -> bool:
    return run.job_name == JOB or bool(ASSETS & (run.asset_selection or frozenset()))


def _pipeline_run(record: RunRecord) -> PipelineRun:
    run = record.dagster_run
    ended = record.end_time
    return PipelineRun(
        id=run.run_id,
        # The tags of a run that a person executes again are copied, those of the lane among them.
        lane=None if run.parent_run_id and run_tags.RETRY_NUMBER not in run.tags else run.tags.get(run_tags.LANE),
        windows=run_tags.windows_of(run.tags),
        status=run.status,
        created=record.create_timestamp.replace(tzinfo=UTC)
        if record.create_timestamp.tzinfo is None
        else record.create_timestamp.astimezone(UTC),
        ended=None if ended is None else datetime.fromtimestamp(ended, UTC),
        # An empty one was copied from the run that this one repeats, and overwritten: tags cannot be removed.
        tags={name: value for name, value in run.tags.items() if value},
    )


def _between(first: str, last: str) -> Window:
    return Window(Window.from_key(first).start, Window.from_key(last).end)
