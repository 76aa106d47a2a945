"""Reconciliation: the provider and the cache compared, customer by customer, and the cache made to agree."""

import dagster as dg
from pydantic import Field

from customer_pipeline import run_tags, timestamps
from customer_pipeline.defs import history
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.lines import lines
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.defs.verdicts import Metadata, Verdict
from customer_pipeline.reconciliation.extras import MAX_DELETED_SHARE
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.pictures import Point, trend
from customer_pipeline.reconciliation.reconciling import reconcile
from customer_pipeline.reconciliation.report import Reconciliation
from customer_pipeline.reconciliation.walking import Walking, due_at, full_walk
from customer_pipeline.reported_samples import sample_of

MOST_AT_ONCE = 8
_SHOWN = 30
_AGAIN = "tried again by the next reconciliation"

customer_reconciliation = dg.AssetSpec(
    "customer_reconciliation",
    deps=["customer_cache", "customer_snapshot"],
    group_name="reconciliation",
    kinds={"python", "redis"},
    owners=["team:data-engineering"],
    description="Whether the cache agrees with the provider. Every customer is compared; what is missing, stale or "
    "different is published; who is gone from the provider is asked for once more, then taken out. The job of the same "
    "name reports it: who materializes everything does not walk the provider.",
)


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


@dg.op(retry_policy=transient_retries)
def reconcile_customers(
    context: dg.OpExecutionContext,
    config: ReconciliationConfig,
    provider: ProviderResource,
    landing: LandingResource,
    cache: CacheResource,
) -> None:
    """Walk the provider, compare, publish what differs, and report."""
    walking = Walking()
    with (
        explained(context, again=_AGAIN),
        provider.clients(most=MOST_AT_ONCE, background=True) as clients,
        cache.comparison(due=due_at(timestamps.now(), clients[0].profile), check_only=config.check_only) as comparison,
    ):
        said = lines(context)
        report = reconcile(
            lambda: full_walk(clients, landing=landing.store(), walking=walking, said=said),
            comparison=comparison,
            client=clients[0],
            max_deleted_share=config.max_deleted_share,
        )
    context.log.info("%s", report.said)
    metadata = _metadata_of(report, walking, points=_points(context.instance, report))
    context.log_event(dg.AssetMaterialization(customer_reconciliation.key, metadata=metadata))
    verdict = _verdict(report.said, agrees=report.agrees, check_only=report.check_only, differences=report.differences)
    context.log_event(verdict.evaluation())  # type: ignore[arg-type]  # recorded all the same


@dg.job(
    name="customer_reconciliation",
    description="Compare the whole provider with the cache, and make the cache agree. Live runs go on meanwhile.",
    tags={
        run_tags.LANE: run_tags.RECONCILIATION,
        run_tags.PRIORITY: run_tags.HEAL_PRIORITY,
        run_tags.MAX_RUNTIME: str(24 * 60 * 60),
    },
)
def customer_reconciliation_job() -> None:
    """Reconcile."""
    reconcile_customers()


customer_reconciliation_schedule = dg.ScheduleDefinition(
    name="customer_reconciliation_schedule",
    job=customer_reconciliation_job,
    cron_schedule="10 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.STOPPED,
    description="Once a day, the whole provider is compared with the cache. Off until somebody switches it on.",
)


@dg.asset_check(
    asset=customer_reconciliation.key,
    description="Every customer of the provider is in the cache as it is there, and nobody else, as of the newest "
    "reconciliation. What differed and was published agrees; with check_only it does not, nor does what is older at "
    "the provider than in the cache.",
)
def cache_agrees_with_provider(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
    """Repeat what the newest reconciliation found; the job reports it by itself."""
    for _, shown in history.reconciliations(context.instance, limit=1):
        agrees = shown.get("agrees_now") == "true"
        check_only = shown.get("check_only") == "true"
        differences = int(str(shown["differences"]))
        return _verdict(str(shown["summary"]), agrees=agrees, check_only=check_only, differences=differences).result()
    return dg.AssetCheckResult(
        passed=False, severity=dg.AssetCheckSeverity.WARN, description="Nothing was reconciled yet."
    )


def _verdict(said: str, *, agrees: bool, check_only: bool, differences: int) -> Verdict:
    mended_by = "Reconcile without check_only, and look" if check_only else "Do what the summary says: look"
    return Verdict(
        check="cache_agrees_with_provider",
        asset="customer_reconciliation",
        passed=agrees,
        description=f"{said[:1].upper()}{said[1:]}.",
        metadata={
            "differences": differences,
            "what_next": "Nothing." if agrees else f"{mended_by} at the sample.",
        },
    )


def _metadata_of(report: Reconciliation, walking: Walking, *, points: list[Point]) -> Metadata:
    outcomes = report.outcomes
    return {
        "summary": report.said,
        "trend": dg.MetadataValue.md(trend(points)),
        "differences": report.differences,
        **{kind.value: report.counts[kind] for kind in Kind},
        "sample": sample_of(report.samples.items()),
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
