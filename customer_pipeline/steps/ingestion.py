"""The first step of a window: the provider is walked, and what it says is landed as received."""

from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa
from pydantic import JsonValue

from customer_pipeline import timestamps
from customer_pipeline.customers import schemas
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.delivery import Page, WalkStats
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.windows import Window


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What ingesting a window did.

    Attributes:
        suppressed: records that were not landed, since their customers are erased.
    """

    window: Window
    walk: WalkStats
    landed_bytes: int
    suppressed: int = 0

    @property
    def landed(self) -> int:
        """How many rows were landed."""
        return self.walk.rows - self.suppressed


def ingest(window: Window, *, client: ProviderClient, landing: LandingStore) -> Ingested:
    """Walk the provider over `window` and land every record as received, but for those of erased customers.

    Raises:
        ProviderError: one of its four kinds; what was landed for the window before stays as it was.
        LandingError: if the landing store cannot be written.
    """
    sieve = Sieve(Suppressions.load(landing))
    walk = client.walk(window)
    with landing.open_writer(RAW_CUSTOMERS, window, schemas.RAW) as writer:
        for page in walk:
            writer.write(sieve(raw_rows(page)))
        writer.facts.update(facts_of(walk.stats))
    landed = landing.describe(RAW_CUSTOMERS, window)
    return Ingested(
        window=window, walk=walk.stats, landed_bytes=landed.bytes if landed else 0, suppressed=sieve.suppressed
    )


def raw_rows(page: Page) -> pa.RecordBatch:
    """Return the records of a page as they are landed, with the schema `RAW`."""
    fetched_at = pa.scalar(page.fetched_at, schemas.INSTANT)
    return pa.record_batch(
        [
            pa.array(page.ids, pa.string()),
            pa.array(page.updated_at, schemas.INSTANT, from_pandas=True),
            pa.repeat(fetched_at, len(page.records)),
            pa.array(page.records, pa.string()),
        ],
        schema=schemas.RAW,
    )


def facts_of(walk: WalkStats) -> dict[str, JsonValue]:
    """Return what normalization and retention need to know of a walk that has just ended."""
    return {
        "walked_at": timestamps.format_instant(timestamps.now()),
        "clock_difference_seconds": (walk.clock_difference or timedelta(0)).total_seconds(),
    }
