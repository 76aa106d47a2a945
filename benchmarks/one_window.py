"""A fresh process that takes one window through all steps, and prints its peak memory in each as JSON.

    python -m benchmarks.one_window LANDING_URI REDIS_URL

The provider is the sandbox that the environment names.
"""

import json
import os
import sys

from benchmarks.inputs import WINDOW, keyset_profile
from benchmarks.peaks import Peaks
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.steps import ingestion, normalization, publication


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
