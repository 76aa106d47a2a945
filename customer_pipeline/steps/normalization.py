"""The second step of a window: what was landed becomes typed customers, and what cannot is quarantined."""

import time
from collections import Counter
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline import timestamps
from customer_pipeline.customers import exact_json, schemas
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.customers.newest import newest
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.customers.reasons import Reason
from customer_pipeline.erasure.suppressions import Suppressions
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import Profile
from customer_pipeline.steps.datasets import CUSTOMERS, QUARANTINED_CUSTOMERS, RAW_CUSTOMERS
from customer_pipeline.windows import Window


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
