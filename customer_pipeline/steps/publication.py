"""The third step of a window: its customers reach the cache, and the coverage says so."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline import timestamps
from customer_pipeline.cache.codec import State, encode
from customer_pipeline.cache.coverage import Coverage, Freshness
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.errors import Forgotten
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.steps.datasets import CUSTOMERS
from customer_pipeline.windows import Window


@dataclass(frozen=True, kw_only=True)
class Published:
    """What publishing a window did.

    Attributes:
        normalized: rows that normalization landed.
        outcomes: what the guard made of them.
        freshness: of the whole cache, after this window was added to the coverage.
    """

    window: Window
    normalized: int
    outcomes: Outcomes
    freshness: Freshness
    seconds: float


class PublicationIncomplete(RuntimeError):  # noqa: N818 -- says what is the case
    """The cache answered for fewer or more customers than were sent: the window is not added to the coverage."""

    transient = True


def publish(window: Window, *, landing: LandingStore, publisher: Publisher, coverage: Coverage) -> Published:
    """Publish the landed customers of `window`; extend the coverage once every batch was acknowledged.

    Raises:
        NotLanded: if the window was never normalized.
        LandingError: if it is too old to be published, or the landing store cannot be read.
        PublicationIncomplete: if the outcomes do not add up.
        CacheError: if Redis cannot be written.
    """
    started = time.monotonic()
    rows, outcomes = publish_landed(window, landing=landing, publisher=publisher)
    freshness = coverage.extend([window])
    return Published(
        window=window, normalized=rows, outcomes=outcomes, freshness=freshness, seconds=time.monotonic() - started
    )


def publish_landed(window: Window, *, landing: LandingStore, publisher: Publisher) -> tuple[int, Outcomes]:
    """Publish the landed customers of `window`, and leave the coverage as it is.

    Returns:
        How many rows normalization had landed, and what the guard made of them; erased customers' are suppressed.

    Raises:
        NotLanded: if the window was never normalized.
        LandingError: if it was fetched so long ago that a customer deleted since could come to life, or the landing
            store cannot be read.
        PublicationIncomplete: if the outcomes do not add up.
        CacheError: if Redis cannot be written.
    """
    landed = landing.require(CUSTOMERS, window)
    rows = landed.rows
    sieve = Sieve(Suppressions.load(landing))
    oldest = timestamps.now() - publisher.replay_horizon

    def states() -> Iterator[State]:
        for batch in landing.read(CUSTOMERS, window, schema=schemas.CUSTOMERS):
            _refuse_forgotten(batch, oldest=oldest, uri=landed.uri)
            yield from encode(sieve(batch))

    outcomes = publisher.publish(states())
    outcomes += Outcomes(suppressed=sieve.suppressed)
    if outcomes.total != rows:
        raise PublicationIncomplete(
            f"window {window.key}: {rows} customers were sent and {outcomes.total} answered for ({outcomes}); "
            "it heals by itself when a later tick succeeds"
        )
    return rows, outcomes


def _refuse_forgotten(batch: pa.RecordBatch, *, oldest: datetime, uri: str) -> None:
    """Refuse states that were fetched before `oldest`: later deletions of their customers may be forgotten by now."""
    first = pc.min(batch["fetched_at"]).as_py()
    if first is not None and first < oldest:
        raise Forgotten(
            f"{uri}: fetched on {first.date()}, but deletions are remembered since {oldest.date()} only, so publishing "
            "it could revive a deleted customer; materialize the window from raw_customers on, which asks the provider"
        )
