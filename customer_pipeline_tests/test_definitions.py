"""What Dagster loads."""

import os
import subprocess
import sys

import dagster as dg

from customer_pipeline.customers.model import Customer
from customer_pipeline.definitions import defs

ASSETS = {
    "raw_customers": "ingestion",
    "customers": "normalization",
    "quarantined_customers": "normalization",
    "customer_cache": "publication",
    "customer_snapshot": "snapshot",
    "customer_reconciliation": "reconciliation",
    "pipeline_health": "health",
    "landing_store": "retention",
}
# What has windows; the others are reported.
REPORTED = {"customer_snapshot", "customer_reconciliation", "pipeline_health", "landing_store"}
PARTITIONED = [name for name in ASSETS if name not in REPORTED]


def test_the_definitions_load_and_every_asset_has_group_owner_description_and_kinds() -> None:
    dg.Definitions.validate_loadable(defs)
    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == set(ASSETS)
    for name, group in ASSETS.items():
        asset = graph.get(dg.AssetKey(name))
        assert asset.group_name == group
        assert asset.owners
        assert asset.description
        assert asset.kinds


def test_all_assets_that_have_windows_share_partitions_and_backfill_policy_so_that_ranges_run_together() -> None:
    graph = defs.resolve_asset_graph()
    assets = [graph.get(dg.AssetKey(name)) for name in PARTITIONED]
    assert len({asset.partitions_def for asset in assets}) == 1
    assert {asset.backfill_policy for asset in assets} == {dg.BackfillPolicy.multi_run(max_partitions_per_run=144)}


def test_the_lineage_leads_from_the_provider_to_the_cache() -> None:
    graph = defs.resolve_asset_graph()
    parents = {name: {key.to_user_string() for key in graph.get(dg.AssetKey(name)).parent_keys} for name in ASSETS}
    assert parents == {
        "raw_customers": set(),
        "customers": {"raw_customers"},
        "quarantined_customers": {"raw_customers"},
        "customer_cache": {"customers"},
        "customer_snapshot": set(),
        "customer_reconciliation": {"customer_cache", "customer_snapshot"},
        "pipeline_health": {"customer_cache"},
        "landing_store": {"raw_customers", "customers", "quarantined_customers"},
    }


def test_what_runs_by_itself_is_known() -> None:
    repository = defs.get_repository_def()
    schedules = {schedule.name: schedule.job_name for schedule in repository.schedule_defs}
    assert schedules == {
        "customer_sync_schedule": "customer_sync",
        "landing_retention_schedule": "landing_retention",
        "customer_reconciliation_schedule": "customer_reconciliation",
    }


def test_the_column_schema_in_the_ui_is_that_of_the_model() -> None:
    schema = defs.resolve_asset_graph().get(dg.AssetKey("customers")).metadata["dagster/column_schema"]
    assert isinstance(schema, dg.TableSchema)
    described = {column.name: column.description for column in schema.columns}
    for name, field in Customer.model_fields.items():
        assert described[name] == field.description


def test_wrong_settings_are_all_named_when_the_definitions_load() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in {"LANDING_URI", "REDIS_URL"}}
    done = subprocess.run(
        [sys.executable, "-c", "import customer_pipeline.definitions"],
        env=environment | {"CUSTOMER_PIPELINE_START": "yesterday"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode != 0
    for name in ("LANDING_URI", "REDIS_URL", "CUSTOMER_PIPELINE_START"):
        assert name in done.stderr
