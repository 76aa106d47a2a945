"""The measurement of the load of a whole provider, and of its reconciliation: how fast, in how much memory."""

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime

from benchmarks.bench import Bench
from benchmarks.inputs import Sandbox
from benchmarks.report import Bar, Memory, Ratio, Speed
from benchmarks.rig import Spread, unpinned
from customer_pipeline.windows import Window

# Years, as the customers of a business have.
_SPAN = Window(datetime(2020, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC))
_MEBIBYTES = 600e6 / (1 << 20)


def loading(bench: Bench) -> None:
    """Load a small and a large provider into an empty cache, each in a fresh process, then reconcile it."""
    with unpinned():
        small, large = (_one_load(bench, customers) for customers in bench.sizes.memory)
    bench.report.memory.extend((small, large))
    for name, value, limit in (
        (f"peak memory of a load of {large.records:,} and its reconciliation / 600 MB", large.peak / _MEBIBYTES, 1.0),
        (f"peak memory of a load, {large.records:,} / {small.records:,} customers", large.peak / small.peak, None),
    ):
        bar = None if limit is None else Bar(limit=limit, at_most=True)
        bench.report.ratios.append(Ratio(name, Spread(value, value, value), bar))


def _one_load(bench: Bench, customers: int) -> Memory:
    folder = bench.folder / f"load-{customers}"
    bench.connection.flushall()
    with Sandbox(folder, customers=customers, span=_SPAN) as sandbox:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.one_load", (folder / "landing").as_uri(), bench.valkey.url],
            env=os.environ | sandbox.environment,
            stdout=subprocess.PIPE,
            check=True,
        )
    shutil.rmtree(folder)
    answer = json.loads(done.stdout)
    if (answer["applied"], answer["differences"]) != (customers, 0):
        raise RuntimeError(f"the provider has {customers} customers, not {answer}")
    seconds = {name: answer[f"{name}_seconds"] for name in ("load", "reconcile")}
    for name, taken in seconds.items():
        rate = customers / taken
        bench.report.speeds.append(Speed(f"{name}, the whole provider", customers, Spread(rate, rate, rate)))
    peaks = answer["peaks"]
    return Memory(
        "load and reconciliation, in a fresh process", customers, max(peaks.values()), peaks, sum(seconds.values())
    )
