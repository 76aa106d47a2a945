import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from customer_pipeline import run_tags
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Load
from customer_pipeline.instance.runs import PipelineRun, pipeline_run
from customer_pipeline.instance.status import Provider, failing_run, of_cache, provider
from customer_pipeline.settings import Settings
from customer_pipeline.timestamps import format_instant
from customer_pipeline.windows import Window
from customer_pipeline_tests.servers import ValkeyServer

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SINCE = NOON - timedelta(hours=2)


def run(
    status: str,
    minute: int,
    *,
    lane: str | None = run_tags.LIVE,
    failure: str | None = None,
    permanent: bool = False,
    ingests: bool = True,
) -> PipelineRun:
    tags = {run_tags.LANE: lane} if lane else {}
    if failure:
        tags |= {
            run_tags.FAILURE: failure,
            run_tags.PERMANENT: "true" if permanent else "false",
            run_tags.FAILING_SINCE: format_instant(NOON - timedelta(hours=7)),
            run_tags.FAILING_SO_SINCE: format_instant(SINCE),
        }
    ended = NOON + timedelta(minutes=minute)
    return PipelineRun(
        id=f"r{minute}", status=status, windows=None, created=ended, ended=ended, ingests=ingests, tags=tags
    )


DOWN = run("FAILURE", 5, failure=run_tags.PROVIDER_UNAVAILABLE)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ([], Provider()),
        ([run("SUCCESS", 5)], Provider(state="up", since=NOON + timedelta(minutes=5))),
        ([DOWN], Provider(state="failing", since=SINCE, failure="provider_unavailable")),
        (
            [run("FAILURE", 5, failure=run_tags.PROVIDER_REJECTED, permanent=True), run("SUCCESS", 4)],
            Provider(state="failing", since=SINCE, failure="provider_rejected", permanent=True),
        ),
        # What ended last counts, not what was requested last.
        (
            [run("SUCCESS", 4, lane=run_tags.HEAL), DOWN],
            Provider(state="failing", since=SINCE, failure="provider_unavailable"),
        ),
        # A replay does not tell, nor one that failed of something else.
        (
            [
                run("FAILURE", 9, failure=run_tags.LANDING),
                run("SUCCESS", 8, lane=None, ingests=False),
                run("FAILURE", 7),
                DOWN,
            ],
            Provider(state="failing", since=SINCE, failure="provider_unavailable"),
        ),
        (
            [run("SUCCESS", 9, ingests=False), DOWN],
            Provider(state="failing", since=SINCE, failure="provider_unavailable"),
        ),
        ([run("SUCCESS", 8, lane=None), DOWN], Provider(state="up", since=NOON + timedelta(minutes=8))),
        ([run("SUCCESS", 8, lane=run_tags.HEAL), DOWN], Provider(state="up", since=NOON + timedelta(minutes=8))),
    ],
)
def test_the_newest_run_that_asked_the_provider_tells_of_it(ended: list[PipelineRun], expected: Provider) -> None:
    assert provider(ended) == expected


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        ([], None),
        ([run("SUCCESS", 9), DOWN], None),
        ([DOWN], "r5"),
        ([DOWN, run("SUCCESS", 4, lane=run_tags.HEAL)], "r5"),
        ([run("SUCCESS", 6, lane=None), DOWN], None),
        ([run("FAILURE", 6, lane=None), DOWN], "r5"),
        ([run("CANCELED", 6), DOWN], "r6"),
    ],
)
def test_live_runs_fail_until_any_run_succeeds(ended: list[PipelineRun], expected: str | None) -> None:
    found = failing_run([run for run in ended if run.lane == run_tags.LIVE], ended)

    assert (found and found.id) == expected


@pytest.mark.parametrize(
    ("selected", "steps", "ingests"),
    [
        (None, None, True),
        (["raw_customers", "customers", "customer_cache"], None, True),
        (["customers", "customer_cache"], None, False),
        (["raw_customers", "customers", "customer_cache"], ["customers", "customer_cache"], False),
        (None, ["raw_customers", "customers"], True),
    ],
)
def test_a_run_asks_the_provider_unless_it_replays_or_goes_on_from_a_failure(
    selected: list[str] | None, steps: list[str] | None, *, ingests: bool
) -> None:
    answer = {
        "runId": "r1",
        "status": "SUCCESS",
        "jobName": "customer_sync",
        "creationTime": NOON.timestamp(),
        "startTime": None,
        "endTime": None,
        "assetSelection": [{"path": [asset]} for asset in selected] if selected else None,
        "stepKeysToExecute": steps,
        "tags": [],
    }
    assert pipeline_run(answer).ingests is ingests


def test_since_when_is_told_by_whichever_tag_is_legible() -> None:
    tags = {run_tags.FAILURE: "provider_rejected", run_tags.FAILING_SINCE: format_instant(NOON)}
    for spoilt in ({}, {run_tags.FAILING_SO_SINCE: "yesterday"}):
        assert provider([replace(DOWN, tags=tags | spoilt)]).since == NOON
    assert provider([replace(DOWN, tags={run_tags.FAILURE: "provider_rejected"})]).since == DOWN.created


def test_a_run_that_failed_without_a_word_has_lost_its_worker() -> None:
    assert run("FAILURE", 1).failure == "worker_lost"
    assert run("CANCELED", 1).failure is None


@pytest.fixture
def settings(valkey: ValkeyServer, tmp_path: Path) -> Settings:
    return Settings.from_environment(
        {
            "PROVIDER_PROFILE": "sandbox",
            "SANDBOX_URL": "http://127.0.0.1:9",
            "SANDBOX_TOKEN": "sandbox-token",
            "REDIS_URL": valkey.url,
            "LANDING_URI": tmp_path.as_uri(),
            "CUSTOMER_PIPELINE_START": "2026-11-23T10:00:00Z",
        }
    )


@pytest.fixture
def connection(settings: Settings) -> Iterator[Connection]:
    connection = connect(settings.redis_url)
    yield connection
    connection.close()


def test_a_new_cache_lacks_every_window_that_was_due(settings: Settings) -> None:
    found = of_cache(settings, NOON + timedelta(minutes=1))

    assert (found.as_of, found.published_at, found.covered, found.lag(NOON)) == (None, None, (), None)
    # The window that ended a minute ago is still being published.
    assert found.gaps == (Window(NOON - timedelta(hours=2), NOON - timedelta(minutes=10)),)
    assert found.stale_since == NOON - timedelta(hours=1, minutes=50)
    assert found.load == Load()


def test_the_cache_tells_its_coverage_and_gaps(settings: Settings, connection: Connection) -> None:
    coverage = Coverage(connection, keys=CacheKeys(settings.prefix), start=settings.start)
    published = (
        Window(NOON - timedelta(hours=2), NOON - timedelta(hours=1)),
        Window(NOON - timedelta(minutes=30), NOON),
    )
    coverage.extend(published)

    found = of_cache(settings, NOON + timedelta(minutes=13))

    assert found.covered == published
    assert found.as_of == NOON - timedelta(hours=1)
    assert found.gaps == (
        Window(NOON - timedelta(hours=1), NOON - timedelta(minutes=30)),
        Window(NOON, NOON + timedelta(minutes=10)),
    )
    assert found.stale_since == NOON - timedelta(minutes=50)


def test_a_cache_that_holds_something_else_is_an_error(settings: Settings, connection: Connection) -> None:
    connection.set(CacheKeys(settings.prefix).coverage, "something else")

    with pytest.raises(CacheError, match="holds something that this pipeline did not write"):
        of_cache(settings, NOON)


def test_a_cache_that_is_silent_is_given_up_in_time(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        frozen = replace(settings, redis_url=f"redis://127.0.0.1:{silent.getsockname()[1]}/0")
        started = time.monotonic()

        with pytest.raises(CacheUnavailable, match="did not answer in time"):
            of_cache(frozen, NOON, patience=timedelta(milliseconds=200))

    # The client's own patience would be twenty seconds, four times.
    assert time.monotonic() - started < 20
