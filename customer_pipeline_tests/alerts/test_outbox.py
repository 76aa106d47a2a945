"""What waits for a channel: how long, in which order, and when it is given up."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.alerts.channels import Webhook
from customer_pipeline.alerts.delivery import deliver
from customer_pipeline.alerts.memory import Memory
from customer_pipeline.alerts.messages import Event, Message
from customer_pipeline.alerts.outbox import KEPT_FOR, Outbox
from customer_pipeline.alerts.texts import Sender
from customer_pipeline_tests.alerts.receivers import OK, Receiver
from customer_pipeline_tests.alerts.scenes import at, span

SENDER = Sender(name="crm")
EVENTS = get_args(Event)
GOOD_NEWS = {"outage_healed", "job_recovered"}
FAILS = b"HTTP/1.1 500 Error\r\n\r\n"


def message(event: Event, minute: float, *, outage: float = 0) -> Message:
    return Message(event=event, at=at(minute), outage=at(outage), since=at(outage), cause="provider_unavailable")


def test_every_channel_gets_every_message_and_what_was_taken_does_not_wait() -> None:
    with Receiver() as one, Receiver() as other:
        channels = [Webhook(one.url, name="one"), Webhook(other.url, name="other")]
        outbox, problems = deliver(
            Outbox(), [message("outage_started", 1)], channels=channels, sender=SENDER, now=at(1)
        )
        outbox, more = deliver(outbox, [], channels=channels, sender=SENDER, now=at(2))
    assert [body["event"] for body in [*one.bodies, *other.bodies]] == ["outage_started"] * 2
    assert problems == more == []
    assert outbox.due(at(60)) == {}


def test_a_channel_that_fails_is_tried_again_alone_with_growing_pauses_until_it_takes_the_same_message() -> None:
    with Receiver(FAILS, FAILS, FAILS, OK) as failing, Receiver() as sound:
        channels = [Webhook(failing.url, name="failing"), Webhook(sound.url, name="sound")]
        outbox, tried = Outbox(), []
        for half_minute in range(40):
            now = at(half_minute / 2)
            new = [message("outage_started", 0)] if half_minute == 0 else []
            outbox, problems = deliver(outbox, new, channels=channels, sender=SENDER, now=now)
            if problems:
                tried.append(half_minute / 2)
                assert problems == ["the alert was not delivered to failing: it answered 500"]
            outbox = Memory.parse(Memory(outbox=outbox).dump()).outbox
    assert tried == [0, 0.5, 1.5]
    assert len(failing.bodies) == 4
    assert len({body["id"] for body in failing.bodies}) == 1
    assert len(sound.bodies) == 1


def test_after_an_hour_the_news_of_a_heal_is_dropped_and_that_is_said() -> None:
    with Receiver(FAILS) as receiver:
        channels = [Webhook(receiver.url)]
        outbox, said = Outbox(), []
        for half_minute in range(240):
            new = [message("outage_healed", 0)] if half_minute == 0 else []
            outbox, problems = deliver(outbox, new, channels=channels, sender=SENDER, now=at(half_minute / 2))
            said += problems
    assert said[-1] == "webhook never took 'crm: healed after less than a minute'; dropped"
    assert len(said) == len(receiver.bodies) + 1
    assert 6 <= len(receiver.bodies) <= 15
    assert outbox.due(at(1000)) == {}


def test_of_an_outage_that_lasts_the_newest_message_of_each_event_waits_until_the_channel_is_back() -> None:
    events: list[Event] = ["outage_started", "needs_person", "outage_returned", "windows_given_up"]
    night = [message(event, number / 10) for number, event in enumerate([*events, *events])]
    with Receiver(FAILS) as receiver:
        channels, tried = [Webhook(receiver.url)], []
        outbox, _ = deliver(Outbox(), night, channels=channels, sender=SENDER, now=at(1))
        for half_minute in range(2, 2 * 600):
            now = at(half_minute / 2)
            outbox, problems = deliver(outbox, [], channels=channels, sender=SENDER, now=now)
            tried += [now] if problems else []
            outbox = Memory.parse(Memory(outbox=outbox).dump()).outbox
        assert tried[-1] - tried[-2] == timedelta(minutes=10)
        receiver.answer_with(OK)
        outbox, problems = deliver(outbox, [], channels=channels, sender=SENDER, now=at(620))
    assert problems == []
    assert [body["id"] for body in receiver.bodies[-4:]] == [each.id for each in night[4:]]
    assert outbox.due(at(1000)) == {}


def test_windows_that_were_given_up_one_after_the_other_are_all_named_in_the_end() -> None:
    ranges = [(10, 20), (20, 30), (50, 60)]
    told = [
        Message(event="windows_given_up", at=at(minute), windows=1, given_up=(span(*minutes),))
        for minute, minutes in enumerate(ranges)
    ]
    outbox, dropped = Outbox().add(told, channels=["slack"]).failed("slack", at(100))
    assert list(dropped) == told[:2]
    ((left,),) = outbox.due(at(110)).values()
    assert (left.id, left.windows, left.given_up) == (told[2].id, 3, (span(10, 30), span(50, 60)))


def test_a_message_that_never_had_its_turn_is_tried_once_however_old_it_is() -> None:
    with Receiver() as receiver:
        old = message("outage_started", 0)
        _, problems = deliver(Outbox(), [old], channels=[Webhook(receiver.url)], sender=SENDER, now=at(600))
    assert problems == []
    assert len(receiver.bodies) == 1


def test_of_an_outage_that_has_healed_only_the_heal_is_told_to_a_channel_that_knew_of_nothing() -> None:
    started, given_up = message("outage_started", 1), message("windows_given_up", 2)
    outbox = Outbox().add([started, message("needs_person", 1), given_up], channels=["late", "quick"])
    outbox = outbox.delivered("quick", 3)
    healed, next_one = message("outage_healed", 3), message("outage_started", 4, outage=4)
    outbox = outbox.add([healed, next_one], channels=["late", "quick"])
    assert outbox.due(at(5)) == {"late": (given_up, healed, next_one), "quick": (healed, next_one)}


def test_of_a_job_that_has_succeeded_only_that_is_told_to_a_channel_that_knew_of_nothing() -> None:
    failed, other = (Message(event="job_failed", at=at(1), job=job) for job in ("one", "other"))
    outbox = Outbox().add([failed, other], channels=["late", "quick"]).delivered("quick", 2)
    recovered = Message(event="job_recovered", at=at(3), job="one")
    outbox = outbox.add([recovered], channels=["late", "quick"])
    assert outbox.due(at(5)) == {"late": (other, recovered), "quick": (recovered,)}
    outbox, dropped = outbox.failed("late", at(100))
    assert dropped == (recovered,)


def test_the_failures_of_different_jobs_wait_side_by_side() -> None:
    first, other, again = (
        Message(event="job_failed", at=at(minute), job=job) for minute, job in enumerate(["one", "other", "one"])
    )
    _, dropped = Outbox().add([first, other, again], channels=["slack"]).failed("slack", at(100))
    assert dropped == (first,)


def test_what_waits_for_a_channel_that_is_no_longer_configured_is_forgotten() -> None:
    outbox = Outbox().add([message("outage_started", 1)], channels=["slack", "sns"]).add([], channels=["sns"])
    assert list(outbox.due(at(1))) == ["sns"]


def test_messages_wait_in_the_cursor_whole() -> None:
    whole = Message(
        event="outage_healed",
        at=at(3.25),
        outage=at(1),
        since=at(0.5),
        cause="missed",
        permanent=False,
        windows=3,
        given_up=(span(10, 30),),
        customers_changed=12,
        run_id="run",
        job="job",
        told="why",
    )
    memory = Memory(outbox=Outbox().add([whole], channels=["slack"]).failed("slack", at(4))[0])
    assert Memory.parse(memory.dump()) == memory


@given(
    st.lists(st.tuples(st.booleans(), st.lists(st.sampled_from(EVENTS), max_size=3), st.integers(1, 20)), max_size=40)
)
def test_nothing_is_lost_before_its_hour_is_over_and_at_most_one_of_each_event_is_kept_for_longer(
    steps: list[tuple[bool, list[Event], int]],
) -> None:
    outbox, now = Outbox(), at(0)
    waiting: list[str] = []
    for number, (works, events, minutes) in enumerate(steps):
        now += timedelta(minutes=minutes)
        fresh = [Message(event=event, at=now + timedelta(seconds=n)) for n, event in enumerate(events)]
        # Of an outage or a job of its own, so that it supersedes nothing.
        fresh = [replace(each, outage=at(number)) if each.event == "outage_healed" else each for each in fresh]
        fresh = [replace(each, job=f"job-{number}") if each.event == "job_recovered" else each for each in fresh]
        outbox = outbox.add(fresh, channels=["slack"])
        waiting += [each.id for each in fresh]
        due = outbox.due(now).get("slack", ())
        if not due:
            continue
        assert [each.id for each in due] == waiting
        if works:
            outbox, waiting = outbox.delivered("slack", len(due)), []
            continue
        outbox, dropped = outbox.failed("slack", now)
        assert all(now - each.at >= KEPT_FOR for each in dropped)
        left = outbox.due(now + timedelta(minutes=10)).get("slack", ())
        waiting = [each for each in waiting if each not in {one.id for one in dropped}]
        assert [each.id for each in left] == waiting
        old = [each.event for each in left if now - each.at >= KEPT_FOR]
        assert len(set(old)) == len(old)
        assert not GOOD_NEWS & set(old)
        assert {each.event for each in due} - GOOD_NEWS <= {each.event for each in left}
