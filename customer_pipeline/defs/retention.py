"""Retention of the landing store: a job of its own, which no sensor takes for a run of the pipeline."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
from pydantic import Field

from customer_pipeline import run_tags, timestamps
from customer_pipeline.defs import history
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource, LandingResource
from customer_pipeline.defs.verdicts import Metadata
from customer_pipeline.landing.retention import Report, Tally, retain
from customer_pipeline.steps import datasets
from customer_pipeline.windows import WINDOW_LENGTH, Window, split

_AGAIN = "tried again by the next run of landing_retention_schedule"
# More ranges than a person reads.
_SHOWN_RANGES = 50

landing_store = dg.AssetSpec(
    "landing_store",
    deps=[*datasets.LANDED],
    group_name="retention",
    kinds={"parquet"},
    owners=["team:data-engineering"],
    description="What the landing store keeps, reported by each run of `landing_retention`. A window goes once it is "
    "older than `LANDING_RETENTION_DAYS` and wholly published.",
)


class RetentionConfig(dg.Config):
    """What a person may choose."""

    dry_run: bool = Field(default=False, description="Whether to remove nothing and only report.")


@dg.op(
    retry_policy=transient_retries,
    out=dg.Out(dg.Nothing),
    description="Remove landed windows that are too old and published, snapshots that a newer one replaces, and what "
    "killed reconciliations left.",
)
def remove_outdated(
    context: dg.OpExecutionContext, config: RetentionConfig, landing: LandingResource, cache: CacheResource
) -> Iterator[dg.AssetMaterialization | dg.Output[None]]:
    """Ask the cache what is published and Dagster what is in use, and remove of the rest what is too old."""
    with explained(context, again=_AGAIN):
        in_use = [run.windows for run in history.unfinished(context.instance) if run.windows]
        with cache.reader() as (coverage, _):
            published = coverage.read()
        report = retain(
            landing.store(),
            datasets=datasets.LANDED,
            retained_for=settings.landing_retention,
            now=timestamps.now(),
            published=published,
            in_use=in_use,
            dry_run=config.dry_run,
        )
    context.log.info("%s", summary(report))
    shown = metadata(report)
    if not report.dry_run:
        yield dg.AssetMaterialization(landing_store.key, description=summary(report), metadata=shown)
    yield dg.Output(None, metadata=shown)


@dg.job(
    description="Remove from the landing store what is older than `LANDING_RETENTION_DAYS`; never a gap. "
    "With `dry_run` it only reports.",
    # It may wait.
    tags={run_tags.PRIORITY: run_tags.HEAL_PRIORITY},
)
def landing_retention() -> None:
    """Remove what is outdated."""
    remove_outdated()


landing_retention_schedule = dg.ScheduleDefinition(
    name="landing_retention_schedule",
    job=landing_retention,
    cron_schedule="20 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Once a day, at an hour when little is asked for.",
)


def summary(report: Report) -> str:
    """Return the report in one sentence."""
    removed = sum(report.removed.values(), Tally())
    said = "would remove" if report.dry_run else "removed"
    kept = sum(_count(ranges) for ranges in (report.unpublished, report.in_use))
    rest = f", and the rest of {len(report.abandoned)} killed reconciliations" if report.abandoned else ""
    older = f"{kept} older windows stay: not published, or in use" if kept else "no older window stays"
    return (
        f"{said} {removed.files} files ({removed.bytes} bytes) of {report.windows} windows and "
        f"{len(report.snapshots)} snapshots that ended before {report.before:%Y-%m-%d %H:%M} UTC{rest}; {older}"
    )


def metadata(report: Report) -> Metadata:
    """Return what the UI shows."""
    removed, left = sum(report.removed.values(), Tally()), sum(report.left.values(), Tally())
    shown: Metadata = {
        "summary": summary(report),
        "dry_run": report.dry_run,
        "limit": dg.MetadataValue.timestamp(report.before),
        "removed_files": removed.files,
        "removed_bytes": removed.bytes,
        "removed_windows": report.windows,
        "removed_snapshots": len(report.snapshots),
        "removed_reconciliations": len(report.abandoned),
        "removed": _by_dataset(report.removed),
        "left_files": left.files,
        "left_bytes": left.bytes,
        "left": _by_dataset(report.left),
        "oldest_window": report.oldest.key if report.oldest else "none",
        "kept_unpublished_windows": _count(report.unpublished),
        "kept_unpublished": _ranges(report.unpublished),
        "kept_in_use_windows": _count(report.in_use),
    }
    return shown


def _by_dataset(tallies: Mapping[str, Tally]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({"dataset": dataset, "files": tally.files, "bytes": tally.bytes})
            for dataset, tally in sorted(tallies.items())
        ],
        schema=dg.TableSchema(
            columns=[
                dg.TableColumn("dataset", "string"),
                dg.TableColumn("files", "int"),
                dg.TableColumn("bytes", "int"),
            ]
        ),
    )


def _ranges(ranges: Sequence[Window]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        records=[
            dg.TableRecord({"first": one.key, "last": Window(one.end - WINDOW_LENGTH, one.end).key})
            for one in ranges[:_SHOWN_RANGES]
        ],
        schema=dg.TableSchema(columns=[dg.TableColumn("first", "string"), dg.TableColumn("last", "string")]),
    )


def _count(ranges: Sequence[Window]) -> int:
    return sum(len(list(split(one.start, one.end))) for one in ranges)
