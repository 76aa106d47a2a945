"""`python -m benchmarks`: measure, print one table, and fail where a bar is missed."""

import argparse
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench, Sizes
from benchmarks.loading import loading
from benchmarks.memory import memory
from benchmarks.parallel import parallel
from benchmarks.report import Report
from benchmarks.rig import describe_cores, pin_pipeline
from benchmarks.speed import indexes, materialization, publication, stages

MEASUREMENTS: dict[str, Callable[[Bench], None]] = {
    measure.__name__: measure for measure in (stages, publication, indexes, materialization, parallel, memory, loading)
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work, not how fast is it")
    parser.add_argument("--only", choices=MEASUREMENTS, action="append", help="measure this alone; repeatable")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything measured there")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))  # so that the servers are ended
    report = Report(describe_cores())
    pin_pipeline()
    sizes = Sizes.quick() if chosen.quick else Sizes()
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder, Bench(Path(folder), sizes, report) as bench:
        for name in chosen.only or MEASUREMENTS:
            print(f"measuring: {name}", file=sys.stderr)
            MEASUREMENTS[name](bench)
    print("\n".join(report.lines()))
    if chosen.json:
        report.write_json(chosen.json)
    for ratio in report.missed:
        print(f"missed: {ratio.name} is {ratio.ratio.value:.2f}, the bar is {ratio.bar}", file=sys.stderr)
    return 1 if report.missed else 0


if __name__ == "__main__":
    sys.exit(main())
