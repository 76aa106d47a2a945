"""Requests in a period: the arithmetic against an adversary, then the counting in a real Redis."""

import math
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st
from pyrate_limiter import GCRA

from customer_pipeline.cache.connection import Connection
from customer_pipeline.request_budget.pace import Pace, rates

KEY = "customers:request_budget:tested:pace"


def admitted(requests: int, period: timedelta, wishes: list[tuple[int, bool]]) -> list[tuple[int, bool]]:
    """Return which of the wishes (milliseconds after the one before, background) were allowed, at which time."""
    algorithm, kept, now, allowed = GCRA(), [0, 0], 1_000_000, []
    for gap, background in wishes:
        now += gap
        bounds = rates(requests, period, background=background)
        state, decision = algorithm.step(bounds, tuple(kept[: len(bounds)]), now, 1)
        kept[: len(bounds)] = [int(instant) for instant in state]
        if decision.allowed:
            allowed.append((now, background))
    return allowed


def most_in_a_period(times: list[int], period: timedelta) -> int:
    length = period // timedelta(milliseconds=1)
    return max((sum(first <= other < first + length for other in times) for first in times), default=0)


@given(
    requests=st.integers(1, 40),
    period=st.integers(1000, 3000).map(lambda milliseconds: timedelta(milliseconds=milliseconds)),
    wishes=st.lists(st.tuples(st.sampled_from([0, 0, 0, 1, 7, 40, 300, 1100]), st.booleans()), max_size=300),
)
def test_no_period_sees_more_requests_than_the_limit_and_background_gets_three_quarters(
    requests: int, period: timedelta, wishes: list[tuple[int, bool]]
) -> None:
    allowed = admitted(requests, period, wishes)
    assert most_in_a_period([at for at, _ in allowed], period) <= requests
    assert most_in_a_period([at for at, background in allowed if background], period) <= math.ceil(requests * 3 / 4)


@pytest.mark.parametrize("requests", [1, 2, 4, 5, 10, 20, 100])
def test_those_who_ask_all_the_time_stay_below_it_too(requests: int) -> None:
    period = timedelta(seconds=1)
    for background, most in ((False, requests), (True, math.ceil(requests * 3 / 4))):
        allowed = admitted(requests, period, [(1, background)] * 3000)
        assert most_in_a_period([at for at, _ in allowed], period) <= most


@pytest.mark.parametrize("requests", [1, 2, 5, 10, 100, 5000])
def test_the_limit_is_nearly_used_up_by_those_who_ask_all_the_time(requests: int) -> None:
    period = timedelta(seconds=10)
    step = max(1, 10_000 // requests // 10)
    wishes = [(step, False)] * (3 * 10_000 // step)
    sent = len(admitted(requests, period, wishes))
    # the burst, then four fifths of the limit in a period that is stretched by a tenth
    assert sent >= 3 * 0.8 / 1.1 * requests - 1


def test_a_live_run_does_not_wait_while_background_takes_all_it_gets() -> None:
    busy = [(10, True)] * 1000
    wishes = [*busy, *[wish for _ in range(20) for wish in ((0, False), *[(10, True)] * 100)]]
    allowed = admitted(60, timedelta(seconds=10), wishes)
    assert sum(not background for _, background in allowed) == 20
    assert sum(background for _, background in allowed) >= 100


def take_all(pace: Pace, most: int = 1000) -> int:
    """Take until told to wait, and return how often it was allowed."""
    return next(taken for taken in range(most) if pace.take())


def test_processes_share_one_count(either: Connection) -> None:
    def opened() -> Pace:
        return Pace(either, KEY, requests=50, period=timedelta(hours=1), background=False)

    assert take_all(opened()) == 10
    assert take_all(opened()) == 0


def test_the_wait_is_the_one_after_which_the_next_is_allowed(either: Connection) -> None:
    pace = Pace(either, KEY, requests=20, period=timedelta(seconds=4), background=False)
    assert take_all(pace) == 4
    wait = pace.take()
    assert timedelta(0) < wait <= timedelta(seconds=4.4) / 17


def test_background_leaves_half_of_the_burst_to_live_runs(either: Connection) -> None:
    def opened(*, background: bool) -> Pace:
        return Pace(either, KEY, requests=50, period=timedelta(hours=1), background=background)

    assert take_all(opened(background=True)) == 5
    assert take_all(opened(background=False)) == 5
    assert take_all(opened(background=True)) == 0


@pytest.mark.parametrize("ahead", [timedelta(days=-400), timedelta(days=400)])
def test_the_clock_of_a_client_does_not_matter(either: Connection, ahead: timedelta) -> None:
    pace = Pace(either, KEY, requests=5, period=timedelta(hours=1), background=False)
    assert take_all(pace) == 1
    with time_machine.travel(datetime.now(UTC) + ahead):
        assert pace.take() > timedelta(minutes=10)


def test_what_is_kept_does_not_grow_and_expires(either: Connection) -> None:
    for background in (True, False):
        # so slow that a busy machine asks faster
        pace = Pace(either, KEY, requests=1000, period=timedelta(seconds=30), background=background)
        assert take_all(pace) >= 50
    assert either.hlen(KEY) == 2
    assert 0 < either.pttl(KEY) <= 90_000


def test_a_server_that_lost_its_scripts_is_told_them_again(either: Connection) -> None:
    pace = Pace(either, KEY, requests=100, period=timedelta(hours=1), background=False)
    assert not pace.take()
    either.script_flush()
    assert not pace.take()
