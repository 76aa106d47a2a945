"""What the state of the pipeline comes to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from customer_pipeline.health.state import Health
from customer_pipeline.windows import Window
from customer_pipeline_tests.health.days import AT, END, WINDOWS, day_of

WELL = Health(
    at=AT, day=day_of(), as_of=END, gaps=(), lag=AT - END, unreadable=None, provider="answered at 2026-11-24 13:40 UTC"
)
OUTAGE = replace(
    WELL,
    day=day_of(missing=WINDOWS[70:80], in_progress=WINDOWS[80:82], given_up=[WINDOWS[40]]),
    gaps=(WINDOWS[40], Window(WINDOWS[70].start, WINDOWS[81].end)),
    provider="unavailable since 2026-11-24 01:30 UTC",
)


@pytest.mark.parametrize(
    ("health", "expected"),
    [
        (WELL, "Nothing is missing."),
        (replace(WELL, as_of=None), "Nothing was published yet."),
        (
            OUTAGE,
            (
                "Missing windows: 13, since 2026-11-23 20:20 UTC. In progress: 2. "
                "Given up, for a person to look at: 1. Provider: unavailable since 2026-11-24 01:30 UTC."
            ),
        ),
        (
            replace(OUTAGE, gaps=None, unreadable="the cache cannot be reached"),
            "The cache does not tell what it has: the cache cannot be reached. Shown is what Dagster remembers.",
        ),
    ],
)
def test_the_summary_says_the_worst_first(health: Health, expected: str) -> None:
    assert health.summary() == expected


def test_time_that_passes_over_a_whole_cache_shows_nothing_new() -> None:
    later = replace(WELL, at=AT + timedelta(minutes=10), lag=timedelta(minutes=17))
    assert later.shown == WELL.shown


@pytest.mark.parametrize(
    "health",
    [
        OUTAGE,
        replace(WELL, unreadable="the cache cannot be reached"),
        replace(WELL, gaps=(WINDOWS[0],)),
        replace(WELL, provider="unavailable since 2026-11-24 01:30 UTC"),
        replace(WELL, day=day_of(missing=[WINDOWS[143]])),
    ],
)
def test_what_is_amiss_is_something_new(health: Health) -> None:
    assert health.shown != WELL.shown
