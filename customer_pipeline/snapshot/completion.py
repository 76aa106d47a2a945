"""The load as a whole: begun, carried out, and noted in the cache once nothing was lost on the way.

Windows may be published meanwhile; the guard settles the order. Should the cache be lost in the middle, what has landed
is published again.
"""

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime

from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.loads import Loads, Source
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.landing.errors import Damaged, Forgotten
from customer_pipeline.landing.naming import COMPLETION
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile
from customer_pipeline.snapshot.errors import LoadRefused
from customer_pipeline.snapshot.loading import Loaded, Progress, begun, forsake, load, note, whole_of
from customer_pipeline.snapshot.walking import mended_by_repetition
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.steps.normalization import Normalized, normalize
from customer_pipeline.steps.publication import publish_landed
from customer_pipeline.timestamps import now
from customer_pipeline.windows import Window, floor

log = logging.getLogger(__name__)

_TRIES = 3
# Of the records of the last load.
FEWEST_SHARE = 0.9


class CacheLoader:
    """Loads one cache.

    Args:
        landing: the landing store of the windows.
        publisher: of the cache.
        coverage: of the cache.
        loads: of the cache.
        start: where the pipeline's first window starts.
        said: is told after each part.
    """

    def __init__(
        self,
        *,
        landing: LandingStore,
        publisher: Publisher,
        coverage: Coverage,
        loads: Loads,
        start: datetime,
        said: Callable[[Progress], object],
    ) -> None:
        self._landing = landing
        self._publisher = publisher
        self._coverage = coverage
        self._loads = loads
        self._start = start
        self._said = said

    @property
    def is_loaded(self) -> bool:
        """Whether the cache knows of a load from the provider that has finished."""
        return self._loads.read().loaded_at is not None

    def from_provider(
        self, clients: Sequence[ProviderClient], *, accept: Callable[[Loaded], object], accept_fewer: bool = False
    ) -> Loaded:
        """Walk the provider, publish everything, and extend the coverage from the start to the walk's end.

        Args:
            clients: which ask the provider, each from one thread.
            accept: raises where what was found is not to be believed.
            accept_fewer: believe a provider that shows nobody, or far fewer customers than at the last load.

        Raises:
            ProviderError: one of its four kinds.
            LoadRefused: if it shows too few.
            LandingError: if the landing store cannot be read or written.
            CacheError: if the cache cannot be written, or is lost again and again.
        """
        token = self._loads.begin()
        whole = whole_of(clients[0], landing=self._landing, now=now())
        store = self._landing.snapshot(whole.end)
        loaded = load(whole, clients=clients, landing=self._landing, publisher=self._publisher, said=self._said)
        try:
            accept(loaded)
            if not accept_fewer:
                self._require_enough(loaded.customers)
        except Exception:
            forsake(store, whole)
            raise

        def publish_again() -> None:
            for part in store.landed(RAW_CUSTOMERS):
                with mended_by_repetition(part, landing=store):
                    publish_landed(part, landing=store, publisher=self._publisher)

        self._finish(token, covered=[whole], as_of=whole.end, source="provider", publish_again=publish_again)
        note(store, COMPLETION, whole, facts={"customers": loaded.customers, "parts": loaded.parts})
        return loaded

    def _require_enough(self, customers: int) -> None:
        before = self._customers_before()
        if not customers or customers < FEWEST_SHARE * before:
            raise LoadRefused(found=customers, before=before)

    def _customers_before(self) -> int:
        """Return how many different records the last load had; 0 where there was none."""
        for as_of in reversed(self._landing.snapshots()):
            store = self._landing.snapshot(as_of)
            for whole in store.landed(COMPLETION):
                with suppress(Damaged):
                    return int(str(store.require(COMPLETION, whole).facts.get("customers", 0)))
        return 0

    def from_landing(self, profile: Profile, *, fit: Callable[[Normalized], bool]) -> Loaded:
        """Normalize and publish everything that was landed, and extend the coverage by it. The provider is not asked.

        What is damaged, or so old that deletions since may be forgotten, is left out. Deletions that only the lost
        cache knew are not known any more: a reconciliation finds them.

        Args:
            profile: how records are read.
            fit: whether a window may be published; what may not stays a gap.

        Raises:
            LandingError: if the landing store cannot be read or written.
            CacheError: if the cache cannot be written, or is lost again and again.
        """
        token = self._loads.begin()
        started = time.monotonic()
        loaded = Loaded(as_of=None)
        stores = [*begun(self._landing), self._landing]
        sources = [(store, window) for store in stores for window in store.landed(RAW_CUSTOMERS)]
        published: list[tuple[LandingStore, Window]] = []
        for store, window in sources:
            if replayed := self._replayed(window, store=store, profile=profile, fit=fit):
                published.append((store, window))
                loaded.add(*replayed)
                loaded.seconds = time.monotonic() - started
                self._said(
                    Progress(customers=loaded.normalized, parts=loaded.parts, seconds=loaded.seconds, newest=window)
                )
        whole = [
            snapshot
            for store in stores[:-1]
            for snapshot in store.landed(COMPLETION)
            if all(source in published for source in sources if source[0] is store)
        ]
        loaded.as_of = max((snapshot.end for snapshot in whole), default=None)
        self._finish(
            token,
            covered=[*whole, *(window for store, window in published if store is self._landing)],
            as_of=loaded.as_of,
            source="landing",
            publish_again=lambda: [
                publish_landed(window, landing=store, publisher=self._publisher) for store, window in published
            ],
        )
        return loaded

    def _replayed(
        self, window: Window, *, store: LandingStore, profile: Profile, fit: Callable[[Normalized], bool]
    ) -> tuple[Normalized, Outcomes] | None:
        """Normalize and publish what was landed of a window; None where it may not be published."""
        try:
            report = normalize(window, profile=profile, landing=store)
            if store is self._landing and not fit(report):
                return None
            return report, publish_landed(window, landing=store, publisher=self._publisher)[1]
        except Damaged as error:
            log.warning("left out, since it is damaged: %s", error.uri)
        except Forgotten:
            pass
        return None

    def _finish(
        self,
        token: str,
        *,
        covered: Sequence[Window],
        as_of: datetime | None,
        source: Source,
        publish_again: Callable[[], object],
    ) -> None:
        """Extend the coverage and note the load, once the cache that has everything is the one it began in."""
        ranges = [
            Window(max(one.start, self._start), floor(one.end))
            for one in covered
            if max(one.start, self._start) < floor(one.end)
        ]
        for _ in range(_TRIES):
            if self._loads.lasts(token):
                if ranges:
                    self._coverage.extend(ranges)
                if self._loads.finish(token, as_of=as_of, source=source):
                    return
            token = self._loads.begin()
            publish_again()
        raise CacheUnavailable(
            f"the cache was lost {_TRIES} times while it was loaded",
            advice="Look at the Redis server: memory, restarts, who flushes it.",
        )
