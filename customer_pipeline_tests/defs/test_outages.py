"""Since when something fails, and which ticks are skipped: pure functions over runs."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline import run_tags, timestamps
from customer_pipeline.defs.history import PipelineRun
from customer_pipeline.defs.outages import PERMANENT_FAILURES, Since, hold, since
from customer_pipeline.windows import WINDOW_LENGTH, Window

TICK = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
CONFIGURATION = "0a1b2c3d"
DOWN, REJECTED = run_tags.PROVIDER_UNAVAILABLE, run_tags.PROVIDER_REJECTED


def minutes(count: float) -> timedelta:
    return timedelta(minutes=count)


def run(
    ago: float,
    failure: str | None = None,
    *,
    lane: str | None = run_tags.LIVE,
    permanent: bool = False,
    failing_since: datetime | None = None,
    failing_so_since: datetime | None = None,
    status: dg.DagsterRunStatus | None = None,
    configuration: str = CONFIGURATION,
) -> PipelineRun:
    """A run created `ago` minutes before the tick; it has succeeded without a failure or a status."""
    created = TICK - minutes(ago) + timedelta(seconds=3)
    tags = {}
    if failure:
        tags = {
            run_tags.FAILURE: failure,
            run_tags.PERMANENT: "true" if permanent else "false",
            run_tags.CONFIGURATION: configuration,
        }
    if failing_since:
        tags[run_tags.FAILING_SINCE] = timestamps.format_instant(failing_since)
    if failing_so_since:
        tags[run_tags.FAILING_SO_SINCE] = timestamps.format_instant(failing_so_since)
    status = status or (dg.DagsterRunStatus.FAILURE if failure else dg.DagsterRunStatus.SUCCESS)
    ended = None if status in {dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTED} else created + minutes(1)
    window = Window(TICK - WINDOW_LENGTH, TICK)
    return PipelineRun(id=str(ago), lane=lane, windows=window, status=status, created=created, ended=ended, tags=tags)


KILLED = dg.DagsterRunStatus.FAILURE


def asked(
    kind: str, live: Sequence[PipelineRun], *, lane: str | None = run_tags.LIVE, last: PipelineRun | None = None
) -> Since:
    return since(kind=kind, lane=lane, live=live, last=last, now=TICK)


def test_the_first_failure_fails_since_now() -> None:
    assert asked(DOWN, []) == asked(DOWN, [run(10)]) == Since(kind=TICK, runs=TICK)


def test_a_failure_after_others_continues_them() -> None:
    begun = TICK - minutes(60)
    live = [run(10, DOWN, failing_since=begun), run(20, DOWN, failing_since=begun), run(30)]
    assert asked(DOWN, live) == Since(kind=begun, runs=begun)


def test_another_kind_of_failure_begins_anew_while_runs_fail_for_longer() -> None:
    begun = TICK - minutes(60)
    rejected = TICK - minutes(19)
    refused = [run(ago, REJECTED, failing_since=begun, failing_so_since=rejected) for ago in (10, 20)]
    live = [*refused, run(30, DOWN, failing_since=begun, failing_so_since=begun), run(40)]
    assert asked(REJECTED, live) == Since(kind=rejected, runs=begun)
    assert asked(DOWN, live) == Since(kind=TICK, runs=begun)
    # However many runs it lasts, and for whoever meets it too.
    assert asked(REJECTED, refused) == asked(REJECTED, refused, lane=None) == Since(kind=rejected, runs=begun)


def test_a_killed_run_interrupts_no_outage_and_begins_none() -> None:
    begun = TICK - minutes(60)
    live = [run(10, status=KILLED), run(20, DOWN, failing_since=begun), run(30)]
    assert asked(DOWN, live).runs == begun
    assert asked(DOWN, live).kind == begun
    killed = run(10, status=KILLED)
    assert asked(DOWN, [killed, run(20)]) == Since(kind=TICK, runs=killed.created)


def test_a_tag_that_somebody_has_spoilt_is_replaced_by_when_the_run_was_requested() -> None:
    spoilt = replace(run(10), tags={run_tags.FAILURE: DOWN, run_tags.FAILING_SINCE: "yesterday"}, status=KILLED)
    assert asked(DOWN, [spoilt, run(20)]).runs == spoilt.created


@pytest.mark.parametrize("lane", [run_tags.HEAL, None])
def test_other_lanes_tell_of_the_outage_that_live_runs_meet(lane: str | None) -> None:
    begun = TICK - minutes(60)
    live = [run(10, DOWN, failing_since=begun), run(70)]
    assert asked(DOWN, live, lane=lane) == Since(kind=begun, runs=begun)
    assert asked(REJECTED, live, lane=lane) == Since(kind=TICK, runs=TICK)


@pytest.mark.parametrize("lane", [run_tags.HEAL, None])
def test_other_lanes_continue_what_their_own_window_met_last(lane: str | None) -> None:
    begun = TICK - minutes(600)
    last = run(300, run_tags.CHECKS, lane=lane, failing_since=begun)
    live = [run(10, run_tags.CHECKS, failing_since=TICK - minutes(10)), run(20)]
    assert asked(run_tags.CHECKS, live, lane=lane, last=last) == Since(kind=begun, runs=begun)
    assert asked(run_tags.LANDING, live, lane=lane, last=last) == Since(kind=TICK, runs=TICK)
    assert asked(run_tags.CHECKS, live, lane=lane, last=run(300, lane=lane)) == Since(kind=TICK, runs=TICK)


def rejected(ago: float, *, configuration: str = CONFIGURATION) -> PipelineRun:
    return run(ago, REJECTED, permanent=True, configuration=configuration)


THREE = [rejected(10), rejected(20), rejected(30)]


def test_after_the_third_permanent_failure_ticks_are_skipped_until_the_probe() -> None:
    held = hold(THREE, configuration=CONFIGURATION, at=TICK)
    assert held is not None
    assert held.run is THREE[0]
    assert held.next_probe == TICK + minutes(50)
    assert hold(THREE, configuration=CONFIGURATION, at=TICK + minutes(40)) is not None
    assert hold(THREE, configuration=CONFIGURATION, at=TICK + minutes(50)) is None


@pytest.mark.parametrize(
    ("runs", "configuration"),
    [
        pytest.param([], CONFIGURATION, id="nothing ever ran"),
        pytest.param(THREE[:2], CONFIGURATION, id="only two"),
        pytest.param([run(5), *THREE], CONFIGURATION, id="one has succeeded since"),
        pytest.param([rejected(10), rejected(20), run(25), rejected(30)], CONFIGURATION, id="one succeeded between"),
        pytest.param([run(5, DOWN), *THREE], CONFIGURATION, id="the last one was transient"),
        pytest.param([run(5, status=KILLED), *THREE], CONFIGURATION, id="the last one was killed"),
        pytest.param(
            [run(ago, run_tags.CHECKS, permanent=True) for ago in (10, 20, 30)],
            CONFIGURATION,
            id="the windows' own records failed",
        ),
        pytest.param(THREE, "corrected", id="the configuration has changed"),
        pytest.param([rejected(5, configuration="x"), *THREE], "x", id="the changed configuration failed once"),
        pytest.param([run(5, lane=None), *THREE], CONFIGURATION, id="a person's run succeeded"),
        pytest.param([run(5, REJECTED, permanent=True, lane=None), *THREE], CONFIGURATION, id="a person's run failed"),
        pytest.param(
            [run(5, lane=None, status=dg.DagsterRunStatus.QUEUED), *THREE], CONFIGURATION, id="a person's run waits"
        ),
    ],
)
def test_the_tick_is_not_skipped(runs: Sequence[PipelineRun], configuration: str) -> None:
    assert hold(runs, configuration=configuration, at=TICK) is None


@pytest.mark.parametrize(
    "runs",
    [
        pytest.param([*THREE, run(40, lane=None)], id="a person's run before the last failure"),
        pytest.param([run(5, lane=run_tags.HEAL), *THREE], id="a heal"),
    ],
)
def test_what_is_no_answer_to_the_failure_resumes_nothing(runs: Sequence[PipelineRun]) -> None:
    assert hold(runs, configuration=CONFIGURATION, at=TICK) is not None


def test_a_probe_that_is_under_way_is_not_doubled() -> None:
    probe = run(10, status=dg.DagsterRunStatus.STARTED)
    older = [rejected(70), rejected(130), rejected(140)]
    held = hold([probe, *older], configuration=CONFIGURATION, at=TICK)
    assert held is not None
    assert held.next_probe == TICK + minutes(50)


@settings(max_examples=50)
@given(st.integers(0, 36 * 6), st.integers(1, 5))
def test_a_provider_that_refuses_for_good_is_asked_three_times_and_then_once_an_hour(ticks: int, delay: int) -> None:
    runs: list[PipelineRun] = []
    for tick in range(ticks):
        at = TICK + tick * WINDOW_LENGTH
        if hold(runs, configuration=CONFIGURATION, at=at) is None:
            runs.insert(0, rejected(-10 * tick - delay))
    assert len(runs) == min(ticks, PERMANENT_FAILURES) + max(0, ticks - PERMANENT_FAILURES) // 6
