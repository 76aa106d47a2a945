"""A seeded sequence of faults while live runs, heals and a person's backfills go on side by side.

The seed fixes what is done, to which windows and in which order; how far a run has come when it is hit is up to
the machine.
"""

import contextlib
import random
import time
from collections.abc import Callable

import psutil

from customer_pipeline.windows import Window
from customer_pipeline_tests.drills.drilling import Drilling, whole
from customer_pipeline_tests.drills.faults import CACHE, DISK, PROCESSES, PROVIDER, Fault, provider_fault
from customer_pipeline_tests.drills.stack import newest_window

FEWEST_WINDOWS = 6
MOST_WINDOWS = 24
# Every second of a fault is a second of waiting for nothing; a run needs some to meet it.
LONGEST_FAULT_SECONDS = 8.0
LONGEST_DELAY_SECONDS = 6.0
SECOND_FAULT = 0.3
PATIENCE_SECONDS = 900.0

_LAYERS: list[dict[str, Fault]] = [
    {
        **PROVIDER,
        "500_now_and_then": provider_fault("error_500", probability="0.5"),
        "slow": provider_fault("slow", seconds="1", chunks="2"),
        "edits_during_walk": provider_fault("edits_during_walk", count="1", total="5"),
        "refused_credentials": provider_fault("expired_token"),
    },
    CACHE,
    PROCESSES,
    DISK,
]


def windows_of(seed: int) -> int:
    """Return how many windows the past of a seed has."""
    return random.Random(f"{seed}/windows").randint(FEWEST_WINDOWS, MOST_WINDOWS)


def random_sequence(drill: Drilling, *, seed: int) -> None:
    """Do what the seed says, then bring everything back, and wait until nothing is left to do."""
    dice = random.Random(f"{seed}/sequence")
    drill.changes.fill(drill.past, changes=dice.randint(40, 150))
    if dice.random() < 0.4:
        drill.changes.poison(dice.choice(drill.past))
    past = drill.past
    if dice.random() < 0.8:
        drill.live(whole(past[: dice.randint(1, len(past) // 2)]))
    for _ in range(dice.randint(1, 3)):
        episode(drill, dice, past)
    drill.watch(drill.tick(), limit_seconds=PATIENCE_SECONDS)
    drill.expect(drill.seen.heal_seconds is not None, f"the cache still has gaps after {PATIENCE_SECONDS:.0f} s")


def episode(drill: Drilling, dice: random.Random, past: list[Window]) -> None:
    """Request some work, break something while it goes on, and mend it."""
    faults = _drawn(drill, dice)
    work = [dice.choice(_WORK) for _ in range(dice.randint(1, 3))]
    before, held = dice.uniform(0, LONGEST_DELAY_SECONDS), dice.uniform(1, LONGEST_FAULT_SECONDS)
    kill = dice.random() < 0.4
    ranges = [_range(dice, past) for _ in work]
    drill.note(
        " + ".join([*(each.__name__.strip("_") for each in work), *faults, *(["worker killed"] if kill else [])])
    )
    for each, windows in zip(work, ranges, strict=True):
        each(drill, windows)
    time.sleep(before)
    if kill:
        _kill_a_worker(drill, dice)
    with contextlib.ExitStack() as stack:
        for fault in faults.values():
            stack.enter_context(fault(drill.stack))
        time.sleep(held)
        if kill:
            _kill_a_worker(drill, dice)


def _drawn(drill: Drilling, dice: random.Random) -> dict[str, Fault]:
    layers = dice.sample(_LAYERS, k=2 if dice.random() < SECOND_FAULT else 1)
    drawn = dict(dice.choice(sorted(layer.items())) for layer in layers)
    return {name: fault for name, fault in drawn.items() if drill.stack.own_disk or name not in DISK}


def _range(dice: random.Random, past: list[Window]) -> Window:
    first = dice.randrange(len(past))
    return whole(past[first : dice.randint(first, len(past) - 1) + 1])


def _live(drill: Drilling, windows: Window) -> None:
    drill.launch(windows)


def _tick(drill: Drilling, _: Window) -> None:
    drill.launch(newest_window())


def _backfill(drill: Drilling, windows: Window) -> None:
    drill.backfill(windows)


_WORK: list[Callable[[Drilling, Window], None]] = [_live, _tick, _tick, _backfill]


def _kill_a_worker(drill: Drilling, dice: random.Random) -> None:
    workers = drill.stack.workers()
    if workers:
        with contextlib.suppress(psutil.NoSuchProcess):
            dice.choice(workers).kill()
