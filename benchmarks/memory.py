"""The measurement of memory: whether it stays flat however many records a window holds."""

import json
import os
import shutil
import subprocess
import sys
import time

from benchmarks.bench import Bench
from benchmarks.inputs import Sandbox
from benchmarks.report import Bar, Memory, Ratio
from benchmarks.rig import Spread, unpinned

_FLAT = Bar(limit=1.5, at_most=True)


def memory(bench: Bench) -> None:
    """Take a small and a large window through all steps, each in a fresh process, and compare the peaks."""
    with unpinned():
        small, large = (_one_window(bench, records) for records in bench.sizes.memory)
    bench.report.memory.extend((small, large))
    ratio = large.peak / small.peak
    name = f"peak memory, {large.records:,} / {small.records:,} records in a window"
    bench.report.ratios.append(Ratio(name, Spread(ratio, ratio, ratio), _FLAT))


def _one_window(bench: Bench, records: int) -> Memory:
    folder = bench.folder / f"memory-{records}"
    bench.connection.flushall()
    with Sandbox(folder, customers=records) as sandbox:
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.one_window", (folder / "landing").as_uri(), bench.valkey.url],
            env=os.environ | sandbox.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
        seconds = time.monotonic() - started
    shutil.rmtree(folder)
    answer = json.loads(done.stdout)
    if (answer["fetched"], answer["applied"]) != (records, records):
        raise RuntimeError(f"the window holds {records} customers, not {answer}")
    peaks = answer["peaks"]
    return Memory("one window, in a fresh process", records, max(peaks.values()), peaks, seconds)
