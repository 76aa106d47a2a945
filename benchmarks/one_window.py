"""A fresh process that takes one window through all steps, and prints its peak memory in each as JSON.

    python -m benchmarks.one_window LANDING_URI REDIS_URL

The provider is the sandbox that the environment names.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks.inputs import WINDOW, keyset_profile
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.steps import ingestion, normalization, publication


class Peaks:
    """The highest resident memory of each step, in MiB.

    Linux forgets the highest value on request (`clear_refs`), and keeps one for each process image; `ru_maxrss` begins
    with that of the parent. Elsewhere it is `ru_maxrss`, which never falls from step to step.
    """

    def __init__(self) -> None:
        self.steps: dict[str, float] = {}

    def note(self, step: str) -> None:
        """Note the peak since the last note, and tell a person who waits."""
        self.steps[step] = _highest()
        print(f"  {step}: {self.steps[step]:,.0f} MiB after {time.process_time():,.0f} s of CPU", file=sys.stderr)
        if _CLEAR_REFS.exists():
            _CLEAR_REFS.write_text("5")


_CLEAR_REFS = Path("/proc/self/clear_refs")
_STATUS = Path("/proc/self/status")


def _highest() -> float:
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        return int(fields["VmHWM"].split()[0]) / 1024
    unit = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    landing, connection = LandingStore(sys.argv[1]), connect(sys.argv[2])
    profile = keyset_profile()
    peaks = Peaks()
    peaks.note("start")
    with ProviderClient(profile, os.environ) as client:
        fetched = ingestion.ingest(WINDOW, client=client, landing=landing).walk.rows
    peaks.note("ingest")
    normalization.normalize(WINDOW, profile=profile, landing=landing)
    peaks.note("normalize")
    publisher = Publisher(connection)
    coverage = Coverage(connection, keys=CacheKeys(), start=WINDOW.start)
    published = publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    peaks.note("publish")
    counts = {"fetched": fetched, "applied": published.outcomes.applied}
    print(json.dumps({"peaks": peaks.steps, **counts}))


if __name__ == "__main__":
    main()
