from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.instance.progress import Progress, count
from customer_pipeline.instance.runs import FAILED, QUEUED, SUCCEEDED, UNDER_WAY, PipelineRun
from customer_pipeline.windows import WINDOW_LENGTH, Window

START = datetime(2026, 11, 23, tzinfo=UTC)


def hours(first: int, last: int) -> Window:
    return Window(START + timedelta(hours=first), START + timedelta(hours=last))


def run(status: str, first: int, last: int, *, publishes: bool = True) -> PipelineRun:
    return PipelineRun(id="r", status=status, windows=hours(first, last), created=START, publishes=publishes)


def counts(progress: Progress) -> tuple[int, int, int, int]:
    return progress.done, progress.failed, progress.running, progress.waiting


@pytest.mark.parametrize(
    ("newest_first", "expected"),
    [
        ([], (0, 0, 0, 18)),
        ([run("QUEUED", 0, 3)], (0, 0, 0, 18)),
        ([run("STARTING", 0, 3)], (0, 0, 18, 0)),
        ([run("QUEUED", 2, 3), run("STARTED", 1, 2), run("SUCCESS", 0, 1)], (6, 0, 6, 6)),
        ([run("CANCELED", 1, 2), run("FAILURE", 0, 1)], (0, 12, 0, 6)),
        # A lost worker's run is retried.
        ([run("SUCCESS", 0, 3), run("FAILURE", 0, 3)], (18, 0, 0, 0)),
        ([run("STARTED", 0, 3), run("FAILURE", 0, 3)], (0, 0, 18, 0)),
        # What only ingests publishes nothing.
        ([run("SUCCESS", 0, 3, publishes=False)], (0, 0, 0, 18)),
    ],
)
def test_windows_are_counted_by_their_newest_run(
    newest_first: list[PipelineRun], expected: tuple[int, int, int, int]
) -> None:
    assert counts(count([hours(0, 3)], newest_first, status="REQUESTED")) == expected


def test_what_the_backfill_knows_itself_counts_where_no_run_tells() -> None:
    assert counts(count([hours(0, 3)], [], status="COMPLETED_FAILED", published=7, failed=11)) == (7, 11, 0, 0)
    done = count([hours(0, 3)], [run("SUCCESS", 0, 3)], status="REQUESTED", failed=18)
    assert counts(done) == (18, 0, 0, 0)


def test_progress_is_said_without_what_there_is_none_of() -> None:
    progress = count([hours(0, 2)], [run("STARTED", 1, 2), run("SUCCESS", 0, 1)], status="REQUESTED")

    assert str(progress) == "6 of 12 windows done, 6 running"


@given(
    st.lists(st.integers(0, 20), min_size=2, max_size=8, unique=True).map(sorted),
    st.lists(
        st.tuples(
            st.sampled_from(sorted(SUCCEEDED | FAILED | UNDER_WAY | QUEUED)), st.integers(0, 19), st.integers(1, 5)
        ),
        max_size=6,
    ),
    st.integers(0, 200),
    st.integers(0, 200),
)
def test_the_counts_are_never_negative_and_add_up(
    bounds: list[int], made: list[tuple[str, int, int]], published: int, failed: int
) -> None:
    targeted = [hours(*pair) for pair in list(pairwise(bounds))[::2]]
    runs = [run(status, first, first + length) for status, first, length in made]

    progress = count(targeted, runs, status="REQUESTED", published=published, failed=failed)

    assert min(counts(progress)) >= 0
    assert sum(counts(progress)) == progress.total == sum((one.end - one.start) // WINDOW_LENGTH for one in targeted)
