"""The load as a whole: begun, carried out, and noted in the cache once nothing was lost on the way.

Windows may be published meanwhile; the guard settles the order. Should the cache be lost in the middle, what has landed
is published again.
"""

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.cache.loads import Loads, Source
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.landing.naming import COMPLETION
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile
from customer_pipeline.snapshot.loading import Loaded, Progress, load, note, whole_of
from customer_pipeline.steps import RAW_CUSTOMERS, Normalized, normalize, publish_landed
from customer_pipeline.timestamps import now
from customer_pipeline.windows import Window, floor

_TRIES = 3


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
        """Whether the cache knows of a load that has finished."""
        return self._loads.read().as_of is not None

    def from_provider(self, clients: Sequence[ProviderClient], *, accept: Callable[[Loaded], object]) -> Loaded:
        """Walk the provider, publish everything, and extend the coverage from the start to the walk's end.

        Args:
            clients: which ask the provider, each from one thread.
            accept: raises where what was found is not to be believed.

        Raises:
            ProviderError: one of its four kinds.
            LandingError: if the landing store cannot be read or written.
            CacheError: if the cache cannot be written, or is lost again and again.
        """
        token = self._loads.begin()
        whole = whole_of(clients[0].profile, landing=self._landing, now=now())
        loaded = load(whole, clients=clients, landing=self._landing, publisher=self._publisher, said=self._said)
        accept(loaded)
        store = self._landing.snapshot(whole.end)

        def publish_again() -> None:
            for part in store.landed(RAW_CUSTOMERS):
                publish_landed(part, landing=store, publisher=self._publisher)

        self._finish(token, covered=[whole], as_of=whole.end, source="provider", publish_again=publish_again)
        note(store, COMPLETION, whole, facts={"customers": loaded.normalized, "parts": loaded.parts})
        return loaded

    def from_landing(self, profile: Profile, *, fit: Callable[[Normalized], bool]) -> Loaded:
        """Normalize and publish everything that was landed, and extend the coverage by it. The provider is not asked.

        Args:
            profile: how records are read.
            fit: whether a window may be published; what may not stays a gap.

        Raises:
            LandingError: if the landing store cannot be read or written.
            CacheError: if the cache cannot be written, or is lost again and again.
        """
        token = self._loads.begin()
        complete = [at for at in self._landing.snapshots() if self._landing.snapshot(at).landed(COMPLETION)]
        as_of = max(complete, default=None)
        loaded = Loaded(as_of=as_of)
        covered = [Window(profile.snapshot.earliest, as_of)] if as_of else []
        started = time.monotonic()
        stores = [*map(self._landing.snapshot, self._landing.snapshots()), self._landing]
        for store in stores:
            for window in store.landed(RAW_CUSTOMERS):
                report = normalize(window, profile=profile, landing=store)
                if store is self._landing and not fit(report):
                    continue
                _, outcomes = publish_landed(window, landing=store, publisher=self._publisher)
                loaded.add(report, outcomes)
                loaded.seconds = time.monotonic() - started
                if store is self._landing:
                    covered.append(window)
                self._said(
                    Progress(customers=loaded.normalized, parts=loaded.parts, seconds=loaded.seconds, newest=window)
                )

        def publish_again() -> None:
            for store in stores:
                for window in store.landed(RAW_CUSTOMERS):
                    if store is not self._landing or window in covered:
                        publish_landed(window, landing=store, publisher=self._publisher)

        self._finish(token, covered=covered, as_of=as_of, source="landing", publish_again=publish_again)
        return loaded

    def _finish(
        self,
        token: str,
        *,
        covered: Sequence[Window],
        as_of: datetime | None,
        source: Source,
        publish_again: Callable[[], None],
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
