"""The reconciliation as Dagster runs it, on real servers: what it reports, and how a refused one explains itself."""

from datetime import UTC, datetime
from typing import Any, cast

import dagster as dg
import orjson
import pytest

from customer_pipeline import run_tags
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history, outages
from customer_pipeline.defs.reconciliation import cache_agrees_with_provider, customer_reconciliation_schedule
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

JOB = defs.resolve_job_def("customer_reconciliation")
LANE = {run_tags.LANE: run_tags.RECONCILIATION}


def reconcile(deployment: Deployment, **config: object) -> dg.ExecuteInProcessResult:
    return JOB.execute_in_process(
        instance=deployment.instance,
        run_config={"ops": {"reconcile_customers": {"config": config}}},
        tags=LANE,
        raise_on_error=False,
    )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("reconcile_customers")
    return {name: value.value for name, value in event.metadata.items()}


def sample(result: dg.ExecuteInProcessResult) -> set[tuple[str, str]]:
    """Kind and id of each row."""
    return {(row.data["kind"], row.data["id"]) for row in shown(result)["sample"].records}


def verdict(result: dg.ExecuteInProcessResult) -> dg.AssetCheckEvaluation:
    (found,) = result.get_asset_check_evaluations()
    return found


def test_a_reconciliation_makes_the_cache_agree_and_shows_what_differed(
    deployment: Deployment, valkey: ValkeyServer
) -> None:
    first = reconcile(deployment)
    assert first.success
    assert shown(first)["missing"] + shown(first)["awaited"] == shown(first)["applied"] > 400
    with valkey.client() as client:
        names = sorted(cast("list[bytes]", client.zrange("customers:by_updated_at", 0, 4)))
        victim = names[0].decode()
        client.delete(f"customer:{{{victim}}}")
        document = orjson.loads(cast("bytes", client.get(f"customer:{{{names[1].decode()}}}")))
        version = "2026-11-01T00:00:00.000000Z/2026-11-01T00:00:00.000000Z"
        client.set("customer:{ghost}", orjson.dumps(document | {"id": "ghost", "version": version}))
        client.zadd("customers:by_updated_at", {"ghost": 1})

    checked = reconcile(deployment, check_only=True)
    assert checked.success
    assert not verdict(checked).passed
    assert "2 customers differed (1 missing, 1 extra); nothing was published" in (verdict(checked).description or "")
    assert sample(checked) == {("missing", victim), ("extra", "ghost")}

    mended = reconcile(deployment)
    assert verdict(mended).passed
    assert (shown(mended)["missing"], shown(mended)["extra"], shown(mended)["deleted"]) == (1, 1, 1)
    again = reconcile(deployment, check_only=True)
    assert verdict(again).passed
    assert shown(again)["differences"] == 0
    trend = shown(again)["trend"]
    assert "<svg" in trend.replace("\\", "")
    assert "0 customers differed now" in trend
    assert deployment.landing.snapshots() == [], "what was compared is not kept"


def repeated(instance: dg.DagsterInstance) -> dg.AssetCheckResult:
    """The check, asked for by itself."""
    job = dg.Definitions(
        asset_checks=[cache_agrees_with_provider],
        jobs=[dg.define_asset_job("repeat", selection=dg.AssetSelection.all_asset_checks())],
    ).resolve_job_def("repeat")
    (found,) = job.execute_in_process(instance=instance).get_asset_check_evaluations()
    return dg.AssetCheckResult(passed=found.passed, description=found.description)


def test_the_check_repeats_what_the_newest_reconciliation_found(deployment: Deployment) -> None:
    assert repeated(deployment.instance).description == "Nothing was reconciled yet."
    checked = reconcile(deployment, check_only=True)
    assert repeated(deployment.instance).description == verdict(checked).description
    assert not repeated(deployment.instance).passed
    reconcile(deployment)
    assert repeated(deployment.instance).passed


def test_what_is_older_at_the_provider_fails_the_check_until_a_person_has_decided(
    deployment: Deployment, valkey: ValkeyServer
) -> None:
    reconcile(deployment)
    with valkey.client() as client:
        (name,) = (one.decode() for one in cast("list[bytes]", client.zrange("customers:by_updated_at", 0, 0)))
        document = cast("bytes", client.get(f"customer:{{{name}}}"))
        fetched_at = document[40:67]
        client.set(f"customer:{{{name}}}", document[:12] + fetched_at + b"/" + fetched_at + document[67:])

    found = reconcile(deployment)

    assert found.success
    assert not verdict(found).passed
    assert "customer:{ID}:tombstone" in (verdict(found).description or "")
    assert "Do what the summary says" in str(verdict(found).metadata["what_next"].value)
    assert ("older_at_provider", name) in sample(found)
    assert (shown(found)["older_at_provider"], shown(found)["agrees_now"]) == (1, "false")
    assert repeated(deployment.instance).description == verdict(found).description

    with valkey.client() as client:
        client.delete(f"customer:{{{name}}}", f"customer:{{{name}}}:tombstone")
    assert verdict(reconcile(deployment)).passed
    assert verdict(reconcile(deployment, check_only=True)).passed


@pytest.mark.parametrize("fault", ["half_200", "empty_200"])
def test_a_provider_that_hides_its_customers_stops_the_run_in_one_sentence(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer, fault: str
) -> None:
    assert reconcile(deployment).success
    with valkey.client() as client:
        before = client.zcard("customers:by_updated_at")
    sandbox.control("POST", f"faults/{fault}")

    result = reconcile(deployment)

    assert not result.success
    told = deployment.failure(result)
    assert (told.description or "").startswith("provider misbehaved since ")
    assert "customers in the cache are not at the provider" in (told.description or "")
    assert "cus_" not in (told.description or "")
    assert "Then run the job again" in str(told.metadata["what_next"].value)
    assert deployment.tags_of(result)[run_tags.PERMANENT] == "true"
    with valkey.client() as client:
        assert client.zcard("customers:by_updated_at") == before


def test_a_failed_reconciliation_stops_no_live_run_and_no_heal(deployment: Deployment, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/expired_token")
    for _ in range(outages.PERMANENT_FAILURES + 1):
        assert not reconcile(deployment).success
    assert history.finished(deployment.instance, limit=10) == []
    assert outages.reason_to_skip(deployment.instance, at=datetime.now(UTC)) is None


def test_the_schedule_is_off_and_runs_daily_when_it_is_switched_on() -> None:
    assert customer_reconciliation_schedule.default_status == dg.DefaultScheduleStatus.STOPPED
    assert customer_reconciliation_schedule.cron_schedule == "10 4 * * *"
    context = dg.build_schedule_context(scheduled_execution_time=datetime(2026, 11, 25, 4, 10, tzinfo=UTC))
    (request,) = customer_reconciliation_schedule.evaluate_tick(context).run_requests or []
    assert request.partition_key is None
