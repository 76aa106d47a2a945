"""A bounded set of drills on one stack, for every change. `make drill` does all of them, each on a stack of its own.

One test goes on where the other ended: the stack is what takes long.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from customer_pipeline_tests.drills import kills, leaks, random_sequence
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


def test_no_value_of_a_customer_is_in_what_dagster_keeps_or_in_a_log(drill: Drilling) -> None:
    """After all of the above: the failures, retries, heals and backfills too."""
    home = drill.stack.home
    values = leaks.values_of(drill.stack.provider.truth().values())
    kept = [file for file in home.dagster.rglob("*") if file.is_file()]

    assert len(values) > 50
    assert len(kept) > 10
    assert leaks.leaks(values, [home.dagster, home.logs], but={"provider.log"}) == []


def test_a_value_that_leaked_is_found(tmp_path: Path) -> None:
    record = {"contact": {"email": "anna.müller@example.org"}, "name": {"full": "Anna Müller"}}
    values = leaks.values_of([{"record": record}, {"record": "text"}])
    (tmp_path / "plain").write_text("failed for Anna Müller")
    (tmp_path / "escaped").write_text(r"{\"email\": \"anna.m\u00fcller@example.org\"}")
    (tmp_path / "clean").write_text("failed for a customer")

    assert leaks.leaks(values, [tmp_path]) == ["escaped: 1 values", "plain: 1 values"]
