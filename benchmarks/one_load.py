"""A fresh process that loads a whole provider, then reconciles it, and prints the peaks and seconds of both as JSON.

    python -m benchmarks.one_load LANDING_URI REDIS_URL

The provider is the sandbox that the environment names, by its shipped profile.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

from benchmarks.inputs import sandbox_profile
from benchmarks.peaks import Peaks
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Loads
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.reconciling import reconcile
from customer_pipeline.reconciliation.walking import Walking, due_at, full_walk
from customer_pipeline.request_budget.budget import open_budget
from customer_pipeline.snapshot.completion import CacheLoader
from customer_pipeline.timestamps import now

_LINE_SECONDS = 10.0
_KEYS = CacheKeys()


@contextmanager
def _clients(profile: Profile, url: str) -> Iterator[list[ProviderClient]]:
    with open_budget(profile, url=url, prefix="customer", background=True) as permits, ExitStack() as stack:
        count = profile.limits.at_once(background=True)
        opened = [ProviderClient(profile, os.environ, permits=permits) for _ in range(count)]
        yield [stack.enter_context(client) for client in opened]


class _Lines:
    """Tells a person who waits, now and then."""

    def __init__(self) -> None:
        self._told = time.monotonic()

    def __call__(self, progress: object) -> None:
        if time.monotonic() - self._told > _LINE_SECONDS:
            self._told = time.monotonic()
            print(f"  {progress}", file=sys.stderr)


def _load(clients: list[ProviderClient], landing: LandingStore, connection: Connection) -> dict[str, float]:
    loader = CacheLoader(
        landing=landing,
        publisher=Publisher(connection, keys=_KEYS),
        coverage=Coverage(connection, keys=_KEYS, start=datetime(2026, 3, 1, tzinfo=UTC)),
        loads=Loads(connection, keys=_KEYS),
        start=datetime(2026, 3, 1, tzinfo=UTC),
        said=_Lines(),
    )
    loaded = loader.from_provider(clients, accept=lambda _: None)
    return {"applied": loaded.outcomes.applied, "requests": loaded.requests, "load_seconds": loaded.seconds}


def _reconcile(clients: list[ProviderClient], landing: LandingStore, connection: Connection) -> dict[str, float]:
    due = due_at(now(), clients[0].profile)
    comparison = Comparison(connection, keys=_KEYS, publisher=Publisher(connection, keys=_KEYS), due=due)
    walking, lines = Walking(), _Lines()
    report = reconcile(
        lambda: full_walk(clients, landing=landing, walking=walking, said=lines),
        comparison=comparison,
        client=clients[0],
    )
    return {"differences": report.differences, "reconcile_seconds": report.seconds}


def main() -> None:
    landing, connection = LandingStore(sys.argv[1]), connect(sys.argv[2])
    peaks = Peaks()
    peaks.note("start")
    with _clients(sandbox_profile(), sys.argv[2]) as clients:
        counts = _load(clients, landing, connection)
        peaks.note("load")
        counts |= _reconcile(clients, landing, connection)
        peaks.note("reconcile")
    print(json.dumps({"peaks": peaks.steps, **counts}))


if __name__ == "__main__":
    main()
