"""Reconciliation: the provider and the cache compared, customer by customer, and the cache made to agree."""

import time
from collections.abc import Callable, Iterator

import dagster as dg
from pydantic import Field

from customer_pipeline import timestamps
from customer_pipeline.defs import history
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.defs.verdicts import Metadata, Verdict
from customer_pipeline.reconciliation.extras import MAX_DELETED_SHARE
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.pictures import Point, trend
from customer_pipeline.reconciliation.reconciling import reconcile
from customer_pipeline.reconciliation.report import Reconciliation
from customer_pipeline.reconciliation.walking import Walking, due_at, full_walk

MOST_AT_ONCE = 8
SECONDS_BETWEEN_LINES = 5.0
_SHOWN = 30

reconciliation_checks = [
    dg.AssetCheckSpec(
        "cache_agrees_with_provider",
        asset="customer_reconciliation",
        description="Every customer of the provider is in the cache as it is there, and nobody else. What differed and "
        "was published agrees; with check_only it does not.",
    )
]


class ReconciliationConfig(dg.Config):
    """How provider and cache are reconciled."""

    check_only: bool = Field(default=False, description="Compare and report; the cache stays as it is.")
    max_deleted_share: float = Field(
        default=MAX_DELETED_SHARE,
        ge=0,
        le=1,
        description="The greatest share of the customers in the cache that may be deleted because the provider no "
        "longer shows them; twenty may in any case, but no more than half. More stop the run, and nobody is deleted.",
    )


# A job of the asset's name is wanted too, and Dagster wants the names of jobs and steps to differ.
@dg.multi_asset(
    name="reconcile",
    specs=[
        dg.AssetSpec(
            "customer_reconciliation",
            group_name="reconciliation",
            deps=["customer_cache", "customer_snapshot"],
            kinds={"python", "redis"},
            owners=["team:data-engineering"],
            description="Whether the cache agrees with the provider. Every customer is compared; what is missing, "
            "stale or different is published; who is gone from the provider is asked for once more, then taken out.",
        )
    ],
    retry_policy=transient_retries,
    check_specs=reconciliation_checks,
)
def customer_reconciliation(
    context: dg.AssetExecutionContext,
    config: ReconciliationConfig,
    provider: ProviderResource,
    landing: LandingResource,
    cache: CacheResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """Walk the provider, compare, publish what differs, and report."""
    walking = Walking()
    with (
        explained(context),
        provider.clients(most=MOST_AT_ONCE, background=True) as clients,
        cache.comparison(due=due_at(timestamps.now(), clients[0].profile), check_only=config.check_only) as comparison,
    ):
        said = _lines(context)
        report = reconcile(
            lambda: full_walk(clients, landing=landing.store(), walking=walking, said=said),
            comparison=comparison,
            client=clients[0],
            max_deleted_share=config.max_deleted_share,
        )
    context.log.info("%s", report.said)
    yield dg.MaterializeResult(
        metadata=_metadata_of(report, walking, points=_points(context.instance, report)),
        check_results=[_verdict(report).result()],
    )


def _lines(context: dg.AssetExecutionContext) -> Callable[[Walking], None]:
    """Return what logs the progress, seldom enough that nobody minds."""
    started = time.monotonic()
    told = float("-inf")

    def said(walking: Walking) -> None:
        nonlocal told
        if (at := time.monotonic()) - told >= SECONDS_BETWEEN_LINES:
            told = at
            rate = walking.rows / max(at - started, 1e-3)
            context.log.info(
                "%s customers read in %.0f s, %s a second; part %s of walk %s",
                f"{walking.rows:,}",
                at - started,
                f"{rate:,.0f}",
                walking.parts,
                walking.walks,
            )

    return said


def _verdict(report: Reconciliation) -> Verdict:
    return Verdict(
        check="cache_agrees_with_provider",
        asset="customer_reconciliation",
        passed=report.agrees,
        severity=dg.AssetCheckSeverity.ERROR,
        description=f"{report.said[:1].upper()}{report.said[1:]}.",
        metadata={
            "differences": report.differences,
            "what_next": "Reconcile without check_only, and look at the sample why they differ."
            if not report.agrees
            else "Nothing.",
        },
    )


def _metadata_of(report: Reconciliation, walking: Walking, *, points: list[Point]) -> Metadata:
    """Return what the UI shows: the sample is the one place where ids of customers may stand."""
    outcomes = report.outcomes
    sample = [
        dg.TableRecord({"kind": kind.value, "id": customer_id})
        for kind, ids in report.samples.items()
        for customer_id in ids
    ]
    schema = dg.TableSchema([dg.TableColumn("kind", "string"), dg.TableColumn("id", "string")])
    return {
        "summary": report.said,
        "trend": dg.MetadataValue.md(trend(points)),
        "differences": report.differences,
        **{kind.value: report.counts[kind] for kind in Kind},
        "sample": dg.MetadataValue.table(sample, schema=schema),
        "agrees_now": str(report.agrees).lower(),
        "check_only": str(report.check_only).lower(),
        "as_of": dg.MetadataValue.timestamp(report.as_of),
        "at_provider": report.at_provider,
        "in_cache": report.in_cache,
        "quarantined": report.quarantined,
        "applied": outcomes.applied,
        "deleted": outcomes.deleted,
        "overtaken": outcomes.stale,
        "walks": walking.walks,
        "parts": walking.parts,
        "requests": walking.requests,
        "waited_seconds": round(walking.waited.total_seconds(), 3),
        "seconds": round(report.seconds, 3),
    }


def _points(instance: dg.DagsterInstance, report: Reconciliation) -> list[Point]:
    before = [
        Point(at=at, differences=int(str(shown["differences"])), agrees=shown.get("agrees_now") == "true")
        for at, shown in history.reconciliations(instance, limit=_SHOWN)
        if "differences" in shown
    ]
    return [*before, Point(at=timestamps.now(), differences=report.differences, agrees=report.agrees)]
