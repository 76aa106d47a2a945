"""The job on real servers and a real instance: what it does, and that nothing stored tells of the customer."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from types import SimpleNamespace
from typing import cast

import dagster as dg
import pytest

from customer_pipeline.cache.codec import State
from customer_pipeline.dagster_storage import Search, runs_under_way
from customer_pipeline.definitions import defs
from customer_pipeline.defs import erasure
from customer_pipeline.erasure import ledger
from customer_pipeline.erasure.ledger import Ledger
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reported_samples import take_out
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.defs.test_reconciliation import reconcile, sample
from customer_pipeline_tests.defs.test_sync import cached, last_windows, metadata_of
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

WINDOWS = 6


def erase(deployment: Deployment, hash_: str) -> dg.ExecuteInProcessResult:
    return defs.resolve_job_def("customer_erasure").execute_in_process(
        instance=deployment.instance,
        run_config={"ops": {"erase_customer": {"config": {"hash": hash_}}}},
        raise_on_error=False,
    )


def enter(deployment: Deployment, customer_id: str) -> str:
    return Ledger(deployment.landing.notes).enter(customer_id, by="officer@desk")


def metadata(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (output,) = [event for event in result.all_events if event.is_successful_output]
    return {name: value.value for name, value in output.step_output_data.metadata.items()}


@pytest.fixture
def published(kept_deployment: Deployment, valkey: ValkeyServer) -> tuple[Deployment, str]:
    """A deployment that has published, and one of its customers."""
    assert kept_deployment.run(last_windows(WINDOWS)).success
    return kept_deployment, min(cached(valkey))


def test_an_erased_customer_does_not_come_back_by_replay_or_from_the_provider_until_that_is_lifted(
    published: tuple[Deployment, str], sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    deployment, name = published
    windows = last_windows(WINDOWS)
    others = cached(valkey)
    del others[name]
    hash_ = enter(deployment, name)

    result = erase(deployment, hash_)

    assert result.success
    counts = metadata(result)
    assert counts["hash"] == hash_
    assert counts["removed_documents"] == 1
    assert 1 <= int(str(counts["removed_index_entries"])) <= 3
    assert int(str(counts["removed_changes"])) >= 1
    assert int(str(counts["removed_raw_customers"])) >= 1
    assert cached(valkey) == others
    assert Ledger(deployment.landing.notes).states() == {hash_: ledger.State.ERASED}

    assert deployment.replay(windows).success
    assert cached(valkey) == others
    assert name in sandbox.truth()
    again = deployment.run(windows)
    assert again.success
    assert name not in cached(valkey)
    raw = metadata_of(again, "raw_customers")
    assert sum(int(str(window["suppressed"])) for window in raw.values()) >= 1
    normalized = metadata_of(again, "customers")
    assert {key: window["dagster/row_count"] for key, window in raw.items()} == {
        key: window["fetched"] for key, window in normalized.items()
    }

    assert Ledger(deployment.landing.notes).lift(name, by="officer@desk") == [hash_]
    assert deployment.run(windows).success
    assert name in cached(valkey)


def test_nothing_that_dagster_keeps_tells_of_the_customer(published: tuple[Deployment, str]) -> None:
    deployment, name = published
    assert erase(deployment, enter(deployment, name)).success
    search = Search.of(name)

    search.instance(deployment.instance)

    assert (dict(search.traces), search.unsearched) == ({}, [])
    with dg.DagsterInstance.from_ref(deployment.instance.get_ref()) as again:
        for run in again.get_runs():
            for entry in again.all_logs(run.run_id):
                assert name not in str(entry)


def test_a_reconciliation_that_began_before_is_waited_for_and_shows_the_customer_no_longer(
    kept_deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has read the provider and compares once the erasure waits, so that it publishes the customer anew."""
    deployment = kept_deployment
    first = reconcile(deployment)
    with valkey.client() as client:
        (name,) = (one.decode() for one in cast("list[bytes]", client.zrange("customers:by_updated_at", 0, 0)))
        client.delete(f"customer:{{{name}}}")
    has_read, is_waiting = threading.Event(), threading.Event()
    compare = Comparison.add

    def compare_once_the_erasure_waits(
        comparison: Comparison, states: Sequence[State], *, started_at: datetime
    ) -> None:
        has_read.set()
        is_waiting.wait(timeout=30)
        compare(comparison, states, started_at=started_at)

    def wait(_: float) -> None:
        is_waiting.set()
        time.sleep(0.05)

    monkeypatch.setattr(Comparison, "add", compare_once_the_erasure_waits)
    monkeypatch.setattr(erasure, "time", SimpleNamespace(sleep=wait))
    with ThreadPoolExecutor(1) as pool:
        reconciliation = pool.submit(reconcile, deployment)
        assert has_read.wait(timeout=60)
        assert erase(deployment, enter(deployment, name)).success
        assert reconciliation.result().success

    assert sample(reconciliation.result()) == {("missing", name)}
    assert name not in cached(valkey)
    assert take_out(deployment.instance, name) == 1 + (("missing", name) in sample(first))
    search = Search.of(name)
    search.instance(deployment.instance)
    assert (dict(search.traces), search.unsearched) == ({}, [])
    assert sample(reconcile(deployment)) == set()
    assert name not in cached(valkey)


def test_a_hash_that_was_never_entered_fails_with_what_to_do(deployment: Deployment) -> None:
    result = erase(deployment, f"{8 * '0'}-{32 * '0'}")

    assert not result.success
    assert "is in no ledger of this landing store; `customer-pipeline erase` enters" in str(
        deployment.failure(result).description
    )


def test_a_job_whose_cache_is_down_says_so_and_goes_on_when_repeated(
    published: tuple[Deployment, str], valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment, name = published
    hash_ = enter(deployment, name)
    with monkeypatch.context() as patch:
        patch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
        result = erase(deployment, hash_)
    assert not result.success
    said = str(deployment.failure(result).description)
    assert said.startswith("cache unavailable: the cache cannot be reached")
    assert said.endswith("Then repeat the erasure: it goes on.")
    assert name in cached(valkey)

    assert erase(deployment, hash_).success
    assert name not in cached(valkey)


@pytest.mark.parametrize("given", ["cus_00001", "", "0-0"])
def test_an_id_is_refused_and_not_repeated_in_any_event(deployment: Deployment, given: str) -> None:
    result = erase(deployment, given)

    assert not result.success
    assert "hash is none" in str(deployment.failure(result).description)
    assert "cus_00001" not in " ".join(str(event) for event in result.all_events)


def test_runs_of_the_pipeline_are_waited_for_and_no_others() -> None:
    @dg.job
    def customer_anything() -> None: ...

    @dg.job
    def something_else() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        expected = set()
        for job, status, counts in [
            (customer_anything, dg.DagsterRunStatus.STARTED, True),
            (customer_anything, dg.DagsterRunStatus.STARTING, True),
            (customer_anything, dg.DagsterRunStatus.NOT_STARTED, False),
            (customer_anything, dg.DagsterRunStatus.SUCCESS, False),
            (something_else, dg.DagsterRunStatus.STARTED, False),
            (defs.resolve_job_def("customer_erasure"), dg.DagsterRunStatus.STARTED, False),
        ]:
            config = {"ops": {"erase_customer": {"config": {"hash": ""}}}} if job.name == "customer_erasure" else {}
            run = instance.create_run_for_job(job, status=status, run_config=config)
            expected |= {run.run_id} if counts else set()
        assert runs_under_way(instance) == expected


def test_the_description_of_the_job_is_shown() -> None:
    assert "GDPR" in str(defs.resolve_job_def("customer_erasure").description)
