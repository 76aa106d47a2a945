"""What became of the windows of a day."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.health.day import LENGTH, Publication, State, due, lag_at, look_back
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.health.days import AT, END, WINDOWS, day_of, publication

BEFORE, SOME, OTHERS, NEWEST = WINDOWS[3], WINDOWS[70], WINDOWS[80:92], WINDOWS[-1]


def test_a_day_is_the_144_windows_that_ended_last() -> None:
    day = day_of()
    assert len(day.windows) == len(day.states) == len(day.lags) == len(day.changed) == 144
    assert day.windows[0].start == END - timedelta(hours=24)
    assert day.windows[-1].end == END
    assert set(day.states) == {State.PUBLISHED}


RANGE = Window(OTHERS[0].start, OTHERS[-1].end)


@pytest.mark.parametrize(
    ("published", "in_progress", "given_up", "expected"),
    [
        ([], [], [], State.MISSING),
        ([], [], [RANGE], State.GIVEN_UP),
        ([], [RANGE], [RANGE], State.IN_PROGRESS),
        ([RANGE], [RANGE], [RANGE], State.PUBLISHED),
        ([RANGE], [], [], State.PUBLISHED),
        ([], OTHERS, [], State.IN_PROGRESS),
        ([Window(OTHERS[0].start - LENGTH * 30, OTHERS[-1].end)], [], [], State.PUBLISHED),
    ],
)
def test_each_window_has_the_state_that_says_most(
    published: list[Window], in_progress: list[Window], given_up: list[Window], expected: State
) -> None:
    day = look_back(
        AT,
        start=END - LENGTH * 30,
        due=END,
        published=published,
        in_progress=in_progress,
        given_up=given_up,
        publications=[],
    )
    assert {day.states[day.windows.index(window)] for window in OTHERS} == {expected}
    assert day.states[day.windows.index(NEWEST)] is State.MISSING


def test_what_lies_before_the_start_is_not_missing() -> None:
    day = day_of(start=WINDOWS[12].start, missing=[SOME])
    assert day.count(State.BEFORE_START) == 12
    assert day.count(State.MISSING) == 1
    assert day.count(State.PUBLISHED) == 131


@pytest.mark.parametrize(
    ("late", "tried", "expected"),
    [
        (timedelta(seconds=20), [], State.IN_PROGRESS),
        (timedelta(seconds=20), [WINDOWS[-2]], State.IN_PROGRESS),
        (timedelta(seconds=20), [Window(SOME.start, NEWEST.end)], State.MISSING),
        (timedelta(minutes=2), [], State.MISSING),
    ],
)
def test_the_newest_window_is_missing_once_the_tick_had_time_or_a_run_has_failed_to_publish_it(
    late: timedelta, tried: list[Window], expected: State
) -> None:
    day = day_of(at=END + late, due=due(END + late, tried=tried), missing=[WINDOWS[-2], NEWEST])
    assert list(day.states[-2:]) == [State.MISSING, expected]


def test_the_lag_grows_from_what_the_last_publication_left_and_is_unknown_before_the_first() -> None:
    outage = WINDOWS[50:56]
    day = day_of(
        publications=[publication(window) for window in WINDOWS[10:] if window not in outage]
        + [publication(window, after=END - window.end, lag=timedelta(0)) for window in outage]
    )
    minutes = [lag and round(lag / timedelta(minutes=1)) for lag in day.lags]
    assert minutes[:11] == [None] * 11
    assert minutes[11] == 10
    assert minutes[50:57] == [10, 20, 30, 40, 50, 60, 70]
    assert minutes[57] == 10


def test_the_changes_of_a_window_that_was_published_twice_are_summed() -> None:
    twice = [publication(SOME, changed=7), publication(SOME, after=timedelta(hours=1), changed=5)]
    day = day_of(publications=twice)
    assert {window: changed for window, changed in zip(day.windows, day.changed, strict=True) if changed} == {SOME: 12}
    assert day.changed.count(None) == 143


@settings(max_examples=100)
@given(
    seconds=st.lists(st.integers(0, 86_400), min_size=1, max_size=20),
    asked=st.integers(0, 100_000),
)
def test_the_lag_at_an_instant_is_told_by_the_last_publication_before_it(seconds: list[int], asked: int) -> None:
    known = [
        Publication(window=SOME, at=END + timedelta(seconds=at), changed=0, lag=timedelta(seconds=number))
        for number, at in enumerate(sorted(seconds))
    ]
    before = [one for one in known if one.at <= END + timedelta(seconds=asked)]
    expected = before[-1].lag + END + timedelta(seconds=asked) - before[-1].at if before else None
    assert lag_at(END + timedelta(seconds=asked), publications=known) == expected


def test_a_window_that_is_covered_in_part_is_not_published() -> None:
    half = Window(SOME.start, SOME.start + WINDOW_LENGTH / 2)
    day = look_back(AT, start=END - LENGTH, due=END, published=[half], in_progress=[], given_up=[], publications=[])
    assert day.count(State.PUBLISHED) == 0
