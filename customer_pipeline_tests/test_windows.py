from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, split, subtract

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MINUTES = st.integers(min_value=0, max_value=600)


def at(minutes: float) -> datetime:
    return datetime(2026, 11, 23, tzinfo=UTC) + timedelta(minutes=minutes)


def span(start: int, end: int) -> Window:
    return Window(at(start), at(end))


WINDOWS = st.tuples(MINUTES, MINUTES).filter(lambda pair: pair[0] < pair[1]).map(lambda pair: span(*pair))
INSTANTS = st.datetimes(max_value=datetime.max - WINDOW_LENGTH, timezones=st.just(UTC))  # noqa: DTZ901 -- st's own way


def minutes_of(windows: list[Window]) -> set[int]:
    return {minute for minute in range(600) if any(at(minute) in window for window in windows)}


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (datetime(2026, 11, 23), at(10)),  # noqa: DTZ001
        (at(0).astimezone(timezone(timedelta(hours=1))), at(10)),
        (at(10), at(10)),
        (at(10), at(0)),
    ],
)
def test_a_window_refuses_bounds_that_are_naive_not_utc_or_in_the_wrong_order(start: datetime, end: datetime) -> None:
    with pytest.raises(ValueError, match=r"a window's (bounds|start)"):
        Window(start, end)


def test_a_window_keeps_to_utc_when_its_bounds_come_in_a_zone_that_is_utc_at_the_time() -> None:
    london = ZoneInfo("Europe/London")
    window = Window(datetime(2026, 1, 1, tzinfo=london), datetime(2026, 1, 1, 0, 10, tzinfo=london))

    assert window.start.tzinfo is UTC
    assert window.end.tzinfo is UTC
    assert window == Window.from_key("2026-01-01T0000Z")


def test_a_window_holds_its_start_and_not_its_end() -> None:
    window = span(0, 10)

    assert at(0) in window
    assert at(10) - timedelta(microseconds=1) in window
    assert at(10) not in window


def test_a_key_names_the_ten_minutes_that_begin_at_it() -> None:
    window = Window.from_key("2026-11-23T1450Z")

    assert window == Window(datetime(2026, 11, 23, 14, 50, tzinfo=UTC), datetime(2026, 11, 23, 15, 0, tzinfo=UTC))


@given(INSTANTS)
def test_a_key_survives_the_way_to_a_window_and_back(instant: datetime) -> None:
    start = floor(instant)
    window = Window(start, start + WINDOW_LENGTH)

    assert Window.from_key(window.key) == window


@pytest.mark.parametrize(
    "key",
    [
        "",
        "2026-11-23",
        "2026-11-23T1455Z",
        "2026-11-23T1450",
        "2026-11-3T1450Z",
        "2026-11-23T150Z",
        "2026-11-23T14:50Z",
        "2026-13-23T1450Z",
        "9999-12-31T2350Z",
        " 2026-11-23T1450Z",
        "\u0662026-11-23T1450Z",
    ],
)
def test_anything_but_the_one_form_of_a_key_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="is no window key; expected a whole ten minutes"):
        Window.from_key(key)


def test_the_key_of_a_range_is_that_of_its_first_window() -> None:
    assert span(0, 30).key == "2026-11-23T0000Z"


@given(INSTANTS)
def test_floor_is_the_newest_boundary_at_or_before_an_instant(instant: datetime) -> None:
    boundary = floor(instant)

    assert boundary <= instant < boundary + WINDOW_LENGTH
    assert (boundary - EPOCH) % WINDOW_LENGTH == timedelta(0)


def test_floor_of_local_time_is_in_utc() -> None:
    kathmandu = datetime(2026, 11, 23, 12, 3, tzinfo=ZoneInfo("Asia/Kathmandu"))

    assert floor(kathmandu).isoformat() == "2026-11-23T06:10:00+00:00"


def test_floor_refuses_a_naive_datetime() -> None:
    with pytest.raises(TypeError):
        floor(datetime(2026, 11, 23))  # noqa: DTZ001


@given(MINUTES, MINUTES)
def test_split_yields_every_window_that_lies_wholly_within(start: int, end: int) -> None:
    expected = [span(minute, minute + 10) for minute in range(0, 601, 10) if start <= minute and minute + 10 <= end]

    assert list(split(at(start), at(end))) == expected


def test_split_steps_in_utc_over_a_change_of_local_time() -> None:
    zurich = ZoneInfo("Europe/Zurich")
    start, end = datetime(2026, 3, 29, 1, 50, tzinfo=zurich), datetime(2026, 3, 29, 3, 10, tzinfo=zurich)

    assert [window.key for window in split(start, end)] == ["2026-03-29T0050Z", "2026-03-29T0100Z"]


def test_split_reaches_the_last_window_there_is() -> None:
    end = datetime.max.replace(tzinfo=UTC)

    assert [window.key for window in split(end - timedelta(minutes=25), end)] == ["9999-12-31T2340Z"]


@given(st.lists(WINDOWS, max_size=8))
def test_contiguous_ranges_cover_the_same_minutes_and_do_not_touch(windows: list[Window]) -> None:
    ranges = contiguous(windows)

    assert minutes_of(ranges) == minutes_of(windows)
    assert all(earlier.end < later.start for earlier, later in pairwise(ranges))


@given(WINDOWS, st.lists(WINDOWS, max_size=8))
def test_subtract_leaves_exactly_what_is_not_covered(window: Window, covered: list[Window]) -> None:
    holes = subtract(window, covered)

    assert minutes_of(holes) == minutes_of([window]) - minutes_of(covered)
    assert holes == contiguous(holes)
