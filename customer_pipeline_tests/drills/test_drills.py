"""A bounded set of drills on one stack, for every change. `make drill` does all of them, each on a stack of its own.

One test goes on where the other ended: the stack is what takes long.
"""

import random
from collections.abc import Iterator

import pytest

from customer_pipeline_tests.drills import kills, random_sequence
from customer_pipeline_tests.drills.drilling import Drilling, drilling, whole
from customer_pipeline_tests.drills.faults import PROVIDER

WINDOWS = 14
BASELINE = 2


@pytest.fixture(scope="module")
def stack() -> Iterator[Drilling]:
    with drilling(windows=WINDOWS) as drill:
        drill.changes.fill(drill.past, changes=60)
        drill.succeed(whole(drill.past[:BASELINE]))
        yield drill


@pytest.fixture
def drill(stack: Drilling) -> Drilling:
    stack.seen.problems.clear()
    return stack


def test_an_outage_of_the_provider_heals_itself_in_few_runs(drill: Drilling) -> None:
    with PROVIDER["html_200"](drill.stack):
        drill.fail(whole(drill.past[BASELINE:]))
        # What heals before anybody has looked is not told.
        drill.wait_for_alert("outage_started")
    drill.watch(drill.tick())
    drill.wait_for_alert("outage_healed")

    assert drill.seen.problems == []
    assert drill.seen.heal_seconds is not None
    assert drill.seen.heal_runs <= 3
    assert drill.alerts.events() == ["outage_started", "outage_healed"]


def test_a_killed_worker_leaves_nothing_undone(drill: Drilling) -> None:
    kills.worker_killed_again(drill, drill.past[3:6])

    assert drill.seen.problems == []


def test_a_random_sequence_ends_with_the_cache_equal_to_the_provider(drill: Drilling) -> None:
    random_sequence.episode(drill, random.Random("bounded/7"), drill.past)
    drill.watch(drill.tick())

    assert drill.seen.problems == []
    assert drill.seen.heal_seconds is not None
