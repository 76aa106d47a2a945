from datetime import UTC, datetime, timedelta

import pytest

from customer_pipeline.cache.loads import Load
from customer_pipeline.snapshot.request import LoadRun, decide

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
EMPTY = Load()
REPLAYED = Load(replayed_at="2026-11-23T11:00:00.000000Z")
LOADED = Load(as_of="2026-11-23T11:00:00.000000Z", source="provider")
FROM_LANDING = LOADED.model_copy(update={"source": "landing", "replayed_at": LOADED.as_of})


def failed(minutes_ago: float, **facts: object) -> LoadRun:
    run = {
        "created": NOON - timedelta(hours=6),
        "failed": True,
        "failure": "provider_unavailable",
        "configuration": "now",
        **facts,
    }
    return LoadRun(ended=NOON - timedelta(minutes=minutes_ago), **run)  # type: ignore[arg-type]


SUCCEEDED = LoadRun(created=NOON - timedelta(hours=6), ended=NOON - timedelta(hours=5))
REPLAY = LoadRun(created=NOON - timedelta(minutes=1), ended=NOON, from_landing=True)
UNDER_WAY = LoadRun(created=NOON - timedelta(hours=6), ended=None)


@pytest.mark.parametrize(
    ("load", "runs", "expected"),
    [
        (EMPTY, [], "provider"),
        (EMPTY, [SUCCEEDED], "provider"),
        (LOADED, [], None),
        (LOADED, [failed(1)], None),
        (FROM_LANDING, [], "provider"),
        (FROM_LANDING, [failed(0.5)], None),
        (EMPTY, [UNDER_WAY], None),
        (EMPTY, [UNDER_WAY, failed(90)], None),
        (EMPTY, [failed(0.1)], "landing"),
        (EMPTY, [failed(0.1, failure="cache_unavailable")], None),
        (EMPTY, [failed(0.1, failure=None)], None),
        (EMPTY, [failed(0.1, from_landing=True, failure="landing"), failed(0.5)], None),
        (EMPTY, [failed(0.1, from_landing=True, failure="landing"), failed(1.1)], "provider"),
        (FROM_LANDING, [REPLAY, failed(0.5)], None),
        (FROM_LANDING, [REPLAY, failed(1.1)], "provider"),
        (FROM_LANDING, [failed(1.1), REPLAY, failed(3)], None),
        (EMPTY, [REPLAY, failed(0.5)], "landing"),
        (EMPTY, [failed(0.5), REPLAY, failed(60)], "landing"),
        (EMPTY, [failed(2, from_landing=True, failure="cache_unavailable"), failed(0.5)], "landing"),
        (EMPTY, [failed(2, from_landing=True), failed(4, from_landing=True), failed(0.5)], "landing"),
        (EMPTY, [failed(1, from_landing=True), failed(4, from_landing=True), failed(0.5)], None),
        (REPLAYED, [failed(0.5)], None),
        (REPLAYED, [failed(1.1)], "provider"),
        (REPLAYED, [failed(1.1), failed(3)], None),
        (REPLAYED, [failed(2.1), failed(4)], "provider"),
        (REPLAYED, [failed(2.1), SUCCEEDED, failed(4)], "provider"),
        (REPLAYED, [failed(59)] * 12, None),
        (REPLAYED, [failed(61)] * 12, "provider"),
        (REPLAYED, [failed(59, permanent=True)], None),
        (REPLAYED, [failed(61, permanent=True)], "provider"),
        (REPLAYED, [failed(1, permanent=True, configuration="before")], "provider"),
        (REPLAYED, [failed(59, canceled=True, failure=None)], None),
        (REPLAYED, [failed(61, canceled=True, failure=None)], "provider"),
    ],
)
def test_an_empty_cache_is_loaded_and_what_fails_is_tried_again_later_and_later(
    load: Load, runs: list[LoadRun], expected: str | None
) -> None:
    decision = decide(load, runs, configuration="now", now=NOON)

    requested = ("landing" if decision.from_landing else "provider") if decision.requested else None
    assert requested == expected
    assert decision.says
