"""The drills by name."""

import os
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from customer_pipeline_tests.drills import kills, loads, outages, poison, random_sequence
from customer_pipeline_tests.drills.drilling import Drilling, Seen, drilling, stack_with_past
from customer_pipeline_tests.drills.faults import CACHE, DISK, PROVIDER


@dataclass(frozen=True, kw_only=True)
class Drill:
    """One drill.

    Attributes:
        name: by which it is asked for.
        done: what it does, for the table.
        windows: how many windows the stack's past has.
        run: does it.
        customers: how many the provider has from the start; the cache is then loaded as a whole.
        profile: what the provider's profile has instead of the sandbox's.
        own_disk: whether the landing store needs a file system of its own.
    """

    name: str
    done: str
    windows: int
    run: Callable[[Drilling], None]
    own_disk: bool = False
    seed: int = 1
    customers: int = 0
    profile: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of_seed(cls, seed: int) -> Self:
        """Return a random drill."""
        return cls(
            name=f"seed {seed}",
            done="a random sequence",
            windows=random_sequence.windows_of(seed),
            run=partial(random_sequence.random_sequence, seed=seed),
            own_disk=os.geteuid() == 0,  # a file system is mounted
            seed=seed,
        )


def perform(drill: Drill) -> Iterator[tuple[Drill, Seen]]:
    """Start a stack, do the drill, end the stack; what fails in the drill itself is a problem that was seen."""
    seen = Seen()
    try:
        with drilling(
            windows=drill.windows,
            seed=drill.seed,
            own_disk=drill.own_disk,
            customers=drill.customers,
            profile=drill.profile,
        ) as under_way:
            seen = under_way.seen
            drill.run(under_way)
    except Exception:  # noqa: BLE001 -- the other drills go on
        seen.problems.append(traceback.format_exc())
    yield drill, seen


def perform_seeds(seeds: Sequence[int]) -> Iterator[tuple[Drill, Seen]]:
    """Do random drills one after the other on one stack, where only Dagster remembers those before.

    After a drill that is not passed the next begins on another stack.
    """
    left = deque(map(Drill.of_seed, seeds))
    while left:
        most = random_sequence.MOST_WINDOWS
        with stack_with_past(windows=most, own_disk=left[0].own_disk, warm=True) as (stack, alerts):
            while left:
                drill = left.popleft()
                under_way = Drilling(stack, seed=drill.seed, alerts=alerts, windows=drill.windows)
                _run(drill, under_way)
                yield drill, under_way.seen
                if under_way.seen.problems:
                    break
                stack.lose_everything()


def _run(drill: Drill, under_way: Drilling) -> None:
    started = time.monotonic()
    try:
        drill.run(under_way)
    except Exception:  # noqa: BLE001 -- the other drills go on
        under_way.seen.problems.append(traceback.format_exc())
    under_way.seen.seconds = time.monotonic() - started


def _outage(name: str) -> Drill:
    count = outages.OUTAGE_WINDOWS
    return Drill(
        name=name,
        done=f"provider {name.replace('_', ' ')} over {count} windows, then back",
        windows=outages.BASELINE + count,
        run=partial(outages.provider_outage, name=name),
    )


_ALL = [
    *(_outage(name) for name in PROVIDER),
    Drill(
        name="daemon",
        done=f"daemon killed over {outages.DAEMON_WINDOWS} windows, then started",
        windows=outages.BASELINE + outages.DAEMON_WINDOWS,
        run=outages.daemon_outage,
    ),
    Drill(
        name="three_days",
        done=f"{outages.THREE_DAYS} windows missing while live ticks go on",
        windows=outages.BASELINE + outages.THREE_DAYS,
        run=outages.three_days,
    ),
]
_ALL += [
    Drill(
        name=f"worker_killed_in_{stage}",
        done=f"kill -9 of the run worker, in the stage {stage}",
        windows=kills.WINDOWS,
        run=partial(kills.worker_killed, stage=stage),
    )
    for stage in ("ingest", "normalize", "publish")
]
_ALL += [
    Drill(
        name="worker_killed_in_a_batch",
        done="kill -9 of the run worker in the middle of a batch",
        windows=kills.WINDOWS,
        run=kills.worker_killed_in_a_batch,
    )
]
_ALL += [
    Drill(
        name=name,
        done=f"kill -9 of the {name.removesuffix('_killed').replace('_', ' ')} during a run, started again",
        windows=kills.WINDOWS,
        run=partial(kills.process_killed, fault=fault),
    )
    for name, fault in kills.FAULTS_IN_WORK.items()
]
_ALL += [
    Drill(
        name=name,
        done=f"{name.replace('_', ' ')} while a run begins, then well again",
        windows=kills.WINDOWS,
        run=partial(kills.store_refuses, fault=fault),
        own_disk=name in DISK,
    )
    for name, fault in {**CACHE, **DISK}.items()
]
_ALL += [
    Drill(
        name=f"{name}_in_publication",
        done=f"{name.replace('_', ' ')} while a run publishes, then well again",
        windows=kills.WINDOWS,
        run=partial(kills.cache_fails_in_publication, fault=fault),
    )
    for name, fault in kills.FAULTS_IN_PUBLICATION.items()
]
_ALL += [
    Drill(
        name="poison_record",
        done="records without id, without time, and no object",
        windows=poison.WINDOWS,
        run=poison.poison_record,
    ),
    Drill(
        name="poison_window_refused",
        done="one window is answered 401 for good, then mended and materialized by hand",
        windows=poison.WINDOWS,
        run=partial(poison.poison_window, fault="expired_token"),
    ),
    Drill(
        name="poison_window_failing",
        done="one window is answered 500 for good, then mended and materialized by hand",
        windows=poison.WINDOWS,
        run=partial(poison.poison_window, fault="error_500"),
    ),
    Drill(
        name="refused_credentials",
        done="the provider answers 401 from now on, then the secret is corrected",
        windows=poison.WINDOWS,
        run=poison.refused_credentials,
    ),
]
_ALL += [
    Drill(
        name=run.__name__,
        done=done,
        windows=loads.WINDOWS,
        customers=loads.CUSTOMERS,
        run=run,
    )
    for run, done in (
        (
            loads.load_killed,
            f"the first load of {loads.CUSTOMERS:,} customers killed up to ten times while customers change",
        ),
        (loads.reconciliation_killed, "the cache spoilt, customers gone unsaid; the reconciliation killed ten times"),
        (loads.redis_flushed, "Redis flushed in the middle of a day"),
        (
            loads.doubtful_provider,
            "the provider answers with half of its customers, with none, and with the same page again and again",
        ),
    )
]
_ALL += [
    Drill(
        name=f"deletions_as_{form}",
        done=f"{loads.CUSTOMERS:,} customers loaded and reconciled while they change, go and come back; "
        f"deletions are {said}",
        windows=loads.WINDOWS,
        customers=loads.CUSTOMERS,
        profile=loads.profile_of_deletions(form),
        run=loads.changing_while_loaded,
    )
    for form, said in (("flag", "marked records"), ("event", "events"), ("unsaid", "not stated"))
]
DRILLS = {drill.name: drill for drill in _ALL}
