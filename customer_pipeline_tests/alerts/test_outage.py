"""The state machine: when an outage starts, when it has healed, and what is told in between."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.alerts.causes import Cause
from customer_pipeline.alerts.memory import Memory
from customer_pipeline.alerts.state import State, bounded
from customer_pipeline.windows import Window
from customer_pipeline_tests.alerts.scenes import DOWN, REFUSED, Night, at, span


def looked(night: Night, first: float, last: float, *, every: float = 0.5) -> list[str]:
    events = []
    minute = first
    while minute < last:
        events += night.look(minute)
        minute += every
    return events


def test_a_quiet_night_tells_nothing() -> None:
    night = Night()
    for minute in range(0, 120, 10):
        night.tick(minute)
        assert looked(night, minute + 0.6, minute + 10) == []


@pytest.mark.parametrize("takes", [0.5, 1, 2, 5, 9, 14.5])
def test_a_tick_that_takes_its_time_tells_nothing(takes: float) -> None:
    night = Night()
    night.look(0.1)
    events = looked(night, 10.0, 10 + takes)
    night.publish(span(0, 10), 10 + takes)
    assert events + looked(night, 10 + takes, 20) == []


def test_a_failed_live_run_starts_an_outage_at_once() -> None:
    night = Night()
    night.look(9)
    night.tick(10, DOWN)
    assert night.look(10.6) == ["outage_started"]
    (message,) = night.told
    assert (message.cause, message.permanent, message.windows) == ("provider_unavailable", False, 1)
    assert (message.since, message.outage, message.run_id) == (at(10.5), at(10.6), "run-10")


def test_seven_hours_of_failing_ticks_are_one_start_and_one_heal_with_the_numbers_of_the_outage() -> None:
    night = Night()
    night.look(-1)
    for minute in range(10, 430, 10):
        night.tick(minute, DOWN, since=10.5)
        looked(night, minute + 0.6, minute + 10)
    night.tick(430)
    looked(night, 430.6, 434)
    night.publish(span(0, 420), 434, changed=7)
    looked(night, 434.5, 440)
    night.tick(440)
    looked(night, 440.6, 450)
    started, healed = night.told
    assert (started.event, started.windows) == ("outage_started", 1)
    assert (healed.event, healed.windows, healed.customers_changed) == ("outage_healed", 42, 42 * 7)
    assert (healed.since, healed.at, healed.outage) == (at(10.5), at(434.5), started.outage)
    assert not healed.needs_person


def test_a_success_while_windows_still_lack_does_not_end_the_outage() -> None:
    night = Night()
    for minute, cause in [(10, DOWN), (20, DOWN), (30, None), (40, DOWN), (50, None), (60, None)]:
        night.tick(minute, cause)
        looked(night, minute + 0.6, minute + 10)
    assert [message.event for message in night.told] == ["outage_started"]


def test_the_night_without_a_daemon_is_one_start_and_one_heal() -> None:
    night = Night()
    night.tick(0)
    night.look(1)
    night.tick(420)
    assert looked(night, 420.6, 422) == ["outage_started"]
    night.publish(span(0, 410), 422)
    assert looked(night, 422.5, 425) == ["outage_healed"]
    started, healed = night.told
    assert (started.cause, started.since, started.windows) == ("missed", at(10), 41)
    assert (healed.windows, healed.customers_changed) == (41, 410)


def test_a_provider_that_is_down_when_the_daemon_is_back_is_told_since_the_daemon_stopped() -> None:
    night = Night()
    night.look(3)
    night.tick(420, DOWN)
    assert night.look(420.6) == ["outage_started"]
    assert (night.told[0].cause, night.told[0].since, night.told[0].run_id) == (DOWN.kind, at(10), "run-420")


def test_what_healed_before_anybody_looked_is_not_told() -> None:
    night = Night()
    night.look(1)
    night.publish(span(0, 420), 419)
    night.tick(420)
    assert looked(night, 420.6, 430) == []


def test_a_schedule_that_is_off_is_told_a_quarter_of_an_hour_after_the_window_was_due() -> None:
    night = Night()
    night.look(1)
    assert looked(night, 1, 25) == []
    assert night.look(25) == ["outage_started"]
    assert (night.told[0].cause, night.told[0].since, night.told[0].windows) == ("missed", at(10), 2)


def test_the_first_load_is_no_outage() -> None:
    night = Night(published=[], first_publication=None)
    assert looked(night, 0, 30) == []
    night.first_publication = at(30.5)
    night.tick(30)
    assert looked(night, 30.6, 40) == []
    for minute in range(40, 200, 10):
        night.tick(minute)
        night.publish(span(-600, -600 + minute), minute)
        assert looked(night, minute + 0.6, minute + 10) == []


def test_a_first_load_that_cannot_reach_the_provider_is_an_outage() -> None:
    night = Night(published=[], first_publication=None)
    night.tick(10, REFUSED)
    assert night.look(10.6) == ["outage_started"]
    assert night.told[0].windows == 1
    assert night.told[0].needs_person


def test_what_the_first_load_has_still_to_bring_is_not_counted_as_missed() -> None:
    night = Night(published=[], first_publication=None)
    for minute in (10, 20):
        night.tick(minute, DOWN, since=10.5)
        looked(night, minute + 0.6, minute + 10)
    night.first_publication = at(30.5)
    night.tick(30)
    looked(night, 30.6, 33)
    night.publish(span(-600, 20), 33)
    assert looked(night, 33.5, 35) == ["outage_healed"]
    assert night.told[-1].windows == 2


def test_a_refusal_says_that_a_person_is_needed() -> None:
    night = Night()
    night.tick(10, REFUSED)
    night.look(10.6)
    assert night.told[0].permanent
    assert night.told[0].needs_person


def test_an_outage_that_comes_to_need_a_person_is_told_once_more() -> None:
    night = Night()
    causes = [DOWN, DOWN, REFUSED, REFUSED, DOWN, REFUSED]
    for minute, cause in zip(range(10, 70, 10), causes, strict=True):
        night.tick(minute, cause)
        looked(night, minute + 0.6, minute + 10)
    assert [message.event for message in night.told] == ["outage_started", "needs_person"]
    assert night.told[1].cause == "provider_rejected"
    assert night.told[1].run_id == "run-30"


def test_windows_given_up_are_told_once_and_do_not_keep_the_outage_open() -> None:
    night = Night()
    for minute in (10, 20, 30):
        night.tick(minute, DOWN)
        looked(night, minute + 0.6, minute + 10)
    night.tick(40)
    night.publish(span(0, 10), 41)
    looked(night, 41, 42)
    night.given_up = (span(10, 30),)
    assert looked(night, 42, 50) == ["windows_given_up", "outage_healed"]
    given_up, healed = night.told[1:]
    assert (given_up.given_up, given_up.windows, given_up.needs_person) == ((span(10, 30),), 2, True)
    assert (healed.given_up, healed.windows, healed.needs_person) == ((span(10, 30),), 1, True)
    night.tick(50)
    night.given_up = ()  # the heal starts anew after a change of configuration
    assert looked(night, 50.6, 60) == []
    night.given_up = (span(10, 30),)
    night.tick(60)
    assert looked(night, 60.6, 70) == []
    night.publish(span(10, 30), 70)
    night.tick(70)
    assert looked(night, 70.6, 80) == []
    assert night.state.given_up == ()


def test_another_window_given_up_is_told_too() -> None:
    night = Night()
    night.look(-1)
    night.lose(span(-100, -80))
    night.given_up = (span(-100, -90),)
    night.tick(0)
    assert "windows_given_up" in night.look(1)
    night.given_up = (span(-100, -80),)
    assert "windows_given_up" in night.look(1.5)
    assert night.told[-1 if night.told[-1].event == "windows_given_up" else -2].given_up == (span(-90, -80),)


def test_a_window_that_was_given_up_and_published_since_is_not_told() -> None:
    night = Night(given_up=(span(-100, -90),))
    assert looked(night, 0, 10) == []


@pytest.mark.parametrize("cause", [Cause("cache_unavailable"), Cause("cache_rejected", permanent=True)])
def test_a_cache_that_cannot_be_read_is_an_outage_after_a_minute(cause: Cause) -> None:
    night = Night()
    night.look(1)
    night.unreadable = cause
    assert looked(night, 1.5, 2.5) == []
    assert looked(night, 2.5, 9) == ["outage_started"]
    night.unreadable = None
    assert looked(night, 9, 10) == ["outage_healed"]
    started, healed = night.told
    assert (started.cause, started.permanent, started.since) == (cause.kind, cause.permanent, at(1.5))
    assert (healed.windows, healed.customers_changed) == (0, 0)


def test_what_lacked_is_still_told_when_the_cache_can_no_longer_be_read() -> None:
    night = Night()
    for minute in (10, 20, 30):
        night.tick(minute, DOWN)
        looked(night, minute + 0.6, minute + 10)
    night.unreadable = Cause("cache_rejected", permanent=True)
    assert looked(night, 40, 44) == ["needs_person"]
    assert night.told[-1].windows == 3


def test_a_reconnect_is_no_outage() -> None:
    night = Night()
    for minute in (1, 3, 5):
        night.unreadable = Cause("cache_unavailable")
        assert looked(night, minute, minute + 0.9) == []
        night.unreadable = None
        assert night.look(minute + 1) == []


def test_an_emptied_cache_is_an_outage_until_everything_is_back() -> None:
    night = Night(first_publication=at(-300))
    night.tick(0)
    night.look(3)
    night.lose(span(-600, 0))
    assert night.look(3.5) == ["outage_started"]
    assert night.told[0].since == at(1)
    night.tick(10)
    night.publish(span(-300, 0), 11)
    assert looked(night, 11, 12) == []
    night.publish(span(-600, -300), 12)
    assert looked(night, 12.5, 14) == ["outage_healed"]
    assert night.told[1].windows == 30


def test_trouble_after_an_hour_of_calm_is_told_although_older_windows_still_lack() -> None:
    night = Night()
    for minute, cause in [(10, DOWN), *((minute, None) for minute in range(20, 90, 10)), (90, REFUSED), (100, REFUSED)]:
        night.tick(minute, cause)
        looked(night, minute + 0.6, minute + 10)
    assert [message.event for message in night.told] == ["outage_started", "outage_returned"]
    assert (night.told[1].cause, night.told[1].permanent) == ("provider_rejected", True)
    assert night.told[1].outage == night.told[0].outage


def test_a_failed_run_whose_window_somebody_published_starts_nothing() -> None:
    night = Night()
    night.tick(10, DOWN)
    night.publish(span(0, 10), 10.55)
    assert looked(night, 10.6, 20) == []


def test_an_unknown_kind_of_failure_is_told_as_unforeseen() -> None:
    night = Night()
    night.tick(10, Cause("jane@example.org"))
    night.look(10.6)
    assert night.told[0].cause == "unforeseen"


def test_too_many_gaps_are_remembered_by_bridging_the_oldest() -> None:
    windows = [span(20 * number, 20 * number + 10) for number in range(700)]
    kept = bounded(windows)
    assert len(kept) == 500
    assert kept[0] == Window(windows[0].start, windows[200].end)
    assert list(kept[1:]) == windows[201:]
    assert bounded(windows[:500]) == tuple(windows[:500])


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ok", "down", "refused", "no tick"]),
        st.sampled_from(["", "", "", "heal", "give up", "unreadable", "lose"]),
        st.integers(1, 3),
    ),
    max_size=30,
)


def played(steps: list[tuple[str, str, int]]) -> Night:
    night = Night()
    minute = 0.0
    for outcome, what, looks in steps:
        minute += 10
        if outcome != "no tick":
            night.tick(minute, {"ok": None, "down": DOWN, "refused": REFUSED}[outcome])
        night.unreadable = Cause("cache_unavailable") if what == "unreadable" else None
        if what == "heal":
            night.publish(span(-600, minute), minute + 1)
        if what == "give up":
            night.given_up = (span(minute - 20, minute - 10),)
        if what == "lose":
            night.lose(span(minute - 50, minute - 30))
        for look in range(looks):
            night.look(minute + 1 + 2 * look)
    return night


@settings(max_examples=150)
@given(STEPS)
def test_starts_and_heals_take_turns_and_repeat_nothing(steps: list[tuple[str, str, int]]) -> None:
    night = played(steps)
    turns = [message.event for message in night.told if message.event in {"outage_started", "outage_healed"}]
    assert turns[::2] == ["outage_started"] * len(turns[::2])
    assert turns[1::2] == ["outage_healed"] * len(turns[1::2])
    assert (len(turns) % 2 == 1) == (night.state.outage is not None)
    assert len({message.id for message in night.told}) == len(night.told)
    given_up = [window for message in night.told if message.event == "windows_given_up" for window in message.given_up]
    for message in night.told:
        assert message.windows >= 0
        assert (message.outage is None) <= (message.event == "windows_given_up")
    assert given_up or not any(message.given_up for message in night.told)


@settings(max_examples=100)
@given(STEPS)
def test_between_two_turns_a_person_is_called_once_at_most(steps: list[tuple[str, str, int]]) -> None:
    called = 0
    for message in played(steps).told:
        if message.event in {"outage_started", "outage_returned", "outage_healed"}:
            called = 0
        if message.permanent and message.event != "windows_given_up":
            called += 1
        assert called <= 1


@settings(max_examples=100)
@given(STEPS)
def test_after_everything_is_published_the_outage_is_over(steps: list[tuple[str, str, int]]) -> None:
    night = played(steps)
    end = 10.0 * (len(steps) + 1)
    night.unreadable, night.given_up = None, ()
    night.publish(span(-600, end), end + 1)
    night.tick(end)
    night.look(end + 2)
    assert night.state.outage is None
    assert night.look(end + 3) == []


@settings(max_examples=50)
@given(STEPS, st.integers(0, 29))
def test_looking_again_tells_nothing_new(steps: list[tuple[str, str, int]], extra: int) -> None:
    night = played(steps[:extra])
    minute = 10.0 * (len(steps[:extra]) + 1) - 1
    night.look(minute)
    assert night.look(minute) == []


def test_a_cursor_that_cannot_be_read_starts_anew() -> None:
    for cursor in (None, "", "nonsense", "[]", '{"state": {"given_up": [{}]}}', '{"state": {"outage": {"since": 1}}}'):
        assert Memory.parse(cursor) == Memory()


def test_a_cursor_of_an_older_or_newer_version_is_read_as_far_as_it_goes() -> None:
    night = Night()
    night.tick(10, DOWN)
    night.look(10.6)
    cursor = Memory(state=night.state).dump().replace('"changed":0,', '"something_new":0,')
    assert Memory.parse(cursor).state == night.state


def test_the_state_does_not_grow_with_the_outage() -> None:
    night = Night()
    for minute in range(10, 4000, 10):
        night.tick(minute, DOWN)
        night.look(minute + 1)
    assert len(Memory(state=night.state).dump()) < 1000
    rest = replace(night.state, outage=None, jobs={})
    assert rest == State(first_publication=at(-600), sound_at=night.state.sound_at)
    assert night.state.outage
    assert night.state.outage.windows == (Window(at(0), at(0) + timedelta(minutes=3990)),)
