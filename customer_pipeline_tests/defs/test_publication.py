"""Publication by runs: partial progress, freshness, and what a person's backfill does to newer rows."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import orjson
import pytest
import redis

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage, Freshness
from customer_pipeline.cache.errors import explain
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.definitions import defs
from customer_pipeline.defs.checks import check_freshness
from customer_pipeline.defs.partitions import ten_minute_windows
from customer_pipeline.steps import publication
from customer_pipeline.windows import WINDOW_LENGTH, Window
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import cached, last_windows, metadata_of, touch
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

CACHE = dg.AssetKey("customer_cache")


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


def publications_of(deployment: Deployment) -> Counter[str]:
    """How often each window was recorded as published."""
    events = deployment.instance.fetch_materializations(CACHE, limit=1000).records
    return Counter(str(event.partition_key) for event in events)


def statuses_of(deployment: Deployment, windows: list[Window]) -> list[str]:
    found = deployment.instance.get_status_by_partition(CACHE, [window.key for window in windows], ten_minute_windows)
    assert found is not None
    return [status.value if (status := found[window.key]) else "" for window in windows]


def damage(deployment: Deployment, dataset: str, window: Window) -> None:
    path = Path(deployment.landing.uri_of(dataset, window).removeprefix("file://"))
    path.write_bytes(b"damaged")


def test_windows_published_before_another_one_failed_are_green(deployment: Deployment, valkey: ValkeyServer) -> None:
    windows = last_windows(4)
    deployment.land(windows)
    damage(deployment, "customers", windows[2])
    result = deployment.publish(windows)
    assert not result.success
    assert statuses_of(deployment, windows) == ["MATERIALIZED", "MATERIALIZED", "FAILED", "FAILED"]
    with connect(valkey.url) as connection:
        assert Coverage(connection, keys=CacheKeys()).read() == [Window(windows[0].start, windows[1].end)]
    recorded = deployment.instance.fetch_materializations(CACHE, limit=10).records
    for record in recorded:
        assert record.asset_materialization is not None
        assert {
            "applied",
            "unchanged",
            "stale",
            "deleted",
            "dagster/row_count",
        } <= record.asset_materialization.metadata.keys()

    deployment.replay(windows)
    assert statuses_of(deployment, windows) == ["MATERIALIZED"] * 4


@pytest.mark.parametrize("failures", [0, 1, 2])
def test_a_window_is_recorded_once_however_many_retries_precede_success(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """The connection breaks at the third window, `failures` times."""
    windows = last_windows(4)
    left = [failures]
    publish = publication.publish

    def breaking(window: Window, **options: object) -> publication.Published:
        if window == windows[2] and left[0]:
            left[0] -= 1
            raise explain(redis.ConnectionError("reset"))
        return publish(window, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("customer_pipeline.steps.publication.publish", breaking)
    result = deployment.run(windows)
    assert result.success
    assert len([event for event in result.all_events if event.is_step_restarted]) == failures
    assert publications_of(deployment) == {window.key: 1 for window in windows}


def test_a_failure_that_lasts_records_what_was_published_once(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = last_windows(3)
    publish = publication.publish

    def broken(window: Window, **options: object) -> publication.Published:
        if window == windows[1]:
            raise explain(redis.ConnectionError("reset"))
        return publish(window, **options)  # type: ignore[arg-type]

    monkeypatch.setattr("customer_pipeline.steps.publication.publish", broken)
    assert not deployment.run(windows).success
    assert publications_of(deployment) == {windows[0].key: 1}


def test_nothing_that_a_reader_reads_expires_and_an_outage_is_told(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(4)
    touch(sandbox, windows[0], 3)
    assert deployment.run(windows[:2]).success
    before = cached(valkey)
    sandbox.control("POST", "faults/down")
    assert not deployment.tick(windows[2]).success
    with connect(valkey.url) as connection:
        Coverage(connection, keys=CacheKeys()).refresh(windows[3].end)
    assert cached(valkey) == before
    with valkey.client() as client:
        told = orjson.loads(client.get("customers:freshness"))
        keys = [
            *client.scan_iter("customer:*"),
            *(b"customers:" + name for name in (b"by_updated_at", b"by_email", b"by_phone", b"changes")),
            b"customers:coverage",
            b"customers:freshness",
        ]
        expiring = [key for key in keys if not key.endswith(b":tombstone") and client.ttl(key) != -1]
    assert told["as_of"] == told["latest"] == timestamps.format_instant(windows[1].end)
    assert told["stale_since"] == timestamps.format_instant(windows[2].end)
    assert told["gaps"] == [
        {
            "start": timestamps.format_instant(windows[2].start),
            "end": timestamps.format_instant(windows[3].end),
        }
    ]
    assert len(keys) > 3
    assert not expiring


def test_a_backfill_of_old_windows_leaves_newer_rows_alone(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(3)
    (customer,) = touch(sandbox, windows[0], 1)
    assert deployment.run(windows[:2]).success
    newer = timestamps.format_instant(windows[2].start + timedelta(minutes=6))
    sandbox.control("PUT", f"customers/{customer}", body={"status": "newer"}, updated_at=newer)
    assert deployment.tick(windows[2]).success
    assert cached(valkey)[customer]["updated_at"] == newer
    # what was landed then is older than what is published now
    result = deployment.replay(windows[:2])
    published = metadata_of(result, "customer_cache")
    assert sum(int(str(window["stale"])) for window in published.values()) >= 1
    assert sum(int(str(window["applied"])) for window in published.values()) == 0
    assert cached(valkey)[customer]["updated_at"] == newer
    # and so it is for a backfill that asks the provider anew
    assert deployment.run(windows[:2]).success
    assert cached(valkey)[customer]["updated_at"] == newer


def customer_sync() -> dg.JobDefinition:
    return defs.resolve_job_def("customer_sync")


def test_reexecution_from_failure_redoes_only_what_failed(
    kept_deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(2)
    touched = touch(sandbox, windows[1], 3)
    with valkey.client() as client:
        client.rpush("customers:by_updated_at", "somebody else's")
    failed = kept_deployment.run(windows)
    assert kept_deployment.tags_of(failed)[run_tags.FAILURE] == "cache_rejected"
    with valkey.client() as client:
        client.delete("customers:by_updated_at")
    sandbox.control("POST", "faults/down")
    result = dg.execute_job(
        dg.reconstructable(customer_sync),
        kept_deployment.instance,
        tags=kept_deployment.tags_of(failed),
        reexecution_options=dg.ReexecutionOptions.from_failure(failed.run_id, kept_deployment.instance),
    )
    assert result.success
    assert {event.step_key for event in result.all_events if event.is_step_start} == {"customer_cache"}
    assert set(touched) <= cached(valkey).keys()
    run = kept_deployment.instance.get_run_by_id(result.run_id)
    assert run is not None
    assert not run.tags[run_tags.FAILURE]


def test_the_freshness_policy_is_that_of_the_check() -> None:
    spec = defs.resolve_asset_graph().get(CACHE)
    policy = spec.freshness_policy
    assert policy == dg.FreshnessPolicy.time_window(
        fail_window=timedelta(minutes=30), warn_window=timedelta(minutes=20)
    )


NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)


def freshness(*, as_of: timedelta, latest: timedelta) -> Freshness:
    gap = (Window(NOW - as_of, NOW - latest),) if as_of > latest else ()
    return Freshness(NOW - as_of, NOW - latest, gap, NOW)


@pytest.mark.parametrize(
    ("as_of", "latest", "passed", "severity"),
    [
        (0, 0, True, "WARN"),
        (20, 20, True, "WARN"),
        (21, 21, False, "WARN"),
        (31, 31, False, "ERROR"),
        (20, 0, True, "WARN"),
        (300, 0, False, "WARN"),
        (300, 31, False, "ERROR"),
    ],
)
def test_the_cache_is_fresh_if_the_newest_window_is_and_nothing_lacks_before(
    as_of: int, latest: int, *, passed: bool, severity: str
) -> None:
    verdict = check_freshness(freshness(as_of=timedelta(minutes=as_of), latest=timedelta(minutes=latest)), at=NOW)
    assert verdict.passed is passed
    assert verdict.severity.value == severity
    assert verdict.description
    assert verdict.result().passed is verdict.evaluation().passed is passed
    assert verdict.evaluation().asset_key == verdict.result().asset_key == CACHE


def test_before_anything_is_published_the_cache_is_not_fresh() -> None:
    verdict = check_freshness(None, at=NOW)
    assert not verdict.passed
    assert verdict.severity == dg.AssetCheckSeverity.ERROR


def test_a_backfill_of_an_old_window_does_not_look_like_freshness(deployment: Deployment) -> None:
    old = last_windows(8)
    for windows in (old[:4], old[:1]):
        result = deployment.run(windows)
        assert result.success
        (fresh,) = [each for each in result.get_asset_check_evaluations() if each.check_name == "cache_is_fresh"]
        assert not fresh.passed
        assert fresh.severity == dg.AssetCheckSeverity.ERROR
        assert fresh.metadata["newest_window_ended"].value == (old[-1].end - 4 * WINDOW_LENGTH).timestamp()
