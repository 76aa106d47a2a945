"""A bounded set of drills on one stack, for every change. `make drill` does all of them, each on a stack of its own.

One test goes on where the other ended: the stack is what takes long.
"""

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta

import pytest

from customer_pipeline.timestamps import format_instant
from customer_pipeline_tests.drills import kills, leaks, loads, random_sequence
from customer_pipeline_tests.drills.drilling import RUN_SECONDS, Drilling, drilling, whole
from customer_pipeline_tests.drills.faults import PROVIDER

WINDOWS = 14
BASELINE = 2
# One in each window.
MARKED = [leaks.marked(number) for number in range(WINDOWS)]
QUARANTINED, GONE, LOST = 4, 5, 6
# A second channel, where nobody listens.
NOBODY = {"ALERT_SLACK_WEBHOOK_URL": "http://127.0.0.1:9/services/T00/B00/secret"}


@pytest.fixture(scope="module")
def stack() -> Iterator[Drilling]:
    with drilling(windows=WINDOWS, environ=NOBODY) as drill:
        drill.changes.fill(drill.past, changes=60)
        for number, (record, window) in enumerate(zip(MARKED, drill.past[:WINDOWS], strict=True)):
            body = {**record, "updated_at": record["status"]} if number == QUARANTINED else record
            at = format_instant(window.start + timedelta(minutes=5))
            drill.stack.provider.control("POST", "customers", body=body, updated_at=at)
        drill.succeed(whole(drill.past[:BASELINE]))
        yield drill


@pytest.fixture
def drill(stack: Drilling) -> Drilling:
    stack.seen.problems.clear()
    return stack


def test_an_outage_of_the_provider_heals_itself_in_few_runs(drill: Drilling) -> None:
    # What is cut holds customers.
    with PROVIDER["truncated_json"](drill.stack):
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


def run(drill: Drilling, job: str) -> None:
    (ended,) = drill.instance.wait_for([drill.instance.launch_job(job)], timeout=RUN_SECONDS)
    assert ended.status == "SUCCESS", drill.instance.failures(ended.id)


def test_of_an_erased_customer_nothing_is_left_whom_a_reconciliation_has_shown(drill: Drilling) -> None:
    """After a load, and a reconciliation that looked the customer up and published another."""
    home, (gone, lost) = drill.stack.home, (MARKED[number]["id"] for number in (GONE, LOST))
    drill.stack.write_profile(snapshot={"enabled": True})
    run(drill, loads.LOAD)
    drill.stack.provider.control("DELETE", f"customers/{gone}", hard="1")
    with drill.stack.redis() as client:
        assert client.delete(f"customer:{{{lost}}}") == 1
    run(drill, loads.RECONCILIATION)
    for shown in (gone, lost):
        assert leaks.leaks([shown], [home.dagster], free_pages=False) != []

    erased = subprocess.run(
        [sys.executable, "-m", "customer_pipeline.cli", "erase", "-", "--yes", "--by", "officer@desk"],
        input=gone,
        env=drill.stack.environ | {"DAGSTER_WEBSERVER_URL": drill.instance.url},
        capture_output=True,
        text=True,
        check=False,
    )

    said = erased.stdout + erased.stderr
    assert erased.returncode == 0, said
    assert "the job has erased the customer" in said
    assert "taken out of the sample of 1 reconciliation " in said
    assert leaks.told([gone], said) == 0
    assert leaks.leaks([gone], [home.dagster, home.logs], but={"provider.log"}, free_pages=False) == []
    assert drill.seen.problems == []


def test_no_value_of_a_customer_is_in_what_dagster_keeps_in_a_log_or_in_an_alert(drill: Drilling) -> None:
    """After all of the above: the failures, retries, heals, backfills and undelivered alerts too."""
    home = drill.stack.home
    values = leaks.values_of(drill.stack.provider.truth().values())
    values |= {value for record in MARKED for value in leaks.marks_of(record)}
    kept = [file for file in home.dagster.rglob("*") if file.is_file()]

    assert len(values) > 50
    assert len(kept) > 10
    assert leaks.leaks(["was not delivered to slack"], [home.dagster]) != []
    assert leaks.leaks(['.py", line '], [home.dagster]) != []
    assert leaks.leaks(values, [home.dagster, home.logs], but={"provider.log"}) == []
    assert drill.alerts.received
    assert leaks.told(values, json.dumps(drill.alerts.received)) == 0
