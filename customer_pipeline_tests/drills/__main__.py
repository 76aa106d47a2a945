"""`python -m customer_pipeline_tests.drills`: named drills, or seeded random ones, as the rows of a table."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TypeAlias

from customer_pipeline_tests.drills.catalogue import DRILLS, Drill, perform, perform_seeds
from customer_pipeline_tests.drills.drilling import Seen

Work: TypeAlias = Callable[[], Iterator[tuple[Drill, Seen]]]


def main() -> int:
    parser = argparse.ArgumentParser(prog="make drill", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(DRILLS)}; all by default")
    parser.add_argument("--seed", type=int, help="the first random sequence")
    parser.add_argument("--seeds", type=int, default=1, metavar="COUNT", help="how many, from --seed on")
    parser.add_argument(
        "--on-one-stack", type=int, default=10, metavar="COUNT", help="how many random sequences before a new stack"
    )
    parser.add_argument("--seconds", type=float, default=float("inf"), help="begin no further drill after so long")
    parser.add_argument("--workers", type=int, default=1, help="how many drills side by side, each on its own stack")
    parser.add_argument(
        "--log", type=Path, help="add one line of JSON for each drill to this file; leave out what it has"
    )
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - DRILLS.keys():
        parser.error(f"there is no drill {', '.join(sorted(unknown))}; there are {', '.join(DRILLS)}")
    known = {json.loads(line)["drill"] for line in chosen.log.open()} if chosen.log and chosen.log.exists() else set()
    work: list[Work]
    if chosen.seed is not None:
        wanted = range(chosen.seed, chosen.seed + chosen.seeds)
        seeds = [seed for seed in wanted if Drill.of_seed(seed).name not in known]
        size = chosen.on_one_stack
        work = [partial(perform_seeds, seeds[first : first + size]) for first in range(0, len(seeds), size)]
    else:
        work = [partial(perform, DRILLS[name]) for name in chosen.names or DRILLS if name not in known]
    # Asked to end, end the stack too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    failed = 0
    print("| drill | what was done | what was seen | seconds |\n| --- | --- | --- | --- |")
    for drill, seen in outcomes(work, workers=chosen.workers, deadline=time.monotonic() + chosen.seconds):
        failed += bool(seen.problems)
        print(row(drill, seen), flush=True)
        if chosen.log:
            with chosen.log.open("a") as log:
                log.write(json.dumps({"drill": drill.name, **vars(seen)}) + "\n")
    return 1 if failed else 0


def outcomes(work: list[Work], *, workers: int, deadline: float) -> Iterator[tuple[Drill, Seen]]:
    """Yield what each drill saw, as soon as it is over; begin none after the deadline."""
    if workers == 1:  # in this thread, which a signal interrupts
        yield from (outcome for one in work for outcome in _in_time(one, deadline))
        return
    done: SimpleQueue[tuple[Drill, Seen] | None] = SimpleQueue()

    def perform_one(one: Work) -> None:
        try:
            for outcome in _in_time(one, deadline):
                done.put(outcome)
        finally:
            done.put(None)

    with ThreadPoolExecutor(workers) as pool:
        try:
            under_way = [pool.submit(perform_one, one) for one in work]
            for _ in under_way:
                yield from iter(done.get, None)
        finally:
            pool.shutdown(cancel_futures=True)
    for future in under_way:
        future.result()


def _in_time(one: Work, deadline: float) -> Iterator[tuple[Drill, Seen]]:
    """Yield the outcomes of some drills until the deadline has passed."""
    if time.monotonic() >= deadline:
        return
    for outcome in one():
        yield outcome
        if time.monotonic() >= deadline:
            return


def row(drill: Drill, seen: Seen) -> str:
    facts = [*seen.notes, f"failed runs: {seen.failed_runs}", f"heal runs: {seen.heal_runs}"]
    if seen.heal_seconds is not None:
        facts.insert(0, f"healed {seen.heal_seconds:.0f} s after the first successful tick")
    verdict = f"**not as it must be: {'; '.join(seen.problems)}**" if seen.problems else "cache equals provider"
    return f"| {drill.name} | {drill.done} | {verdict}; {'; '.join(facts)} | {seen.seconds:.0f} |"


if __name__ == "__main__":
    sys.exit(main())
