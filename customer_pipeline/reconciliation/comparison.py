"""Compares what the provider says with what the cache holds, and publishes through the guard what is not the same."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from customer_pipeline.cache import stored
from customer_pipeline.cache.codec import State, encode
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.entries import Entry
from customer_pipeline.cache.index import bring_in_step, drop
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.reconciliation.kinds import CLOCK_TOLERANCE, DIFFERENCES, Kind, is_untold, kind_of
from customer_pipeline.reconciliation.report import Tally
from customer_pipeline.reconciliation.seen import CustomersSeen
from customer_pipeline.snapshot.hashing import HashedTexts
from customer_pipeline.snapshot.walking import mended_by_repetition
from customer_pipeline.steps import datasets, publication
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import Window

_BATCH = 1000
# The guard refuses what is older than what it knows.
_PUBLISHED = frozenset(DIFFERENCES) - {Kind.OLDER_AT_PROVIDER}


class Comparison:
    """Compares states with one cache.

    Args:
        connection: to the cache.
        keys: the names of its keys.
        publisher: publishes what is not the same; without it nothing is written.
        due: what changed before should be in the cache; what changed later is on its way.

    Attributes:
        tally: counts what was found.
        differing: who was counted as a difference.
    """

    def __init__(self, connection: Connection, *, keys: CacheKeys, publisher: Publisher | None, due: datetime) -> None:
        self.connection = connection
        self.keys = keys
        self.publisher = publisher
        self.due = due
        self.tally = Tally()
        self.differing = HashedTexts()
        self._due = format_instant(due)

    def uncounted(self) -> "Comparison":
        """Return the same comparison with a tally of its own."""
        return Comparison(self.connection, keys=self.keys, publisher=self.publisher, due=self.due)

    def add_parts(self, parts: Iterable[Window], *, landing: LandingStore, started_at: datetime) -> CustomersSeen:
        """Compare parts of a full walk that began at `started_at` and were normalized, and return whom the walk saw.

        Seen is whoever has a record with a usable id, be it a deletion or quarantined.

        Raises:
            LandingError: if a part cannot be read; transient where it is damaged.
            CacheError: if the cache cannot be read or written.
            PublicationIncomplete: if the guard did not answer for everybody.
        """
        seen = CustomersSeen()
        for part in parts:
            with mended_by_repetition(part, landing=landing):
                self._add_part(part, landing=landing, started_at=started_at, seen=seen)
        return seen

    def _add_part(self, part: Window, *, landing: LandingStore, started_at: datetime, seen: CustomersSeen) -> None:
        for raw in landing.read(datasets.RAW_CUSTOMERS, part, columns=["id"]):
            seen.add(raw.column("id").drop_null().to_pylist())
        self.tally.quarantined += landing.require(datasets.QUARANTINED_CUSTOMERS, part).rows
        for customers in landing.read(datasets.CUSTOMERS, part, schema=schemas.CUSTOMERS, batch_size=_BATCH):
            states = encode(customers)
            seen.testify([state.id for state in states if state.document is not None])
            self.add(states, started_at=started_at)

    def add(self, states: Sequence[State], *, started_at: datetime) -> None:
        """Compare states of different customers, and publish those that are not the same.

        Args:
            states: of the provider.
            started_at: when the walk began that found them or missed them.

        Raises:
            CacheError: if the cache cannot be read or written.
            PublicationIncomplete: if the guard did not answer for everybody.
        """
        news: list[State] = []
        misindexed: list[str] = []
        differing: list[str] = []
        held_each = self._held(states)
        since, until = format_instant(started_at), format_instant(now() + CLOCK_TOLERANCE)
        for state, held in zip(states, held_each, strict=True):
            kind = self._kind(state, held, since=since, until=until)
            self.tally.add(kind, state.id)
            if kind is Kind.MISINDEXED:
                misindexed.append(state.id)
            if kind in DIFFERENCES:
                differing.append(state.id)
            if is_untold(state, held) or kind is Kind.AWAITED or kind in _PUBLISHED:
                news.append(state)
        self.differing.add(differing)
        self.publish(news)
        self.mend_index(misindexed)

    def publish(self, states: Sequence[State]) -> None:
        """Publish states through the guard, unless only checking."""
        if self.publisher is None or not states:
            return
        outcomes = self.publisher.publish(states)
        self.tally.outcomes += outcomes
        if outcomes.total != len(states):
            raise publication.PublicationIncomplete(
                f"{len(states)} customers were sent and {outcomes.total} answered for ({outcomes}); reconcile again"
            )

    def mend_index(self, ids: Sequence[str]) -> None:
        """Write into the indexes what the documents say, unless only checking."""
        if self.publisher is not None and ids:
            bring_in_step(self.connection, ids, keys=self.keys)

    def announce(self, ids: Sequence[str]) -> None:
        """Tell of the changes that killed processes have left untold, unless only checking."""
        if self.publisher is not None:
            self.publisher.announce(ids)

    def drop_entries(self, entries: Sequence[Entry], *, index: str) -> None:
        """Take those entries out of an index that the documents do not say, unless only checking."""
        if self.publisher is not None:
            drop(self.connection, entries, index=index, keys=self.keys)

    def count_misindexed(self, ids: Sequence[str]) -> None:
        """Count whom an index has wrongly, but nobody twice who differs."""
        names = list(dict.fromkeys(ids))
        new = [name for name, is_known in zip(names, self.differing.holds(names).tolist(), strict=True) if not is_known]
        for customer_id in new:
            self.tally.add(Kind.MISINDEXED, customer_id)
        self.differing.add(new)

    def _held(self, states: Sequence[State]) -> list[stored.Stored]:
        return stored.read_beside(self.connection, states, keys=self.keys)

    def _kind(self, state: State, held: stored.Stored, *, since: str, until: str) -> Kind:
        kind = kind_of(state, held, since=since, until=until)
        is_young = state.version[: len(self._due)] >= self._due
        return Kind.AWAITED if is_young and kind in {Kind.MISSING, Kind.STALE, Kind.DIFFERENT} else kind
