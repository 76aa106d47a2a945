"""Definitions whose one run lasts until a file appears; loaded by the code server of a test."""

import os
import time
from pathlib import Path

import dagster as dg

RELEASE = "HELD_RUNS_RELEASE"


@dg.op
def held() -> None:
    release = Path(os.environ[RELEASE])
    while not release.exists():
        time.sleep(0.05)


@dg.job(executor_def=dg.in_process_executor)
def held_job() -> None:
    held()


defs = dg.Definitions(jobs=[held_job])
