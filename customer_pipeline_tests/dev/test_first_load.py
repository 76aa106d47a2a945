import dataclasses
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customer_pipeline import run_tags
from customer_pipeline.dev import first_load
from customer_pipeline.instance.webserver import Run, Webserver, WebserverError
from customer_pipeline.windows import WINDOW_LENGTH, Window, subtract

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = Window(NOON - timedelta(days=1), NOON)


def windows_before(count: int) -> Window:
    return Window(NOON - count * WINDOW_LENGTH, NOON)


HOUR = Window(NOON - timedelta(hours=1), NOON)


@pytest.mark.parametrize(
    ("gaps", "busy", "expected"),
    [
        ([DAY], [], HOUR),
        ([Window(DAY.start, NOON - timedelta(hours=2)), Window(NOON - WINDOW_LENGTH, NOON)], [], windows_before(1)),
        ([DAY], [Window(NOON - timedelta(hours=3), NOON - 2 * WINDOW_LENGTH)], windows_before(2)),
        ([DAY], [windows_before(1)], None),
        ([Window(DAY.start, NOON - WINDOW_LENGTH)], [], None),
        ([], [], None),
    ],
    ids=["all", "the newest", "a run below it", "a run for the newest", "all but the newest", "nothing"],
)
def test_the_newest_hour_is_asked_for_as_far_as_it_is_missing_up_to_now_and_no_run_works_on_it(
    gaps: list[Window], busy: list[Window], expected: Window | None
) -> None:
    assert first_load.newest_hour(gaps, busy=busy, until=NOON) == expected


class FakeWebserver(Webserver):
    """A webserver whose runs publish their windows at once, after which the heal publishes the rest."""

    def __init__(
        self, gaps: list[Window], *, runs: list[Run] | None = None, load_errors: list[str] | None = None
    ) -> None:
        super().__init__("http://127.0.0.1:1", location="customer_pipeline")
        self.gaps = gaps
        self.runs = runs or []
        self.load_errors = load_errors or []
        self.launched: list[Window] = []
        self.loads: list[Run] = []
        self.empty = False
        self.heal_is_due = False
        self.canceled: list[str] = []

    def find_job(self) -> None:
        if self.load_errors:
            raise WebserverError(self.load_errors.pop(0))

    def unfinished_runs(self, job: str) -> list[Run]:
        return self.runs if job == first_load.JOB else self.loads

    def launch(self, job: str, *, tags: Mapping[str, str], config: Mapping[str, Any] | None = None) -> None:
        if job == first_load.BOOTSTRAP:
            assert config == {"ops": {"load_customers": {"config": {"only_if_empty": True}}}}
            self.loads.append(Run(id="load", queued=True, updated=0.0, windows=None))
            return
        windows = run_tags.windows_of(tags)
        assert windows
        assert (tags[run_tags.LANE], tags[run_tags.REASON]) == (run_tags.HEAL, "first load")
        self.launched.append(windows)
        self.gaps[:] = [hole for gap in self.gaps for hole in subtract(gap, [windows])]
        self.heal_is_due = True

    def loaded(self) -> bool:
        """Whether the cache was loaded; a load has been when it is asked for the next time."""
        empty, self.empty = self.empty, self.empty and not self.loads
        return not empty

    def gaps_now(self) -> list[Window]:
        """What is missing; the heal has published it when it is asked for the next time."""
        gaps = list(self.gaps)
        if self.heal_is_due:
            self.gaps.clear()
        return gaps

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
        until=NOON,
        loaded=webserver.loaded,
        gaps=gaps or webserver.gaps_now,
        abandoned_before=abandoned_before,
        say=said.append,
        stopped=Patience(waits),
    )
    return said


def test_missing_windows_are_requested_and_their_arrival_is_said() -> None:
    webserver = FakeWebserver([DAY])

    said = load(webserver)

    assert webserver.launched == [HOUR]
    assert said == [
        "requested the windows 2026-11-23T1100Z to 2026-11-23T1150Z",
        "the cache has every window",
    ]


def test_an_empty_cache_is_loaded_before_windows_are_asked_for() -> None:
    webserver = FakeWebserver([])
    webserver.empty = True

    said = load(webserver)

    assert [run.id for run in webserver.loads] == ["load"]
    assert said[:2] == [
        "every customer is being loaded; windows go on meanwhile",
        "every customer of the provider is in the cache",
    ]
    assert webserver.launched == [HOUR]


def test_a_load_that_is_under_way_is_waited_for_and_one_that_lost_its_worker_is_begun_anew() -> None:
    lost = Run(id="lost", queued=False, updated=NOON.timestamp() - 60, windows=None)
    going_on = Run(id="going-on", queued=False, updated=NOON.timestamp() + 60, windows=None)
    webserver, other = FakeWebserver([]), FakeWebserver([])
    webserver.empty = other.empty = True
    webserver.loads, other.loads = [lost], [going_on]

    load(webserver)
    load(other)

    assert webserver.canceled == ["lost"]
    assert [run.id for run in webserver.loads] == ["lost", "load"]
    assert [run.id for run in other.loads] == ["going-on"]


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
