"""The erasure of a customer as a job. Run configuration is stored, so it names the customer by the hash alone."""

import time

import dagster as dg
from pydantic import Field

from customer_pipeline import run_tags
from customer_pipeline.dagster_storage import runs_under_way
from customer_pipeline.defs.causes import cause_of
from customer_pipeline.defs.resources import CacheResource, LandingResource, ProviderResource
from customer_pipeline.erasure.erase import Erased, Erasure, ErasureUnfinished, Stores
from customer_pipeline.erasure.ledger import HASH

_BY = "the job customer_erasure"


class ErasureConfig(dg.Config):
    """Whom to erase."""

    hash: str = Field(
        description="The hash of the customer's id, as `customer-pipeline erase` has entered it; never the id."
    )


@dg.op(description="Removes the customer from cache and landing store, until nothing is found twice in a row.")
def erase_customer(
    context: dg.OpExecutionContext,
    config: ErasureConfig,
    provider: ProviderResource,
    landing: LandingResource,
    cache: CacheResource,
) -> dg.Output[None]:
    """Erase the customer of the hash; a repetition goes on with what was broken off."""
    if not HASH.fullmatch(config.hash):  # an error of the configuration would quote it
        raise dg.Failure(
            "hash is none; `customer-pipeline erase` prints it. Was it an id? Then delete this run: its configuration "
            "is stored",
            allow_retries=False,
        )
    try:
        with cache.connection() as (connection, keys):
            stores = Stores(landing_uri=landing.uri, connection=connection, keys=keys, mapping=provider.load())
            erased = Erasure(stores, config.hash, before=context.log.info).run(
                under_way=lambda: runs_under_way(context.instance), wait=time.sleep, by=_BY
            )
    except ErasureUnfinished as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    except Exception as error:  # noqa: BLE001 -- whatever it is, its message may hold a customer's value
        cause = cause_of(error)
        raise dg.Failure(
            f"{run_tags.SAID[cause.kind]}: {cause.reason}. {cause.advice} Then repeat the erasure: it goes on.",
            allow_retries=False,
        ) from None
    return dg.Output(None, metadata=_metadata_of(erased, hash_=config.hash))


@dg.job(
    description="Erase one customer for good (GDPR, Art. 17). Started by `customer-pipeline erase`, which enters the "
    "customer and makes the final proof; by hand it repeats an erasure that was broken off.",
    # One at a time; and no repetition after a lost worker waits behind the heal.
    tags={run_tags.LANE: "erasure", run_tags.PRIORITY: run_tags.LIVE_PRIORITY},
)
def customer_erasure() -> None:
    """Erase one customer."""
    erase_customer()


def _metadata_of(erased: Erased, *, hash_: str) -> dict[str, str | int]:
    counts = {f"removed_{name}": count for name, count in sorted(erased.found.items())}
    return {
        "hash": hash_,
        **counts,
        "removed": sum(erased.found.values()),
        "files_rewritten": erased.files,
        "temporary_files_discarded": erased.temporaries,
        "passes": erased.passes,
        "mentioned_by_other_customers": erased.mentions,
        "mentioned_by_other_keys": len(erased.other_keys),
    }
