"""The snapshot: the whole provider in the cache, for the first time or once more after the cache was lost."""

import dagster as dg
from pydantic import Field

from customer_pipeline import run_tags
from customer_pipeline.defs.checks import MAX_QUARANTINE_RATE, is_quarantined_too_often
from customer_pipeline.defs.failures import explained, transient_retries
from customer_pipeline.defs.lines import lines
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.defs.verdicts import Metadata, Unfit
from customer_pipeline.snapshot.division import described
from customer_pipeline.snapshot.loading import Loaded

MOST_AT_ONCE = 8
AGAIN = "the load is tried again by itself, later each time; after an interruption it goes on where it stopped"

customer_snapshot = dg.AssetSpec(
    "customer_snapshot",
    group_name="snapshot",
    kinds={"python", "redis"},
    owners=["team:data-engineering"],
    description="Every customer of the provider, walked part by part and published. It makes a cache true that is "
    "new or was lost. The job `customer_bootstrap` makes it: who materializes everything does not walk the provider.",
)


class SnapshotConfig(dg.Config):
    """How the cache is loaded."""

    from_landing: bool = Field(
        default=False, description="Load what has landed, without asking the provider; what lacks then is healed."
    )
    accept_fewer: bool = Field(
        default=False, description="Believe a provider that shows nobody, or far fewer customers than at the last load."
    )
    only_if_empty: bool = Field(
        default=False, description="Do nothing where another run has loaded the cache since this one was requested."
    )


@dg.op(retry_policy=transient_retries)
def load_customers(
    context: dg.OpExecutionContext,
    config: SnapshotConfig,
    provider: ProviderResource,
    landing: LandingResource,
    cache: CacheResource,
) -> None:
    """Load the cache, and extend the coverage to where the walk ends: windows go on from there."""
    with explained(context, again=AGAIN), cache.loader(landing.store(), said=lines(context)) as loader:
        if config.only_if_empty and loader.is_loaded:
            context.log.info("another run has loaded the cache meanwhile")
            return
        if config.from_landing:
            loaded = loader.from_landing(provider.load(), fit=lambda report: not is_quarantined_too_often(report))
        else:
            with provider.clients(most=MOST_AT_ONCE, background=True) as clients:
                context.log.info("%s", described(clients[0].profile, at_once=len(clients)))
                loaded = loader.from_provider(clients, accept=_accept, accept_fewer=config.accept_fewer)
    context.log_event(dg.AssetMaterialization("customer_snapshot", metadata=_metadata_of(loaded, config)))


@dg.job(
    description="Load the whole cache from the provider, or from what has landed. Live runs go on meanwhile.",
    # A million customers take minutes at one provider and days at another.
    tags={run_tags.LANE: run_tags.BOOTSTRAP, run_tags.MAX_RUNTIME: str(7 * 24 * 60 * 60)},
)
def customer_bootstrap() -> None:
    """Load the whole cache."""
    load_customers()


def _accept(loaded: Loaded) -> None:
    """Raise where so much is quarantined that the profile is wrong rather than the records."""
    if loaded.quarantined_total > MAX_QUARANTINE_RATE * loaded.fetched:
        raise Unfit(
            f"{loaded.quarantined_total} of {loaded.fetched} records were quarantined",
            advice="Read the reasons in the quarantined files of the snapshot, then correct the profile.",
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
        "suppressed": loaded.suppressed,
        "parts": loaded.parts,
        "resumed_parts": loaded.resumed,
        "requests": loaded.requests,
        "seconds": round(loaded.seconds, 3),
        "customers_per_second": round(loaded.normalized / max(loaded.seconds, 1e-3), 1),
    }
    if loaded.as_of:
        metadata["as_of"] = dg.MetadataValue.timestamp(loaded.as_of)
    return metadata
