"""How a time is taken: on which core, in which order, and what of several repetitions is told."""

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Self

from customer_pipeline_tests.servers import ServerProcess

CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pin_pipeline() -> None:
    """Keep this process, and the children that it starts from now on, on one core."""
    if len(CORES) > 1:
        os.sched_setaffinity(0, {CORES[0]})


@contextmanager
def unpinned() -> Iterator[None]:
    """Let this process and its children use every core for a while: where memory is measured, time is not."""
    with _on(set(CORES)):
        yield


@contextmanager
def elsewhere() -> Iterator[None]:
    """Start children off the pipeline's core for a while."""
    with _on(set(CORES[1:])):
        yield


@contextmanager
def _on(cores: set[int]) -> Iterator[None]:
    if len(CORES) > 1:
        os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        pin_pipeline()


def keep_off(server: ServerProcess) -> None:
    """Keep a running server off the pipeline's core, with all of its threads."""
    if len(CORES) > 1 and server.process is not None:
        for thread in Path(f"/proc/{server.process.pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), set(CORES[1:]))


def describe_cores() -> str:
    """Return which process runs where."""
    if len(CORES) > 1:
        return f"one core for the pipeline, and for Feast ({CORES[0]}); servers on the rest ({len(CORES) - 1})"
    return "pipeline and servers share the cores: times are not those of one core"


def timed(call: Callable[[], object]) -> float:
    """Return the seconds of one call. The collector stays on; only what earlier repetitions left is collected first."""
    gc.collect()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def interleave(sides: Mapping[str, Callable[[], float]], *, rounds: int) -> dict[str, list[float]]:
    """Run the sides in turn, A B A B, after one round that warms up and does not count; return each side's seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, run in sides.items():
            taken = run()
            if number:
                seconds[name].append(taken)
    return seconds


@dataclass(frozen=True)
class Spread:
    """The median of several repetitions, and what lies around it."""

    value: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Self:
        """Summarize repetitions."""
        return cls(median(values), min(values), max(values))


def rates(count: int, seconds: list[float]) -> Spread:
    """Return records a second."""
    return Spread.of([count / taken for taken in seconds])


def ratios(rival: list[float], ours: list[float]) -> Spread:
    """Return how many times faster ours is, compared within each round, where the machine was equally busy."""
    return Spread.of([theirs / our for theirs, our in zip(rival, ours, strict=True)])
