"""The pipeline as a deployment runs it: its own process, configured by environment alone."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.real_input.persons import DAY
from customer_pipeline_tests.servers import ValkeyServer

KEPT = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "COVERAGE_PROCESS_CONFIG", "COVERAGE_FILE")


class Pipeline:
    """One deployment: its landing store and Dagster's home lie in a folder of their own."""

    def __init__(self, folder: Path, valkey: ValkeyServer, *, profile: str | Path, secrets: dict[str, str]) -> None:
        home = folder / "dagster"
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if name in KEPT},
            **secrets,
            "PROVIDER_PROFILE": str(profile),
            "REDIS_URL": valkey.url,
            "LANDING_URI": (folder / "landing").as_uri(),
            "CUSTOMER_PIPELINE_START": DAY.start.isoformat().replace("+00:00", "Z"),
            "DAGSTER_HOME": str(home),
        }

    def materialize(self, span: Window) -> str:
        """Run every window of `span` in one run and return the log.

        Raises:
            subprocess.CalledProcessError: if the run fails.
        """
        last = Window(span.end - WINDOW_LENGTH, span.end)
        first = Window(span.start, span.start + WINDOW_LENGTH)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "dagster", "asset", "materialize", "--select", "*"),
                *("--partition-range", f"{first.key}...{last.key}", "-m", "customer_pipeline.definitions"),
            ],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=timedelta(minutes=5).total_seconds(),
        )
        if done.returncode:
            raise AssertionError(f"the run failed:\n{done.stdout[-4000:]}\n{done.stderr[-8000:]}")
        return done.stderr
