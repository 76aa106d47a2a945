"""The full walk that a reconciliation compares by: the parts of a snapshot, and once more what changed meanwhile.

A customer that is edited during the walk may have moved behind its end before it was read. So the walk ends with one
over what has changed since it began; whoever is edited once or twice is seen.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.retention import remove_abandoned
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile, ProfileError
from customer_pipeline.reconciliation.reconciling import FullWalk
from customer_pipeline.snapshot.loading import RecordsSeen
from customer_pipeline.snapshot.walking import Part, mended_by_repetition, walk_parts
from customer_pipeline.steps import datasets, ingestion, normalization
from customer_pipeline.timestamps import now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor

# How far the walk may ask ahead of a provider's clock that is behind.
_CLOCK_RESERVE = timedelta(seconds=30)
# How far a clock that is as good as right may seem to be behind.
_CLOCK_TOLERANCE = timedelta(seconds=5)


@dataclass(kw_only=True, slots=True)
class Walking:
    """What the walks of a reconciliation did so far.

    Attributes:
        walks: full walks begun.
        parts: parts landed.
        rows: records read.
        requests: requests sent for them.
        waited: how much of the time was waiting for the pipeline's own request budget.
        started: when it began, on the monotonic clock.
    """

    walks: int = 0
    parts: int = 0
    rows: int = 0
    requests: int = 0
    waited: timedelta = timedelta(0)
    started: float = field(default_factory=time.monotonic)

    def __str__(self) -> str:
        seconds = time.monotonic() - self.started
        rate = self.rows / max(seconds, 1e-3)
        return (
            f"{self.rows:,} customers read in {seconds:.0f} s, {rate:,.0f} a second; part {self.parts} of walk "
            f"{self.walks}"
        )


def due_at(at: datetime, profile: Profile) -> datetime:
    """Return until when changes should be in the cache: those of the windows that ended a window ago or earlier.

    What became visible late is caught by the lookback of the window after.
    """
    return floor(at - WINDOW_LENGTH) - profile.lookback


def full_walk(
    clients: Sequence[ProviderClient],
    *,
    landing: LandingStore,
    walking: Walking,
    said: Callable[[Walking], object] = lambda _: None,
) -> FullWalk:
    """Begin a full walk. Its parts are removed from the landing store once they were compared, or when it fails.

    What earlier walks left there that were killed is removed too.

    Args:
        clients: which ask the provider, each from one thread.
        landing: the landing store of the windows.
        walking: is counted on.
        said: is told after each part.

    Raises:
        ProfileError: if the profile says that the provider cannot be walked as a whole.
        LandingError: if the landing store cannot be read or written.
    """
    profile = clients[0].profile
    if not profile.snapshot.enabled:
        raise ProfileError(
            f"the profile {profile.name} says that the provider cannot be walked as a whole (snapshot.enabled)"
        )
    remove_abandoned(landing, now=now())
    started_at = now()
    whole = Window(profile.snapshot.earliest, started_at - profile.lookback)
    store = landing.snapshot(whole.end)
    walking.walks += 1

    def parts() -> Generator[Window]:
        try:
            yield from walked()
        finally:
            with suppress(LandingError):  # a later walk removes it
                for dataset in reversed(datasets.LANDED):
                    for part in store.landed(dataset):
                        store.remove(dataset, part)

    def walked() -> Generator[Window]:
        seen, suppressed, behind = RecordsSeen(), 0, timedelta(0)
        with closing(cast("Generator[Part]", walk_parts(whole, clients=clients, landing=store))) as landed:
            for part in landed:
                with mended_by_repetition(part.window, landing=store):
                    seen.add(part.window, landing=store)
                suppressed += part.suppressed
                if part.walk:
                    behind = max(behind, -(part.walk.clock_difference or timedelta(0)))
                    walking.rows += part.walk.rows
                    walking.requests += part.walk.requests
                    walking.waited += part.walk.waited
                yield from compared(part.window)
        clients[0].require_all(whole, seen=seen.count + suppressed)
        until = max(now(), started_at) + _ahead(profile) - max(behind - _CLOCK_TOLERANCE, timedelta(0))
        meanwhile = Window(whole.end, until)
        ingested = ingestion.ingest(meanwhile, client=clients[0], landing=store)
        walking.rows += ingested.walk.rows
        walking.requests += ingested.walk.requests
        yield from compared(meanwhile)

    def compared(part: Window) -> Generator[Window]:
        with mended_by_repetition(part, landing=store):
            normalization.normalize(part, profile=profile, landing=store)
        walking.parts += 1
        said(walking)
        yield part
        for dataset in datasets.LANDED:
            store.remove(dataset, part)

    return FullWalk(started_at=started_at, end=whole.end, landing=store, parts=parts())


def _ahead(profile: Profile) -> timedelta:
    """Return how far beyond the present the walk of what changed meanwhile asks: a provider's clock may be ahead.

    Half of what the client allows is left for one that is behind.
    """
    return max(profile.lookback / 2 - _CLOCK_RESERVE, timedelta(0))
