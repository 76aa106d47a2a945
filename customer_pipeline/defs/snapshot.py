"""The snapshot: the whole provider in the cache, for the first time or once more after the cache was lost."""

import time
from collections.abc import Callable, Iterator

import dagster as dg
from pydantic import Field

from customer_pipeline.defs.checks import MAX_QUARANTINE_RATE, is_quarantined_too_often
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.defs.verdicts import Metadata, Verdict, require
from customer_pipeline.snapshot.division import described
from customer_pipeline.snapshot.loading import Loaded, Progress

MOST_AT_ONCE = 8
SECONDS_BETWEEN_LINES = 5.0

snapshot_checks = [
    dg.AssetCheckSpec(
        "snapshot_quarantine_rate_is_low",
        asset="customer_snapshot",
        description=f"At most {MAX_QUARANTINE_RATE:.0%} of all records are quarantined; more mean that the profile is "
        "wrong rather than the records. A load that fails it does not count as one.",
    )
]


class SnapshotConfig(dg.Config):
    """How the cache is loaded."""

    from_landing: bool = Field(
        default=False, description="Load what has landed, without asking the provider; what lacks then is healed."
    )
    only_if_empty: bool = Field(
        default=False, description="Do nothing where another run has loaded the cache since this one was requested."
    )


@dg.asset(
    group_name="snapshot",
    retry_policy=transient_retries,
    check_specs=snapshot_checks,
    kinds={"python", "redis"},
    owners=["team:data-engineering"],
    description="Every customer of the provider, walked part by part and published. It makes a cache true that is new "
    "or was lost; an interrupted one goes on where it stopped.",
)
def customer_snapshot(
    context: dg.AssetExecutionContext,
    config: SnapshotConfig,
    provider: ProviderResource,
    landing: LandingResource,
    cache: CacheResource,
) -> Iterator[dg.MaterializeResult[None]]:
    """Load the cache, and extend the coverage to where the walk ends: windows go on from there."""
    with explained(context), cache.loader(landing.store(), said=_lines(context)) as loader:
        if config.only_if_empty and loader.is_loaded:
            context.log.info("another run has loaded the cache meanwhile")
            yield dg.MaterializeResult(check_results=[_verdict(Loaded(as_of=None)).result()])
            return
        if config.from_landing:
            loaded = loader.from_landing(provider.load(), fit=lambda report: not is_quarantined_too_often(report))
        else:
            with provider.clients(most=MOST_AT_ONCE, background=True) as clients:
                context.log.info("%s", described(clients[0].profile, at_once=len(clients)))
                loaded = loader.from_provider(clients, accept=_accept)
    yield dg.MaterializeResult(metadata=_metadata_of(loaded, config), check_results=[_verdict(loaded).result()])


def _lines(context: dg.AssetExecutionContext) -> Callable[[Progress], None]:
    """Return what logs the progress, seldom enough that nobody minds."""
    told = float("-inf")

    def said(progress: Progress) -> None:
        nonlocal told
        if time.monotonic() - told >= SECONDS_BETWEEN_LINES:
            told = time.monotonic()
            context.log.info("%s", progress)

    return said


def _accept(loaded: Loaded) -> None:
    require([_verdict(loaded)], specs=[spec._replace(blocking=True) for spec in snapshot_checks])


def _verdict(loaded: Loaded) -> Verdict:
    rate = loaded.quarantined_total / loaded.fetched if loaded.fetched else 0.0
    return Verdict(
        check="snapshot_quarantine_rate_is_low",
        asset="customer_snapshot",
        passed=rate <= MAX_QUARANTINE_RATE,
        metadata={
            "quarantined": loaded.quarantined_total,
            "fetched": loaded.fetched,
            "what_next": "Read the reasons in the quarantined files of the snapshot, correct the profile.",
        },
    )


def _metadata_of(loaded: Loaded, config: SnapshotConfig) -> Metadata:
    outcomes = loaded.outcomes
    metadata: Metadata = {
        "dagster/row_count": loaded.normalized,
        "source": "landing" if config.from_landing else "provider",
        "fetched": loaded.fetched,
        "quarantined": loaded.quarantined_total,
        "applied": outcomes.applied,
        "unchanged": outcomes.unchanged,
        "stale": outcomes.stale,
        "deleted": outcomes.deleted,
        "parts": loaded.parts,
        "resumed_parts": loaded.resumed,
        "requests": loaded.requests,
        "seconds": round(loaded.seconds, 3),
        "customers_per_second": round(loaded.normalized / max(loaded.seconds, 1e-3), 1),
    }
    if loaded.as_of:
        metadata["as_of"] = dg.MetadataValue.timestamp(loaded.as_of)
    return metadata
