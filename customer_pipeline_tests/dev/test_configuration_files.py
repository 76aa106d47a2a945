"""What Dagster itself makes of `dagster.yaml` and `workspace.yaml`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.workspace.load import location_origins_from_yaml_paths

from customer_pipeline import run_tags
from customer_pipeline.run_launcher import HealthCheckingRunLauncher

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(REPOSITORY / "dagster.yaml", tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def test_the_workspace_names_the_definitions() -> None:
    (origin,) = location_origins_from_yaml_paths([os.fspath(REPOSITORY / "workspace.yaml")])

    assert isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin)
    assert origin.location_name == "customer_pipeline"
    assert origin.loadable_target_origin.module_name == "customer_pipeline.definitions"


def test_runs_wait_in_a_queue_that_starts_them_soon(instance: dg.DagsterInstance) -> None:
    coordinator = instance.run_coordinator
    assert isinstance(coordinator, QueuedRunCoordinator)
    assert coordinator.dequeue_interval_seconds == 1

    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 8
    assert queue.max_user_code_failure_retries * queue.user_code_failure_retry_delay == 300
    assert list(queue.tag_concurrency_limits) == [
        {"key": run_tags.LANE, "value": {"applyLimitPerUniqueValue": True}, "limit": 1},
        {"key": "dagster/backfill", "limit": 1},
    ]


def test_the_storage_lies_in_the_home(instance: dg.DagsterInstance, tmp_path: Path) -> None:
    assert instance.is_persistent
    assert (tmp_path / "history" / "runs.db").exists()


def test_killed_workers_are_noticed_and_their_runs_repeated_once(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_start_timeout_seconds == 120
    assert instance.run_monitoring_poll_interval_seconds == 20
    assert isinstance(instance.run_launcher, HealthCheckingRunLauncher)
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_monitoring_max_runtime_seconds == 3600
    assert instance.run_retries_enabled
    assert instance.run_retries_max_retries == 1
    assert instance.run_retries_retry_on_asset_or_op_failure is False


def test_old_ticks_are_removed_and_nothing_is_reported_or_advertised(instance: dg.DagsterInstance) -> None:
    retention = instance.get_tick_retention_settings(InstigatorType.SENSOR)

    assert {status.name: days for status, days in retention.items()}["SKIPPED"] == 2
    assert instance.telemetry_enabled is False
    assert instance.nux_enabled is False
