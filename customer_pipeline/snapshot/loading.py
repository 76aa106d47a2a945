"""Parts of a full walk, into the cache: landed, normalized, published. It knows nothing of Dagster.

It is interrupted at any point and goes on from there: the parts that have landed are not asked for again, and
publishing them again does no harm.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.landing.errors import Damaged
from customer_pipeline.landing.naming import BEGINNING, COMPLETION
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.snapshot.hashing import HashedTexts
from customer_pipeline.snapshot.walking import mended_by_repetition, walk_parts
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.steps.normalization import Normalized, normalize
from customer_pipeline.steps.publication import publish_landed
from customer_pipeline.windows import Window

# A walk is gone on with if a part of it has landed within so long; the windows since it began are healed.
RESUMED_WITHIN = timedelta(days=1)
_NOTHING = pa.schema([("nothing", pa.null())])


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """How far a load has come.

    Attributes:
        customers: rows published so far.
        parts: parts published so far.
        seconds: since it began.
        newest: the part that was published last.
    """

    customers: int
    parts: int
    seconds: float
    newest: Window

    def __str__(self) -> str:
        rate = self.customers / max(self.seconds, 1e-3)
        return (
            f"{self.customers:,} customers published in {self.seconds:.0f} s, {rate:,.0f} a second; part {self.parts}, "
            f"updated from {self.newest.start:%Y-%m-%d %H:%M:%S} to {self.newest.end:%Y-%m-%d %H:%M:%S} UTC"
        )


@dataclass(kw_only=True, slots=True)
class Loaded:
    """What a load did.

    Attributes:
        as_of: everything that was updated before is in it; None where that is not known.
        customers: different records found; some parts overlap.
        parts: parts and windows published.
        resumed: parts that an interrupted walk had landed.
        fetched: rows that were landed.
        normalized: rows normalized, deletions included.
        quarantined: rows that became no customer, by reason.
        outcomes: what the guard made of the others.
        suppressed: records of erased customers, which were left out.
        requests: requests sent.
        seconds: how long it took.
    """

    as_of: datetime | None
    customers: int = 0
    parts: int = 0
    resumed: int = 0
    fetched: int = 0
    normalized: int = 0
    quarantined: Counter[str] = field(default_factory=Counter)
    outcomes: Outcomes = field(default_factory=Outcomes)
    suppressed: int = 0
    requests: int = 0
    seconds: float = 0.0

    def add(self, report: Normalized, outcomes: Outcomes) -> None:
        """Count a part or a window."""
        self.parts += 1
        self.fetched += report.fetched
        self.normalized += report.normalized
        self.quarantined.update(report.quarantined)
        self.outcomes += outcomes

    @property
    def quarantined_total(self) -> int:
        """Quarantined rows of all reasons."""
        return self.quarantined.total()


def whole_of(client: ProviderClient, *, landing: LandingStore, now: datetime) -> Window:
    """Return what is to be walked: what is left of an interrupted walk of the same provider belongs to the same whole.

    It ends before now by the lookback, since records may become visible late.

    Raises:
        LandingError: if the landing store cannot be read.
    """
    profile = client.profile
    for as_of in reversed(landing.snapshots()):
        whole, store = Window(profile.snapshot.earliest, as_of), landing.snapshot(as_of)
        went_on = max(
            (file.at for dataset in (BEGINNING, RAW_CUSTOMERS) for file in store.files(dataset)), default=None
        )
        if went_on is None or now - went_on > RESUMED_WITHIN:
            continue
        with suppress(Damaged):
            beginning = store.describe(BEGINNING, whole)
            if beginning and beginning.facts.get("form") == client.form and not store.landed(COMPLETION):
                return whole
    return Window(profile.snapshot.earliest, now - profile.lookback)


def forsake(store: LandingStore, whole: Window) -> None:
    """Let a walk not be gone on with, because what it found is not believed. What has landed is swept after a day.

    Raises:
        LandingError: if the landing store cannot be written.
    """
    store.remove(BEGINNING, whole)


def begun(landing: LandingStore) -> list[LandingStore]:
    """Return the snapshots that loads have begun, oldest first; what a reconciliation is walking is none of them.

    Raises:
        LandingError: if the landing store cannot be read.
    """
    stores = map(landing.snapshot, landing.snapshots())
    return [store for store in stores if store.landed(BEGINNING)]


def note(store: LandingStore, dataset: str, whole: Window, *, facts: dict[str, JsonValue]) -> None:
    """Land facts about a snapshot, in a file without rows.

    Raises:
        LandingError: if the landing store cannot be written.
    """
    with store.open_writer(dataset, whole, _NOTHING) as writer:
        writer.facts.update(facts)


class RecordsSeen:
    """Counts different records, in eight bytes each."""

    def __init__(self) -> None:
        self._names = HashedTexts()

    def add(self, part: Window, *, landing: LandingStore) -> None:
        """Count what was landed of a part: by id, or by its text where it has no usable one."""
        for batch in landing.read(RAW_CUSTOMERS, part, columns=["id", "record"]):
            marked = pc.binary_join_element_wise("#", batch["record"], "")
            self._names.add(pc.coalesce(batch["id"], marked).to_pylist())

    @property
    def count(self) -> int:
        """How many different records were added."""
        return len(self._names)


def load(
    whole: Window,
    *,
    clients: Sequence[ProviderClient],
    landing: LandingStore,
    publisher: Publisher,
    said: Callable[[Progress], object],
) -> Loaded:
    """Walk `whole`, normalize and publish each part, and return what was done; coverage is the caller's.

    Args:
        whole: from `whole_of`.
        clients: which ask the provider, each from one thread.
        landing: the landing store of the windows.
        publisher: of the cache.
        said: is told after each part.

    Raises:
        ProviderError: one of its four kinds. Where the provider has other records than were found, the next try walks
            all of them anew: they may have changed behind a walk that was gone on with.
        LandingError: if the landing store cannot be read or written; transient where a part is damaged.
        CacheError: if the cache cannot be written.
    """
    started = time.monotonic()
    profile = clients[0].profile
    store = landing.snapshot(whole.end)
    if not store.landed(BEGINNING):
        note(store, BEGINNING, whole, facts={"form": clients[0].form})
    loaded, seen = Loaded(as_of=whole.end), RecordsSeen()
    for part in walk_parts(whole, clients=clients, landing=store):
        with mended_by_repetition(part.window, landing=store):
            report = normalize(part.window, profile=profile, landing=store)
            _, outcomes = publish_landed(part.window, landing=store, publisher=publisher)
            seen.add(part.window, landing=store)
        loaded.suppressed += part.suppressed
        loaded.add(report, outcomes)
        loaded.resumed += part.walk is None
        loaded.requests += part.walk.requests if part.walk else 0
        loaded.seconds = time.monotonic() - started
        said(Progress(customers=loaded.normalized, parts=loaded.parts, seconds=loaded.seconds, newest=part.window))
    loaded.customers = seen.count
    try:
        clients[0].require_all(whole, seen=loaded.customers + loaded.suppressed)
    except ProviderMisbehaved as error:
        forsake(store, whole)
        if not loaded.resumed:
            raise
        raise ProviderMisbehaved(
            f"{loaded.customers} records were found by a walk that was interrupted, and the provider has more by now; "
            "the next try walks them all anew",
            error.request,
        ) from error
    return loaded
