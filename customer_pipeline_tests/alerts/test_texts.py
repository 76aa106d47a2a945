"""The sentences that people read."""

import re
from dataclasses import fields, replace
from pathlib import Path
from typing import get_args

import pytest

from customer_pipeline import run_tags
from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.messages import Event, Message
from customer_pipeline.alerts.state import JobState, Outage, State
from customer_pipeline.alerts.texts import Letter, Sender, summary
from customer_pipeline_tests.alerts.scenes import at, span

DOCUMENT = Path(__file__).parents[2] / "docs" / "alerts.md"
SENDER = Sender(name="customer_pipeline (crm)", webserver_url="https://dagster.example.org/")
STARTED = Message(
    event="outage_started",
    at=at(10.6),
    outage=at(10.6),
    since=at(10.5),
    cause="provider_unavailable",
    windows=1,
    run_id="0a1b2c",
)
REFUSED = replace(STARTED, event="needs_person", cause="provider_rejected", permanent=True, windows=3)
HEALED = Message(
    event="outage_healed",
    at=at(434.5),
    outage=at(10.6),
    since=at(10.5),
    cause="provider_unavailable",
    windows=42,
    customers_changed=1234,
)
GIVEN_UP = Message(event="windows_given_up", at=at(300), windows=3, given_up=(span(10, 20), span(30, 50)), cause=None)
JOB_FAILED = Message(
    event="job_failed",
    at=at(300),
    since=at(299),
    cause="provider_misbehaved",
    permanent=True,
    run_id="0a1b2c",
    job="customer_reconciliation",
    told="provider misbehaved since 2026-11-23 04:59 UTC: 30 of 60 customers in the cache are not at the provider, "
    "whose walk found 30; at most 20 are believed to be deleted, so none was; needs you: look whether the provider "
    "shows all customers to these credentials",
)
IN_OUTAGE = replace(JOB_FAILED, cause="provider_unavailable", permanent=False, outage=at(10.6))
ERASURE_FAILED = Message(
    event="job_failed",
    at=at(300),
    since=at(299),
    permanent=True,
    run_id="0a1b2c",
    job="customer_erasure",
    told="1 runs that began before the erasure are still under way (0d5e7f11); repeat it when they have ended",
)
JOB_RECOVERED = Message(
    event="job_recovered", at=at(1740), since=at(299), run_id="3d4e5f", job="customer_reconciliation"
)
ALL = [
    STARTED,
    REFUSED,
    replace(STARTED, event="outage_returned"),
    HEALED,
    replace(HEALED, given_up=(span(10, 30),)),
    GIVEN_UP,
    replace(STARTED, cause="missed", run_id=None, windows=2),
    JOB_FAILED,
    replace(JOB_FAILED, cause="worker_lost", permanent=False, told=None),
    IN_OUTAGE,
    ERASURE_FAILED,
    JOB_RECOVERED,
    replace(JOB_RECOVERED, job="customer_erasure"),
]


def test_a_start_says_what_happened_since_when_what_lacks_and_what_happens_next() -> None:
    letter = SENDER.letter(STARTED)
    assert letter.title == "customer_pipeline (crm): provider unavailable"
    happened, lacking, next_step, link = letter.text.splitlines()
    assert happened == ("The provider does not answer, or only with server errors. Stale since 2026-11-23 00:10 UTC.")
    assert lacking == "Missing: 1 window. Readers keep what the cache holds."
    assert next_step == (
        "Nothing to do now: every tick tries again; once one succeeds, the missing windows are healed without you, and "
        "you get one more message."
    )
    assert link == "https://dagster.example.org/runs/0a1b2c"


def test_what_needs_a_person_says_so_first_and_what_it_needs() -> None:
    letter = SENDER.letter(REFUSED)
    assert letter.title == "customer_pipeline (crm): needs you: provider rejected"
    assert "Needs you: correct the secrets that the profile names, or the profile itself." in letter.text
    assert "Nothing to do" not in letter.text


def test_a_heal_says_how_long_it_took_and_what_came_of_it() -> None:
    letter = SENDER.letter(HEALED)
    assert letter.title == "customer_pipeline (crm): healed after 7 h 4 min"
    assert letter.text.splitlines() == [
        "From 2026-11-23 00:10 UTC to 2026-11-23 07:14 UTC: provider unavailable.",
        "Healed: 42 windows. Customers changed: 1,234.",
        "Nothing is left to do.",
        "https://dagster.example.org/assets/customer_cache?view=partitions",
    ]


def test_windows_that_were_given_up_are_named_as_the_ui_names_them() -> None:
    letter = SENDER.letter(GIVEN_UP)
    assert letter.title == "customer_pipeline (crm): needs you: 3 windows given up"
    assert "2026-11-23T0010Z, 2026-11-23T0030Z...2026-11-23T0040Z." in letter.text
    assert "materialize" in letter.text
    many = replace(GIVEN_UP, given_up=tuple(span(20 * number, 20 * number + 10) for number in range(25)))
    assert "and 5 more ranges" in SENDER.letter(many).text


def test_a_heal_that_left_windows_out_names_them() -> None:
    letter = SENDER.letter(replace(HEALED, given_up=(span(10, 30),)))
    assert letter.title == "customer_pipeline (crm): healed after 7 h 4 min, but for 2 windows"
    assert "Needs you: 2026-11-23T0010Z...2026-11-23T0020Z given up" in letter.text


def test_a_job_that_fails_is_named_with_its_own_words_and_what_happens_next() -> None:
    letter = SENDER.letter(JOB_FAILED)
    assert letter.title == "customer_pipeline (crm): needs you: customer_reconciliation failed: provider misbehaved"
    cause, next_step, promise, link = letter.text.splitlines()
    assert cause == f"{JOB_FAILED.told}."
    assert next_step == (
        "Needs you: mend what the first line names. customer_reconciliation_schedule tries again, once a day where it "
        "is on; at once: customer-pipeline reconcile."
    )
    assert promise == "You get one more message once a run of it has succeeded."
    assert link == "https://dagster.example.org/runs/0a1b2c"


def test_a_job_whose_process_was_lost_says_so_without_a_line_of_its_own() -> None:
    letter = SENDER.letter(replace(JOB_FAILED, cause="worker_lost", permanent=False, told=None))
    assert letter.title == "customer_pipeline (crm): customer_reconciliation failed: a run's process was lost"
    assert letter.text.startswith("A run's process was killed, or did not start.\ncustomer_reconciliation_schedule ")


def test_a_job_that_fails_because_of_an_outage_that_was_told_is_told_briefly() -> None:
    letter = SENDER.letter(IN_OUTAGE)
    assert letter.title == "customer_pipeline (crm): customer_reconciliation failed: provider unavailable"
    assert letter.text.splitlines()[0] == "customer_reconciliation failed too, as the outage that was told lasts."
    assert len(letter.text) < len(SENDER.letter(JOB_FAILED).text) / 2
    assert letter.body["outage"] == SENDER.letter(STARTED).body["outage"]


def test_an_erasure_that_fails_is_a_persons_to_repeat() -> None:
    letter = SENDER.letter(ERASURE_FAILED)
    assert letter.title == "customer_pipeline (crm): needs you: customer_erasure failed"
    assert "Needs you: repeat it. customer-pipeline erase goes on where it stopped" in letter.text
    again = SENDER.letter(replace(JOB_RECOVERED, job="customer_erasure")).text
    assert "repeat the one that failed, unless it was that" in again


def test_a_job_that_succeeds_again_says_since_when_it_had_not() -> None:
    letter = SENDER.letter(JOB_RECOVERED)
    assert letter.title == "customer_pipeline (crm): customer_reconciliation has succeeded again"
    assert letter.text.splitlines() == [
        "customer_reconciliation had failed since 2026-11-23 04:59 UTC.",
        "Nothing is left to do.",
        "https://dagster.example.org/runs/3d4e5f",
    ]


@pytest.mark.parametrize(
    ("minutes", "said"),
    [(0.2, "less than a minute"), (1, "1 min"), (60, "1 h"), (61.4, "1 h 1 min"), (1440 + 125, "1 d 2 h 5 min")],
)
def test_durations_are_said_in_days_hours_and_minutes(minutes: float, said: str) -> None:
    assert SENDER.letter(replace(HEALED, since=at(0), at=at(minutes))).title.endswith(f"healed after {said}")


def test_without_an_address_of_the_ui_there_is_no_link() -> None:
    letter = Sender(name="crm").letter(STARTED)
    assert "http" not in letter.text
    assert letter.body["url"] is None


@pytest.mark.parametrize("message", ALL)
def test_the_fields_of_the_webhook_are_always_the_same_ones(message: Message) -> None:
    body = SENDER.letter(message).body
    assert set(body) == set(SENDER.letter(STARTED).body)
    assert body["needs_person"] is ("needs you" in str(body["text"]).lower())


def test_the_fields_of_a_heal() -> None:
    assert SENDER.letter(replace(HEALED, given_up=(span(10, 30),))).body == {
        "id": "outage_healed/2026-11-23T07:14:30.000000Z",
        "event": "outage_healed",
        "pipeline": "customer_pipeline (crm)",
        "title": "customer_pipeline (crm): healed after 7 h 4 min, but for 2 windows",
        "text": SENDER.letter(replace(HEALED, given_up=(span(10, 30),))).text,
        "needs_person": True,
        "at": "2026-11-23T07:14:30.000000Z",
        "outage": "2026-11-23T00:10:36.000000Z",
        "since": "2026-11-23T00:10:30.000000Z",
        "cause": "provider_unavailable",
        "job": None,
        "windows": 42,
        "windows_given_up": [{"start": "2026-11-23T00:10:00.000000Z", "end": "2026-11-23T00:30:00.000000Z"}],
        "duration_seconds": 25440,
        "customers_changed": 1234,
        "url": "https://dagster.example.org/assets/customer_cache?view=partitions",
    }


@pytest.mark.parametrize("kind", [*run_tags.SAID, "worker_lost", "missed"])
@pytest.mark.parametrize("permanent", [False, True])
def test_every_kind_of_failure_has_its_own_words(kind: str, *, permanent: bool) -> None:
    assert Cause(kind).kind == kind
    letter = SENDER.letter(replace(STARTED, cause=kind, permanent=permanent))
    assert Cause(kind).headline in letter.title
    assert Cause(kind).sentence in letter.text
    waits = not permanent and kind in {"provider_unavailable", "provider_throttled"}
    assert ("Nothing to do now" in letter.text) == waits == (Cause(kind).needs not in letter.text)
    assert ("Needs you" in letter.text) == permanent
    assert ("Readers keep" in letter.text) == (not kind.startswith("cache_"))


def test_what_stands_in_a_tag_is_not_repeated() -> None:
    letter = SENDER.letter(replace(STARTED, cause=Cause("jane@example.org").kind))
    assert "jane" not in f"{letter}"


def test_the_line_of_an_evaluation_says_what_is_thought_at_present() -> None:
    assert summary(State()) == "nothing to tell"
    assert summary(State(unreadable_since=at(0))) == "the cache cannot be read"
    outage = Outage(
        noticed=at(1), since=at(0), cause="missed", permanent=False, windows=(span(0, 30),), counted_until=at(0)
    )
    assert (
        summary(State(outage=outage))
        == "told already: nothing published; stale since 2026-11-23 00:00 UTC, 3 windows missed"
    )


def test_the_line_of_an_evaluation_names_the_jobs_that_fail() -> None:
    jobs = {
        "customer_reconciliation": JobState(seen_until=at(5), failing_since=at(1)),
        "other": JobState(seen_until=at(5)),
    }
    fails = "customer_reconciliation fails since 2026-11-23 00:01 UTC"
    assert summary(State(jobs=jobs)) == f"told already: {fails}"
    assert summary(State(jobs=jobs, unreadable_since=at(0))) == f"the cache cannot be read; told already: {fails}"
    outage = Outage(noticed=at(1), since=at(0), cause="missed", permanent=False, counted_until=at(0))
    assert summary(State(jobs=jobs, outage=outage)) == (
        f"told already: nothing published; stale since 2026-11-23 00:00 UTC, 0 windows missed; {fails}"
    )


def test_every_event_and_field_and_cause_is_documented() -> None:
    document = DOCUMENT.read_text()
    for name in [*get_args(Event), *SENDER.letter(STARTED).body, *run_tags.SAID, "worker_lost", "missed"]:
        assert f"`{name}`" in document, name


@pytest.mark.parametrize("message", [STARTED, REFUSED, HEALED, GIVEN_UP, JOB_FAILED, JOB_RECOVERED])
def test_the_examples_in_the_document_are_real(message: Message) -> None:
    letter = SENDER.letter(message)
    assert f"{letter.title}\n{letter.text}" in DOCUMENT.read_text()


def test_a_letter_is_plain_ascii_text() -> None:
    assert {field.name for field in fields(Letter)} == {"id", "event", "title", "text", "body"}
    for message in ALL:
        letter = SENDER.letter(message)
        assert re.fullmatch(r"[ -~]+", letter.title)
        assert letter.text.isascii()
