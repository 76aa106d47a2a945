from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.commands import bounds
from customer_pipeline.commands.bounds import BoundsError
from customer_pipeline.windows import WINDOW_LENGTH, Window

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
KNOWN = Window(Window.from_key("2026-11-01T0000Z").start, Window.from_key("2026-11-23T1450Z").end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-11-23T1450Z", "2026-11-23T1510Z"),
        ("2026-11-23T14:50:00Z", "2026-11-23T15:10:00.000Z"),
        ("2026-11-23T15:50:00+01:00", "2026-11-23T04:10:00-11:00"),
        ("2026-11-23t14:50:00z", "2026-11-23 15:10:00+00:00"),
        ("2026-11-23T1450Z", "2026-11-23T15:10:00Z"),
    ],
)
def test_both_forms_name_the_same_range_and_the_end_is_exclusive(start: str, end: str) -> None:
    assert bounds.parse(start, end) == Window(
        datetime(2026, 11, 23, 14, 50, tzinfo=UTC), datetime(2026, 11, 23, 15, 10, tzinfo=UTC)
    )


@given(st.integers(0, 60_000), st.integers(1, 5_000))
def test_the_keys_of_a_range_name_it(first: int, length: int) -> None:
    windows = Window(EPOCH + first * WINDOW_LENGTH, EPOCH + (first + length) * WINDOW_LENGTH)

    assert bounds.parse(windows.key, Window(windows.end, windows.end + WINDOW_LENGTH).key) == windows


@pytest.mark.parametrize(
    ("start", "end", "message"),
    [
        ("yesterday", "2026-11-23T1450Z", "START: 'yesterday' is neither a window's key nor an instant"),
        ("2026-11-23", "2026-11-23T1450Z", "START: '2026-11-23' is neither"),
        ("2026-11-23T14:50:00", "2026-11-23T1500Z", "START: '2026-11-23T14:50:00' is neither"),
        ("2026-11-23T1455Z", "2026-11-23T1500Z", "START: '2026-11-23T1455Z' is neither"),
        ("1763909400", "2026-11-23T1500Z", "START: '1763909400' is neither"),
        ("", "2026-11-23T1500Z", "START: '' is neither"),
        ("2026-11-23T1450Z\n", "2026-11-23T1500Z", "is neither"),
        ("2026-11-23T14:55:00Z", "2026-11-23T1500Z", "START: '2026-11-23T14:55:00Z' is not on a whole ten minutes"),
        ("2026-11-23T1450Z", "2026-11-23T15:00:00.000001Z", "END: .* is not on a whole ten minutes"),
        ("2026-11-23T1450Z", "2026-11-23T15:00:00+05:45", "END: .* is not on a whole ten minutes"),
        ("2026-02-29T00:00:00Z", "2026-11-23T1500Z", "START: '2026-02-29T00:00:00Z' is in no calendar"),
        ("0001-01-01T00:00:00+10:00", "2026-11-23T1500Z", "START: .* is in no calendar"),
        ("2026-11-23T1450Z", "2026-11-23T1450Z", "END: 2026-11-23T1450Z is not after START 2026-11-23T1450Z"),
        ("2026-11-23T1450Z", "2026-11-23T14:40:00Z", "END: 2026-11-23T14:40:00Z is not after START"),
    ],
)
def test_a_range_that_cannot_be_used_is_explained(start: str, end: str, message: str) -> None:
    with pytest.raises(BoundsError, match=message):
        bounds.parse(start, end)


def test_all_of_the_known_windows_may_be_asked_for() -> None:
    bounds.require_known(KNOWN, KNOWN)


@pytest.mark.parametrize(
    ("windows", "known", "message"),
    [
        (
            Window(KNOWN.start - WINDOW_LENGTH, KNOWN.end),
            KNOWN,
            r"START: 2026-10-31T2350Z is before .* expected 2026-11-01T0000Z or later \(CUSTOMER_PIPELINE_START\)",
        ),
        (
            Window(KNOWN.start, KNOWN.end + WINDOW_LENGTH),
            KNOWN,
            "END: 2026-11-23T1510Z is after the end of the newest .* 2026-11-23T1450Z; expected 2026-11-23T1500Z or",
        ),
        (KNOWN, None, "END: no window has ended yet"),
    ],
)
def test_windows_that_the_pipeline_does_not_have_are_refused(
    windows: Window, known: Window | None, message: str
) -> None:
    with pytest.raises(BoundsError, match=message):
        bounds.require_known(windows, known)


def test_the_window_that_has_not_ended_is_not_among_all() -> None:
    now = KNOWN.end + timedelta(minutes=9, seconds=59)

    assert bounds.all_windows(KNOWN.start, now) == KNOWN
    assert bounds.all_windows(KNOWN.start, KNOWN.start + timedelta(minutes=9)) is None
