"""The load of the cache as Dagster runs it, and the sensor that requests it, on real servers."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest
import time_machine

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Load, Loads
from customer_pipeline.definitions import defs
from customer_pipeline.defs import loading
from customer_pipeline.defs.healing import heal_gaps
from customer_pipeline.defs.loading import load_empty_cache
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.timestamps import parse_instant
from customer_pipeline.windows import floor
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_sync import cached
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

JOB = defs.resolve_job_def("customer_bootstrap")


def load(deployment: Deployment, *, tags: dict[str, str] | None = None, **config: bool) -> dg.ExecuteInProcessResult:
    return JOB.execute_in_process(
        instance=deployment.instance,
        run_config={"ops": {"load_customers": {"config": config}}},
        tags=tags,
        raise_on_error=False,
    )


def known(valkey: ValkeyServer) -> Load:
    return Loads(connect(valkey.url), keys=CacheKeys()).read()


def evaluated(
    deployment: Deployment, valkey: ValkeyServer, sensor: dg.SensorDefinition = load_empty_cache
) -> tuple[Sequence[dg.RunRequest], str]:
    context = dg.build_sensor_context(
        instance=deployment.instance,
        repository_def=defs.get_repository_def(),
        resources={"cache": CacheResource(url=valkey.url)},
    )
    data = sensor.evaluate_tick(context)
    return data.run_requests or [], data.skip_message or ""


def test_a_load_fills_the_cache_and_says_what_it_did(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    result = load(deployment)

    assert result.success
    load_known = known(valkey)
    assert load_known.complete_until is not None
    living = {
        key
        for key, line in sandbox.truth().items()
        if not line["deleted"] and parse_instant(line["updated_at"]) < load_known.complete_until
    }
    assert len(living) > 400
    assert cached(valkey).keys() == living
    (event,) = result.asset_materializations_for_node("load_customers")
    metadata = {name: value.value for name, value in event.metadata.items()}
    assert metadata["source"] == "provider"
    assert (metadata["applied"], metadata["fetched"]) == (len(living), metadata["dagster/row_count"])
    coverage = Coverage(connect(valkey.url), keys=CacheKeys()).read()
    assert [one.end for one in coverage] == [floor(load_known.complete_until)]


def test_a_load_that_is_no_longer_needed_does_nothing(deployment: Deployment, valkey: ValkeyServer) -> None:
    assert load(deployment).success
    before = known(valkey)

    assert load(deployment, only_if_empty=True).success

    assert known(valkey) == before


def test_a_failed_load_says_why_and_is_not_taken_for_a_failure_of_windows(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    sandbox.control("POST", "faults/expired_token")

    result = load(deployment, tags={run_tags.LANE: run_tags.BOOTSTRAP})

    assert not result.success
    told = deployment.failure(result).description or ""
    assert told.startswith("provider rejected since ")
    assert "needs you" in told
    assert deployment.tags_of(result)[run_tags.PERMANENT] == "true"
    assert known(valkey).as_of is None


def test_an_empty_cache_is_noticed_and_loaded(deployment: Deployment, valkey: ValkeyServer) -> None:
    (request,), _ = evaluated(deployment, valkey)

    assert request.tags[run_tags.FROM_LANDING] == "false"
    result = JOB.execute_in_process(
        instance=deployment.instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
    )
    assert result.success
    requests, said = evaluated(deployment, valkey)
    assert not requests
    assert said.startswith("the cache was loaded from the provider")

    with valkey.client() as client:
        client.flushall()
    (_,), _ = evaluated(deployment, valkey)


def test_while_the_provider_is_down_an_empty_cache_gets_what_has_landed(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    assert load(deployment).success
    before = cached(valkey)
    with valkey.client() as client:
        client.flushall()
    sandbox.control("POST", "faults/down")
    for expected in ("false", "true"):
        (request,), _ = evaluated(deployment, valkey)
        assert request.tags[run_tags.FROM_LANDING] == expected
        JOB.execute_in_process(
            instance=deployment.instance, run_config=request.run_config, tags=request.tags, raise_on_error=False
        )

    assert cached(valkey) == before
    assert known(valkey).source == "landing"
    # The provider may have deleted customers since.
    requests, said = evaluated(deployment, valkey)
    assert not requests
    assert "tried again at" in said


def test_a_provider_that_cannot_be_walked_as_a_whole_is_left_alone(
    deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = settings.profile.snapshot.model_copy(update={"enabled": False})
    profile = settings.profile.model_copy(update={"snapshot": snapshot})
    monkeypatch.setattr(loading, "settings", replace(settings, profile=profile))

    requests, said = evaluated(deployment, valkey)

    assert not requests
    assert "snapshot.enabled" in said


def test_nothing_is_healed_while_the_cache_is_being_loaded(deployment: Deployment, valkey: ValkeyServer) -> None:
    deployment.instance.create_run_for_job(JOB, status=dg.DagsterRunStatus.STARTED)

    requests, said = evaluated(deployment, valkey, heal_gaps)
    with time_machine.travel(timestamps.now() + timedelta(hours=2)):
        later = evaluated(deployment, valkey, heal_gaps)[1]

    assert not requests
    assert "the cache is being loaded" in said
    assert "is being loaded" in evaluated(deployment, valkey)[1]
    assert "the cache is being loaded" not in later


def test_a_load_of_which_much_is_quarantined_is_none(deployment: Deployment, valkey: ValkeyServer) -> None:
    deployment.edit_profile("\n  id: id\n", "\n  id: no.such.field\n")

    result = load(deployment)

    assert not result.success
    assert "records were quarantined" in (deployment.failure(result).description or "")
    assert deployment.tags_of(result)[run_tags.FAILURE] == run_tags.CHECKS
    assert known(valkey).as_of is None


def test_who_materializes_everything_does_not_walk_the_provider() -> None:
    graph = defs.resolve_asset_graph()

    assert not graph.get(dg.AssetKey("customer_snapshot")).is_executable


@pytest.mark.parametrize("fault", ["empty_200", "half_200"])
def test_a_provider_that_shows_too_few_is_not_believed(
    deployment: Deployment, sandbox: SandboxServer, valkey: ValkeyServer, fault: str
) -> None:
    assert load(deployment).success
    with valkey.client() as client:
        client.flushall()
    sandbox.control("POST", f"faults/{fault}")

    result = load(deployment)

    assert not result.success
    assert "does not count as a load" in (deployment.failure(result).description or "")
    assert deployment.tags_of(result)[run_tags.FAILURE] == run_tags.PROVIDER_MISBEHAVED
    assert known(valkey).as_of is None
    assert load(deployment, accept_fewer=True).success
