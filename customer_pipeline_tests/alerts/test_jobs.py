"""When the failure of a job beside the windows is told, and when that it succeeds again."""

import json
import re

import dagster as dg
import pytest

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.job_words import JOBS
from customer_pipeline.alerts.memory import Memory
from customer_pipeline.alerts.messages import Message
from customer_pipeline.alerts.texts import Sender
from customer_pipeline.definitions import defs
from customer_pipeline_tests.alerts.scenes import DOWN, REFUSED, Night, at

RECONCILIATION = "customer_reconciliation"
LANDING = Cause("landing", permanent=True)


@pytest.fixture
def night() -> Night:
    """A night that was looked at before any job has run."""
    night = Night(published=[])
    night.first_publication = None
    night.look(0)
    return night


@pytest.mark.parametrize("job", JOBS)
def test_a_job_that_fails_every_day_is_told_once_until_it_succeeds(night: Night, job: str) -> None:
    for minute in (10, 20, 30):
        night.end(job, minute, DOWN, told="provider unavailable: it is down")
        told = [*night.look(minute + 0.5), *night.look(minute + 1)]
        assert told == (["job_failed"] if minute == 10 else [])
    night.end(job, 40)
    assert [*night.look(40.5), *night.look(41)] == ["job_recovered"]
    night.end(job, 50, DOWN)
    assert night.look(50.5) == ["job_failed"]
    failed, recovered, again = night.told
    assert (failed.job, failed.run_id, failed.since) == (job, f"{job}-10", at(10))
    assert (failed.cause, failed.told) == ("provider_unavailable", "provider unavailable: it is down")
    assert (recovered.job, recovered.since, recovered.run_id) == (job, at(10), f"{job}-40")
    assert again.since == at(50)


def test_what_ended_before_the_first_look_is_not_told_and_neither_is_its_end() -> None:
    night = Night()
    night.end(RECONCILIATION, -5, DOWN)
    night.end("landing_retention", -5, DOWN)
    assert night.look(0) == []
    night.end(RECONCILIATION, 5)
    night.end("landing_retention", 5, DOWN)
    assert night.look(6) == ["job_failed"]
    assert night.told[0].job == "landing_retention"


def test_the_cursor_of_an_older_release_only_lets_the_first_look_remember() -> None:
    night = Night()
    night.look(-20)
    cursor = json.loads(Memory(state=night.state).dump())
    del cursor["state"]["jobs"]
    night.state = Memory.parse(json.dumps(cursor)).state
    assert night.state.sound_at == at(-20)
    night.end(RECONCILIATION, -5, DOWN)
    assert night.look(0) == []
    night.end(RECONCILIATION, 5, DOWN)
    assert night.look(6) == ["job_failed"]


def test_a_run_that_disappears_brings_no_older_one_back(night: Night) -> None:
    night.end(RECONCILIATION, 10, DOWN)
    night.look(11)
    failed = night.jobs[RECONCILIATION]
    night.end(RECONCILIATION, 20)
    night.look(21)
    night.jobs[RECONCILIATION] = failed
    assert night.look(22) == []
    del night.jobs[RECONCILIATION]
    assert night.look(23) == []


def test_a_run_that_failed_and_one_that_succeeded_between_two_looks_are_no_news(night: Night) -> None:
    night.end(RECONCILIATION, 10, DOWN)
    night.end(RECONCILIATION, 11)
    assert night.look(12) == []


def test_what_fails_because_of_an_outage_that_was_told_says_to_which_it_belongs() -> None:
    night = Night()
    night.look(-1)
    night.tick(10, DOWN)
    assert night.look(10.6) == ["outage_started"]
    night.end(RECONCILIATION, 12, DOWN)
    night.end("landing_retention", 12, LANDING)
    assert night.look(13) == ["job_failed", "job_failed"]
    _, reconciliation, retention = night.told
    assert (reconciliation.outage, retention.outage) == (at(10.6), None)
    assert (reconciliation.needs_person, retention.needs_person) == (False, True)


def test_a_cause_that_is_not_that_of_the_outage_is_told_in_full() -> None:
    night = Night()
    night.look(-1)
    night.tick(10, DOWN)
    night.end(RECONCILIATION, 10, REFUSED)
    assert night.look(10.6) == ["outage_started", "job_failed"]
    assert night.told[1].outage is None


def test_an_erasure_that_failed_needs_a_person_whatever_the_cause(night: Night) -> None:
    night.end("customer_erasure", 10, told="2 runs that began before the erasure are still under way")
    assert night.look(11) == ["job_failed"]
    (message,) = night.told
    assert (message.needs_person, message.cause) == (True, None)


def test_two_jobs_that_fail_at_once_are_two_messages_of_different_ids(night: Night) -> None:
    for job in JOBS:
        night.end(job, 10, DOWN)
    assert night.look(11) == ["job_failed"] * len(JOBS)
    assert len({message.id for message in night.told}) == len(JOBS)
    assert all(len(message.id) <= 128 for message in night.told), "SNS takes no longer one"


@pytest.mark.parametrize("job", JOBS)
def test_the_jobs_and_schedules_that_are_named_exist(job: str) -> None:
    assert defs.resolve_job_def(job)
    text = Sender(name="crm").letter(Message(event="job_failed", at=at(0), since=at(0), job=job)).text
    schedules = {one.name for one in defs.schedules or [] if isinstance(one, dg.ScheduleDefinition)}
    assert set(re.findall(r"\w+_schedule", text)) <= schedules
