"""Runs of `customer_sync` on real servers: what ends in the cache, and what a person sees of it."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
import orjson
import pytest

from customer_pipeline import timestamps
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer


def last_windows(count: int) -> list[Window]:
    end = floor(timestamps.now())
    return list(split(end - count * WINDOW_LENGTH, end))


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dict[str, object]]:
    """Metadata of each window, by partition key."""
    return {
        str(event.partition): {
            name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()
        }
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def cached(valkey: ValkeyServer) -> dict[str, dict[str, object]]:
    with valkey.client() as client:
        keys = [key for key in client.scan_iter("customer:*", count=1000) if not key.endswith(b":tombstone")]
        documents = [orjson.loads(text) for text in client.mget(keys)] if keys else []
    return {document["id"]: document for document in documents}


def nothing_is_published(valkey: ValkeyServer) -> bool:
    with valkey.client() as client:
        return not cached(valkey) and not client.exists("customers:coverage", "customers:freshness")


def in_range(truth: dict[str, dict[str, object]], windows: list[Window]) -> dict[str, dict[str, object]]:
    since = windows[0].start - timedelta(minutes=5)
    return {
        key: record
        for key, record in truth.items()
        if since <= datetime.fromisoformat(str(record["updated_at"])) < windows[-1].end
    }


def test_a_range_run_makes_the_cache_equal_to_the_provider(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(144)
    result = deployment.run(windows)
    assert result.success
    expected = in_range(sandbox.truth(), windows)
    assert len(expected) > 100
    alive = {key: record["updated_at"] for key, record in expected.items() if not record["deleted"]}
    assert {key: document["updated_at"] for key, document in cached(valkey).items()} == alive
    dead = {key for key, record in expected.items() if record["deleted"]}
    with valkey.client() as client:
        assert all(client.exists(f"customer:{{{key}}}:tombstone") for key in dead)
        assert orjson.loads(client.get("customers:freshness"))["latest"] == timestamps.format_instant(windows[-1].end)


def test_each_window_of_a_range_has_its_own_metadata(deployment: Deployment) -> None:
    windows = last_windows(12)
    result = deployment.run(windows)
    keys = {window.key for window in windows}
    raw, customers, cache = (metadata_of(result, name) for name in ("raw_customers", "customers", "customer_cache"))
    assert set(raw) == set(customers) == set(cache) == set(metadata_of(result, "quarantined_customers")) == keys
    for window in windows:
        fetched, normalized, published = raw[window.key], customers[window.key], cache[window.key]
        assert {"pages", "requests", "retries", "bytes", "seconds"} <= set(fetched)
        assert fetched["dagster/row_count"] == normalized["fetched"]
        assert normalized["dagster/row_count"] == sum(
            int(str(published[outcome])) for outcome in ("applied", "unchanged", "stale", "deleted")
        )
        assert "freshness_lag_seconds" in published


def test_the_checks_of_a_good_run_pass_and_a_hole_in_the_coverage_is_a_warning(deployment: Deployment) -> None:
    result = deployment.run(last_windows(2))
    evaluations = {evaluation.check_name: evaluation for evaluation in result.get_asset_check_evaluations()}
    assert {name for name, evaluation in evaluations.items() if evaluation.passed} == {
        "fetched_records_are_conserved",
        "customer_ids_are_unique",
        "quarantine_rate_is_low",
        "published_customers_are_conserved",
        "cache_is_fresh",
    }
    hole = evaluations["coverage_has_no_gap"]
    assert not hole.passed
    assert hole.severity == dg.AssetCheckSeverity.WARN
    assert "2026-11-01T00:00Z" in str(hole.metadata["newest_gaps"].value)


def test_publishing_the_same_window_twice_changes_nothing(deployment: Deployment, valkey: ValkeyServer) -> None:
    windows = last_windows(6)
    deployment.run(windows)
    before = cached(valkey)
    again = metadata_of(deployment.run(windows), "customer_cache")
    assert sum(int(str(window["applied"])) + int(str(window["stale"])) for window in again.values()) == 0
    content = {key: {**document, "version": None} for key, document in before.items()}
    assert {key: {**document, "version": None} for key, document in cached(valkey).items()} == content


def test_an_unavailable_provider_fails_the_run_with_its_cause_and_covers_nothing(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    sandbox.control("POST", "faults/error_503")
    result = deployment.run(last_windows(1))
    assert not result.success
    assert len([event for event in result.all_events if event.is_step_restarted]) == 2
    failure = deployment.failure(result)
    assert failure.description is not None
    assert failure.description.startswith("provider unavailable since ")
    assert failure.metadata["status"].value == 503
    assert failure.metadata["attempts"].value == 2
    assert str(failure.metadata["tried"].value).endswith("try 3 of 3")
    assert nothing_is_published(valkey)


@pytest.mark.parametrize(
    ("fault", "options", "error", "retried"),
    [
        ("down", {}, "ProviderUnavailable", True),
        ("hang", {}, "ProviderUnavailable", True),
        ("error_500", {}, "ProviderUnavailable", True),
        ("html_500", {}, "ProviderUnavailable", True),
        ("throttle", {}, "ProviderThrottled", True),
        ("throttle_retry_after", {"seconds": "300"}, "ProviderThrottled", False),
        ("error_503_retry_after", {"seconds": "300"}, "ProviderUnavailable", False),
        ("html", {}, "ProviderMisbehaved", True),
        ("truncated", {"kind": "length"}, "ProviderUnavailable", True),
        ("truncated", {"kind": "json"}, "ProviderMisbehaved", True),
        ("filter_ignored", {}, "ProviderMisbehaved", False),
        ("redirect_foreign", {}, "ProviderMisbehaved", False),
    ],
)
def test_each_fault_of_the_provider_is_named_covers_nothing_and_is_mended_by_the_next_run(
    deployment: Deployment,
    sandbox: SandboxServer,
    valkey: ValkeyServer,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: str,
    options: dict[str, str],
    error: str,
    retried: bool,
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    windows = last_windows(1)
    touched = touch(sandbox, windows[0], 3)
    sandbox.control("POST", f"faults/{fault}", **options)
    result = deployment.run(windows)
    failure = deployment.failure(result)
    assert failure.metadata["error"].value == error
    assert failure.metadata["window"].value == windows[0].key
    assert failure.metadata["what_next"].value
    assert any(event.is_step_restarted for event in result.all_events) == retried
    assert nothing_is_published(valkey)
    assert deployment.landing.describe("raw_customers", windows[0]) is None

    sandbox.control("DELETE", "faults")
    assert deployment.run(windows).success
    assert set(touched) <= cached(valkey).keys()


def test_an_error_that_nobody_foresaw_is_not_retried_and_tells_its_place_but_not_its_message(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ValueError("poison-marker@example.com")

    monkeypatch.setattr("customer_pipeline.defs.normalization.normalize", broken)
    result = deployment.run(last_windows(1))
    assert not [event for event in result.all_events if event.is_step_restarted]
    failure = deployment.failure(result)
    assert "ValueError" in str(failure.description)
    assert "defs/normalization.py" in str(failure.metadata["place"].value)
    assert "poison-marker" not in repr(result.all_events)


def test_refused_credentials_fail_at_once_and_say_what_to_do(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/expired_token")
    result = deployment.run(last_windows(1))
    assert not [event for event in result.all_events if event.is_step_restarted]
    failure = deployment.failure(result)
    assert "the provider refuses the credentials" in str(failure.description)
    assert str(failure.metadata["tried"].value).endswith("not tried again within this run")
    assert "credentials" in str(failure.metadata["what_next"].value)
    assert sandbox.TOKEN not in str(failure)


def test_a_profile_with_a_missing_secret_fails_at_once(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SANDBOX_TOKEN")
    failure = deployment.failure(deployment.run(last_windows(1)))
    assert "SANDBOX_TOKEN is not set" in str(failure.description)


def test_a_damaged_landed_file_is_named_with_what_to_do(deployment: Deployment) -> None:
    windows = last_windows(1)
    assert deployment.run(windows).success
    path = Path(deployment.landing.uri_of("raw_customers", windows[0]).removeprefix("file://"))
    path.write_bytes(path.read_bytes()[:-20])
    failure = deployment.failure(deployment.replay(windows))
    assert path.name in str(failure.metadata["reason"].value)
    assert "materialize" in str(failure.metadata["what_next"].value)


def test_a_cache_that_is_down_fails_publication_and_keeps_what_was_landed(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    windows = last_windows(1)
    assert deployment.run(windows).success
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    result = deployment.replay(windows)
    failure = deployment.failure(result)
    assert str(failure.description).startswith("cache unavailable since ")
    assert failure.metadata["what_next"].value
    assert deployment.landing.describe("customers", windows[0]) is not None


def touch(sandbox: SandboxServer, window: Window, count: int) -> list[str]:
    """Edit `count` customers so that their `updated_at` lies in `window`, and return their ids."""
    known = sandbox.truth().items()
    ids = [key for key, row in known if not row["deleted"] and not row["verbatim"]][:count]
    assert len(ids) == count
    for position, key in enumerate(ids):
        instant = timestamps.format_instant(window.start + timedelta(seconds=position))
        sandbox.control("PUT", f"customers/{key}", body={"status": "touched"}, updated_at=instant)
    return ids


def test_a_wrong_profile_publishes_nothing_and_is_replayed_when_corrected_without_asking_the_provider(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    windows = last_windows(1)
    touched = touch(sandbox, windows[0], 8)
    deployment.edit_profile("  id: id\n", "  id: external_id\n")
    failed = deployment.run(windows)
    assert not failed.success
    assert not [event for event in failed.all_events if event.is_step_restarted]
    (rate,) = [check for check in failed.get_asset_check_evaluations() if check.check_name == "quarantine_rate_is_low"]
    assert not rate.passed
    assert nothing_is_published(valkey)

    deployment.edit_profile("  id: external_id\n", "  id: id\n")
    sandbox.control("POST", "faults/down")
    assert deployment.replay(windows).success
    assert set(touched) <= cached(valkey).keys()


def test_one_poison_record_is_quarantined_with_its_reason_and_the_others_are_published(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer, capfd: pytest.CaptureFixture[str]
) -> None:
    windows = last_windows(1)
    touched = touch(sandbox, windows[0], 4)
    poison = {"id": None, "contact": {"email": "poison-marker@example.com"}}
    instant = timestamps.format_instant(windows[0].start + timedelta(seconds=30))
    sandbox.control("POST", "customers", body=poison, updated_at=instant)
    result = deployment.run(windows)
    assert result.success
    assert set(touched) <= cached(valkey).keys()
    quarantined = metadata_of(result, "quarantined_customers")[windows[0].key]
    assert quarantined["dagster/row_count"] == 1
    table = quarantined["quarantined_by_reason"]
    assert isinstance(table, dg.TableMetadataValue)
    assert [record.data for record in table.records] == [{"reason": "id_missing", "records": 1}]
    (batch,) = deployment.landing.read("quarantined_customers", windows[0])
    assert "poison-marker" in batch["record"][0].as_py()
    seen = capfd.readouterr()
    assert "poison-marker" not in seen.out + seen.err + repr(result.all_events)
