import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.dev import first_load
from customer_pipeline.instance.webserver import Run, Webserver, WebserverError
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, split, subtract

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(days=1), NOON)


@st.composite
def windows(draw: st.DrawFn) -> list[Window]:
    numbers = draw(st.lists(st.tuples(st.integers(0, 1500), st.integers(1, 400)), max_size=6))
    return [Window(NOON + start * WINDOW_LENGTH, NOON + (start + length) * WINDOW_LENGTH) for start, length in numbers]


def ten_minutes(ranges: list[Window]) -> list[Window]:
    return [window for one in ranges for window in split(one.start, one.end)]


@given(gaps=windows(), busy=windows())
def test_the_plan_holds_each_missing_window_once_unless_a_run_works_on_it(
    gaps: list[Window], busy: list[Window]
) -> None:
    ranges = list(first_load.plan(gaps, busy=busy))

    missing = set(ten_minutes(contiguous(gaps))) - set(ten_minutes(contiguous(busy)))
    assert sorted(ten_minutes(ranges)) == sorted(missing)
    assert ranges == sorted(ranges, reverse=True)
    assert all(one.end - one.start <= 144 * WINDOW_LENGTH for one in ranges)


def test_the_first_range_is_an_hour_and_the_next_as_long_as_a_run_may_be() -> None:
    ranges = list(first_load.plan([Window(NOON - timedelta(days=2), NOON)], busy=[]))

    assert [one.end - one.start for one in ranges] == [timedelta(hours=1), timedelta(days=1), timedelta(hours=23)]


class FakeWebserver(Webserver):
    """A webserver whose runs publish their windows at once."""

    def __init__(
        self, gaps: list[Window], *, runs: list[Run] | None = None, load_errors: list[str] | None = None
    ) -> None:
        super().__init__("http://127.0.0.1:1", location="customer_pipeline", job="customer_sync")
        self.gaps = gaps
        self.runs = runs or []
        self.load_errors = load_errors or []
        self.launched: list[Window] = []
        self.canceled: list[str] = []

    def find_job(self) -> None:
        if self.load_errors:
            raise WebserverError(self.load_errors.pop(0))

    def unfinished_runs(self) -> list[Run]:
        return self.runs

    def launch(self, windows: Window, *, tags: Mapping[str, str]) -> None:
        assert tags == {"pipeline": "customer_pipeline"}
        self.launched.append(windows)
        self.gaps[:] = [hole for gap in self.gaps for hole in subtract(gap, [windows])]

    def cancel(self, run: Run) -> None:
        self.canceled.append(run.id)


class Patience:
    """Counts the waits, and gives up after some."""

    def __init__(self, waits: int) -> None:
        self.waits = waits

    def __call__(self, _seconds: float) -> bool:
        self.waits -= 1
        return self.waits < 0


def load(
    webserver: FakeWebserver,
    *,
    abandoned_before: datetime | None = NOON,
    waits: int = 100,
    gaps: Callable[[], list[Window]] | None = None,
) -> list[str]:
    said: list[str] = []
    first_load.run(
        webserver,
        gaps=gaps or (lambda: list(webserver.gaps)),
        abandoned_before=abandoned_before,
        say=said.append,
        stopped=Patience(waits),
    )
    return said


def test_missing_windows_are_requested_and_their_arrival_is_said() -> None:
    webserver = FakeWebserver([DAY])

    said = load(webserver)

    assert webserver.launched == [
        Window(NOON - timedelta(hours=1), NOON),
        Window(DAY.start, NOON - timedelta(hours=1)),
    ]
    assert said == [
        "requested the windows 2026-11-23T1100Z to 2026-11-23T1150Z",
        "customers are in the cache",
        "requested the windows 2026-11-22T1200Z to 2026-11-23T1050Z",
        "the cache has every window",
    ]


def test_nothing_is_requested_when_nothing_is_missing() -> None:
    webserver = FakeWebserver([])

    assert load(webserver) == ["the cache has every window"]
    assert webserver.launched == []


RUN = Run(id="r1", queued=False, updated=NOON.timestamp() - 60, windows=DAY)


def test_a_run_that_lost_its_worker_is_canceled_and_its_windows_requested_again() -> None:
    webserver = FakeWebserver([DAY], runs=[RUN])

    said = load(webserver)

    assert webserver.canceled == ["r1"]
    assert said[0] == "run r1 was cut off by the end of the last stack: canceled"
    assert webserver.launched


@pytest.mark.parametrize(
    "run",
    [dataclasses.replace(RUN, queued=True), dataclasses.replace(RUN, updated=NOON.timestamp() + 1)],
    ids=["queued", "changed since the start"],
)
def test_a_run_that_will_still_end_is_left_alone_and_its_windows_are_not_requested(run: Run) -> None:
    webserver = FakeWebserver([DAY], runs=[run])

    load(webserver, waits=3)

    assert webserver.canceled == []
    assert webserver.launched == []


def test_no_run_of_an_instance_that_others_use_is_canceled() -> None:
    webserver = FakeWebserver([DAY], runs=[RUN, dataclasses.replace(RUN, id="r2", windows=None)])

    load(webserver, abandoned_before=None, waits=3)

    assert webserver.canceled == []


def test_a_code_location_that_does_not_load_is_said_once_and_waited_for() -> None:
    webserver = FakeWebserver([], load_errors=["not loaded yet", "a typo", "a typo", "a typo"])

    assert load(webserver) == ["not loaded yet", "a typo", "the cache has every window"]


def test_the_load_gives_up_when_the_stack_stops_while_it_waits() -> None:
    assert load(FakeWebserver([], load_errors=["a typo"] * 9), waits=2) == ["a typo"]
    never = FakeWebserver([DAY])
    said = load(never, waits=2, gaps=lambda: [DAY])
    assert [line for line in said if not line.startswith("requested")] == []


def test_a_first_run_that_takes_long_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_load, "FIRST_WAIT_SECONDS", 3.0)
    webserver = FakeWebserver([DAY])

    said = load(webserver, waits=5, gaps=lambda: [DAY])

    assert len(webserver.launched) == 2
    assert "customers are in the cache" not in said
