"""What Dagster remembers of the pipeline's runs, as far as sensors and schedules decide by it. Reads only."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph, BaseAssetNode
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES, RunRecord

from customer_pipeline import run_tags
from customer_pipeline.windows import Window

JOB = "customer_sync"
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


def in_progress(instance: dg.DagsterInstance, asset_graph: BaseAssetGraph[BaseAssetNode]) -> list[Window]:
    """Return what is queued or under way, requested backfills included: ranges that may overlap."""
    ranges = [run.windows for run in unfinished(instance) if run.windows]
    requested = instance.get_backfills(filters=BulkActionsFilter(statuses=[BulkActionStatus.REQUESTED]))
    for backfill in requested:
        if not backfill.is_asset_backfill:
            keys = [key for key in backfill.partition_names or [] if backfill.job_name == JOB]
        else:
            target = backfill.get_asset_backfill_data(asset_graph).target_subset
            keys = [
                key
                for asset in ASSETS & target.asset_keys
                for key in target.get_partitions_subset(asset).get_partition_keys()
            ]
        ranges += [Window.from_key(key) for key in set(keys)]
    return ranges


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
        lane=run.tags.get(run_tags.LANE),
        windows=windows_of_tags(run.tags),
        status=run.status,
        created=record.create_timestamp.replace(tzinfo=UTC)
        if record.create_timestamp.tzinfo is None
        else record.create_timestamp.astimezone(UTC),
        ended=None if ended is None else datetime.fromtimestamp(ended, UTC),
        tags=run.tags,
    )


def windows_of_tags(tags: Mapping[str, str]) -> Window | None:
    """Return the range that a run's tags name; None where they name none."""
    first = tags.get(run_tags.RANGE_START, tags.get(run_tags.PARTITION))
    last = tags.get(run_tags.RANGE_END, first)
    if first is None or last is None:
        return None
    return Window(Window.from_key(first).start, Window.from_key(last).end)
