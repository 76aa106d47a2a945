from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.healing.gaps import common, count, ended, gaps, without
from customer_pipeline.windows import WINDOW_LENGTH, Window, split

MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
MINUTES = st.integers(0, 4000)


def at(minutes: float) -> datetime:
    return MIDNIGHT + timedelta(minutes=minutes)


def span(start: float, end: float) -> Window:
    return Window(at(start), at(end))


INTERVALS = st.lists(
    st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: span(*pair)), max_size=8
)
ALIGNED = st.tuples(st.integers(0, 400), st.integers(1, 400)).map(
    lambda pair: span(pair[0] * 10, (pair[0] + pair[1]) * 10)
)


def windows_of(ranges: Sequence[Window]) -> list[Window]:
    return [window for one in ranges for window in split(one.start, one.end)]


def covers_wholly(coverage: Sequence[Window], window: Window) -> bool:
    minutes = [window.start + timedelta(minutes=minute) for minute in range(10)]
    return all(any(minute in interval for interval in coverage) for minute in minutes)


def touches(intervals: Sequence[Window], window: Window) -> bool:
    return any(interval.start < window.end and window.start < interval.end for interval in intervals)


@given(coverage=INTERVALS, windows=ALIGNED, in_progress=INTERVALS)
def test_the_gaps_are_the_windows_that_are_not_wholly_covered_and_that_nothing_works_on(
    coverage: list[Window], windows: Window, in_progress: list[Window]
) -> None:
    ranges = gaps(coverage, windows, in_progress)

    found = windows_of(ranges)
    assert sum((one.end - one.start for one in ranges), timedelta()) == len(found) * WINDOW_LENGTH
    assert sorted(found) == [
        window
        for window in split(windows.start, windows.end)
        if not covers_wholly(coverage, window) and not touches(in_progress, window)
    ]


@given(coverage=INTERVALS, windows=ALIGNED, in_progress=INTERVALS)
def test_the_gaps_are_disjoint_ranges_of_at_most_144_windows_newest_first(
    coverage: list[Window], windows: Window, in_progress: list[Window]
) -> None:
    ranges = gaps(coverage, windows, in_progress)

    assert all(newer.start >= older.end for newer, older in pairwise(ranges))
    assert all(1 <= count([one]) <= 144 for one in ranges)
    # no more of them than needed
    for newer, older in pairwise(ranges):
        assert newer.start > older.end or count([newer]) == 144


def test_an_unaligned_interval_covers_only_the_windows_that_lie_wholly_in_it() -> None:
    assert gaps([span(15, 45)], span(0, 60), []) == [span(40, 60), span(0, 20)]


def test_two_intervals_that_meet_within_a_window_cover_it() -> None:
    assert gaps([span(0, 15), span(15, 60)], span(0, 60), []) == []


@pytest.mark.parametrize(
    ("start", "now", "expected"),
    [
        (at(0), at(0), None),
        (at(0), at(9.99), None),
        (at(0), at(10), span(0, 10)),
        (at(0), at(29), span(0, 20)),
        (at(5), at(29), span(10, 20)),
        (at(60), at(20), None),
    ],
)
def test_only_whole_windows_between_the_start_and_now_have_ended(
    start: datetime, now: datetime, expected: Window | None
) -> None:
    assert ended(start, now) == expected


@given(ranges=st.lists(ALIGNED, max_size=5), others=st.lists(ALIGNED, max_size=5))
def test_without_and_common_part_the_windows_of_ranges(ranges: list[Window], others: list[Window]) -> None:
    expected = set(windows_of(ranges))
    left, shared = set(windows_of(without(ranges, others))), set(windows_of(common(ranges, others)))

    assert left | shared == expected
    assert shared == expected & set(windows_of(others))
    assert not left & shared


def test_windows_are_counted() -> None:
    assert count([]) == 0
    assert count([span(0, 10), span(20, 1460)]) == 145
    assert count([Window(at(0), at(0) + 26_000 * WINDOW_LENGTH)]) == 26_000
