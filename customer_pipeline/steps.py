"""The three steps of a window: ingest, normalize, publish. They join the libraries and know nothing of Dagster.

Each step reads what the one before landed, works in batches, and returns a report of counts. A step may be repeated
at any time: it replaces its own files, and the cache's guard settles the rest.
"""

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from customer_pipeline import timestamps
from customer_pipeline.cache.codec import State, encode
from customer_pipeline.cache.coverage import Coverage, Freshness
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.customers import exact_json, schemas
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.customers.newest import newest
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.customers.reasons import Reason
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.errors import Forgotten, LandingError
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.delivery import Page, WalkStats
from customer_pipeline.provider.profile import Profile
from customer_pipeline.windows import Window

RAW_CUSTOMERS = "raw_customers"
CUSTOMERS = "customers"
QUARANTINED_CUSTOMERS = "quarantined_customers"
# In the order in which they come into being: what is removed goes the other way.
LANDED = (RAW_CUSTOMERS, CUSTOMERS, QUARANTINED_CUSTOMERS)


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


@dataclass(frozen=True, kw_only=True)
class Normalized:
    """What normalizing a window did.

    Attributes:
        fetched: rows that ingestion landed.
        normalized: rows written to `customers`, deletions included.
        deletions: how many of them say that the customer was deleted.
        duplicates: rows left out because the window holds a newer state of the same customer.
        quarantined: rows written to `quarantined_customers`, by reason.
        recurring: those of them that every window meets again, since their `updated_at` lies in the future and the
            provider is not told where a window ends.
        invalid: unusable fields of published customers, by field name.
        unique_ids: different ids among the normalized rows.
        suppressed: rows left out because their customers are erased.
    """

    window: Window
    fetched: int
    normalized: int
    deletions: int
    duplicates: int
    quarantined: Mapping[str, int]
    recurring: int
    invalid: Mapping[str, int]
    unique_ids: int
    seconds: float
    suppressed: int = 0

    @property
    def conserved(self) -> bool:
        """Whether every fetched row is accounted for."""
        return self.fetched == self.normalized + self.quarantined_total + self.duplicates + self.suppressed

    @property
    def quarantined_total(self) -> int:
        """Quarantined rows of all reasons."""
        return sum(self.quarantined.values())


def normalize(window: Window, *, profile: Profile, landing: LandingStore) -> Normalized:
    """Turn the landed records of `window` into typed customers, the newest state of each, and quarantine the rest.

    Raises:
        NotLanded: if the window was never ingested.
        LandingError: if the landing store cannot be read or written.
    """
    started = time.monotonic()
    landed = landing.require(RAW_CUSTOMERS, window)
    difference = timedelta(seconds=float(str(landed.facts.get("clock_difference_seconds", 0.0))))
    ahead = max(difference, timedelta(0)) + profile.future_margin
    keep, suppressed = _newest_rows(window, profile=profile, landing=landing, ahead=ahead)
    normalizer = Normalizer(profile)
    tally = _Tally()
    with ExitStack() as stack:
        customers = stack.enter_context(landing.open_writer(CUSTOMERS, window, schemas.CUSTOMERS))
        quarantined = stack.enter_context(landing.open_writer(QUARANTINED_CUSTOMERS, window, schemas.QUARANTINE))
        position = 0
        for batch in landing.read(RAW_CUSTOMERS, window, schema=schemas.RAW):
            mask = keep[position : position + batch.num_rows]
            if len(mask) != batch.num_rows:
                break
            position += batch.num_rows
            result = normalizer(batch.filter(pa.array(mask)), ahead=ahead)
            customers.write(result.customers)
            quarantined.write(result.quarantined)
            tally.add(result.customers, result.quarantined, result.invalid)
        if position != len(keep) or landing.require(RAW_CUSTOMERS, window) != landed:
            raise LandingError(
                f"{landed.uri}: replaced by another run while it was being normalized; "
                "it heals by itself when a later tick succeeds",
                transient=True,
            )
    return Normalized(
        window=window,
        fetched=landed.rows,
        normalized=tally.normalized,
        deletions=tally.deletions,
        duplicates=int(len(keep) - keep.sum()) - suppressed,
        quarantined=dict(tally.quarantined),
        recurring=0 if profile.list.bounded else tally.quarantined[Reason.UPDATED_AT_IN_FUTURE],
        invalid=dict(tally.invalid),
        unique_ids=_unique_ids(window, landing),
        suppressed=suppressed,
        seconds=time.monotonic() - started,
    )


@dataclass
class _Tally:
    normalized: int = 0
    deletions: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    invalid: Counter[str] = field(default_factory=Counter)

    def add(self, customers: pa.Table, quarantined: pa.Table, invalid: Mapping[str, int]) -> None:
        self.normalized += customers.num_rows
        self.deletions += customers.num_rows - customers["deleted_at"].null_count
        self.quarantined.update(quarantined["reason"].to_pylist())
        self.invalid.update(invalid)


def _newest_rows(
    window: Window, *, profile: Profile, landing: LandingStore, ahead: timedelta
) -> tuple["np.ndarray[tuple[int], np.dtype[np.bool_]]", int]:
    """Return which landed rows to keep, and how many of the others are of erased customers.

    Ids and `updated_at` are read from the records anew, since the profile may have been corrected.
    """
    suppressions = Suppressions.load(landing)
    identify = Identifier(profile)
    held: list[np.ndarray[tuple[int], np.dtype[np.bool_]]] = []
    ids: list[pa.Array] = []
    updated: list[pd.Series] = []
    fetched: list[pd.Series] = []
    for batch in landing.read(RAW_CUSTOMERS, window, columns=["fetched_at", "record"]):
        batch_ids, updated_at = identify(exact_json.loads_each(batch["record"]))
        fetched_at = batch["fetched_at"].to_pandas()
        # An implausible instant must not displace a usable state of the same customer.
        plausible = (updated_at >= timestamps.EARLIEST_PLAUSIBLE) & (updated_at <= fetched_at + ahead)
        held.append(suppressions.holds(batch_ids))
        ids.append(pa.array(batch_ids, pa.string()))
        updated.append(updated_at.where(plausible))
        fetched.append(fetched_at)
    if not ids:
        return np.zeros(0, dtype=np.bool_), 0
    suppressed = np.concatenate(held)
    found = newest(
        pa.chunked_array(ids),
        pd.concat(updated, ignore_index=True),
        pd.concat(fetched, ignore_index=True),
    )
    return found & ~suppressed, int(suppressed.sum())


def _unique_ids(window: Window, landing: LandingStore) -> int:
    ids = [batch["id"] for batch in landing.read(CUSTOMERS, window, columns=["id"])]
    return int(pc.count_distinct(pa.chunked_array(ids, pa.string())).as_py())


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


def lag(freshness: Freshness, at: datetime) -> timedelta:
    """Return how far the cache's unbroken truth lies behind `at`."""
    return at - freshness.as_of
