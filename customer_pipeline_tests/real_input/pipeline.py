"""The pipeline as a deployment runs it: its own process, configured by environment alone."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from customer_pipeline.landing.store import LandingStore
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.windows import WINDOW_LENGTH, Window, split
from customer_pipeline_tests.real_input.persons import DAY
from customer_pipeline_tests.servers import ValkeyServer

KEPT = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG")


class Pipeline:
    """One deployment with a landing store of its own."""

    def __init__(self, folder: Path, valkey: ValkeyServer, *, profile: str | Path, secrets: dict[str, str]) -> None:
        uri = (folder / "landing").as_uri()
        self.landing = LandingStore(uri)
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in KEPT},
            **secrets,
            "PROVIDER_PROFILE": str(profile),
            "REDIS_URL": valkey.url,
            "LANDING_URI": uri,
            "CUSTOMER_PIPELINE_START": DAY.start.isoformat().replace("+00:00", "Z"),
        }

    def materialize(self, span: Window) -> str:
        """Run every window of `span` in one run and return its log."""
        last = Window(span.end - WINDOW_LENGTH, span.end)
        first = Window(span.start, span.start + WINDOW_LENGTH)
        done = subprocess.run(
            [sys.executable, "-m", "customer_pipeline_tests.real_input.run", first.key, last.key],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timedelta(minutes=5).total_seconds(),
        )
        if done.returncode:
            raise AssertionError(f"the run failed:\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
        return done.stderr

    def has_landed(self, window: Window) -> bool:
        """Return whether the provider was asked for the window."""
        return self.landing.describe(RAW_CUSTOMERS, window) is not None

    def landed_ids(self, span: Window) -> set[str]:
        """Return the ids that the provider answered with."""
        return {
            str(id_)
            for window in split(span.start, span.end)
            for batch in self.landing.read(RAW_CUSTOMERS, window, columns=["id"])
            for id_ in batch["id"].to_pylist()
        }
