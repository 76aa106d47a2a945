"""The sensor that alerts, on a real Dagster instance, a real Valkey and the sandbox provider."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from logging.handlers import BufferingHandler

import dagster as dg
import pytest
import time_machine
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.events import DagsterEvent, DagsterEventType
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteInstigatorOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, SensorInstigatorData

from customer_pipeline import run_tags, timestamps
from customer_pipeline.alerts.trouble import DUE_AFTER
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.definitions import defs
from customer_pipeline.defs import history
from customer_pipeline.defs.alerting import alert_on_failure
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.healing.memory import Memory as HealMemory
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.alerts.receivers import Receiver
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer, free_port

SECRETS = ("sandbox-token", "wrong-token", "hunter2", "hunter3")


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)


@dataclass
class Watch:
    """Evaluates the sensor as the daemon does: one after the other, each with the cursor of the one before."""

    deployment: Deployment
    windows: list[Window]
    receiver: Receiver
    cursor: str | None = None
    said: list[str] = field(default_factory=list)
    logged: BufferingHandler = field(default_factory=lambda: BufferingHandler(1000))

    def look(self, *, later: timedelta = timedelta()) -> str:
        with time_machine.travel(timestamps.now() + later):
            context = dg.build_sensor_context(
                instance=self.deployment.instance,
                cursor=self.cursor,
                resources={"cache": CacheResource(url=os.environ["REDIS_URL"])},
            )
            context.log.addHandler(self.logged)
            data = alert_on_failure.evaluate_tick(context)
        assert not data.run_requests
        self.cursor = data.cursor
        self.said.append(data.skip_message or "")
        return self.said[-1]

    @property
    def events(self) -> list[str]:
        return [body["event"] for body in self.receiver.bodies]


@pytest.fixture
def watch(kept_deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watch]:
    """Eight windows until now, of which the first is published, as is everything before."""
    end = floor(timestamps.now())
    windows = list(split(end - 8 * WINDOW_LENGTH, end))
    cover(valkey, Window(settings.start, windows[0].start))
    assert kept_deployment.tick(windows[0]).success
    monkeypatch.setenv("DAGSTER_WEBSERVER_URL", "https://dagster.example.org")
    with Receiver() as receiver:
        monkeypatch.setenv("ALERT_WEBHOOK_URL", receiver.url)
        watch = Watch(kept_deployment, windows, receiver)
        yield watch
        told = (
            f"{receiver.bodies} {watch.said} {[record.getMessage() for record in watch.logged.buffer]} {watch.cursor}"
        )
        assert not [secret for secret in SECRETS if secret in told]


def cover(valkey: ValkeyServer, windows: Window) -> None:
    connection = connect(valkey.url)
    Coverage(connection, keys=CacheKeys("customer"), start=settings.start).extend([windows])
    connection.close()


def test_a_provider_that_is_down_for_five_ticks_is_one_message_and_its_heal_another(
    watch: Watch, sandbox: SandboxServer
) -> None:
    cover_rest = watch.windows[6:]
    sandbox.control("POST", "faults/down")
    results = []
    for window in watch.windows[1:6]:
        results.append(watch.deployment.tick(window))
        watch.look()
        watch.look()
    assert watch.events == ["outage_started"]
    sandbox.control("DELETE", "faults")
    assert watch.deployment.tick(cover_rest[0]).success
    watch.look()
    assert watch.deployment.tick(cover_rest[1]).success
    watch.look()
    assert watch.events == ["outage_started"]
    healed = watch.deployment.run(watch.windows[1:6], tags={run_tags.LANE: run_tags.HEAL})
    assert healed.success
    watch.look()
    watch.look()

    started, over = watch.receiver.bodies
    assert (started["cause"], started["windows"], started["needs_person"]) == ("provider_unavailable", 1, False)
    assert started["url"] == f"https://dagster.example.org/runs/{results[0].run_id}"
    assert started["pipeline"] == "customer_pipeline (sandbox)"
    assert (over["event"], over["outage"], over["windows"]) == ("outage_healed", started["outage"], 5)
    changes = [
        event.step_materialization_data.materialization.metadata
        for event in healed.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey("customer_cache")
    ]
    changed = sum(int(str(metadata[name].value)) for metadata in changes for name in ("applied", "deleted"))
    assert over["customers_changed"] == changed > 0
    assert watch.said[-1] == "nothing to tell"


def test_wrong_credentials_call_a_person_once_and_show_none_of_them(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_TOKEN", "wrong-token")
    for window in watch.windows[1:4]:
        assert not watch.deployment.tick(window).success
        watch.look()
    (message,) = watch.receiver.bodies
    assert (message["cause"], message["needs_person"]) == ("provider_rejected", True)
    assert message["title"] == "customer_pipeline (sandbox): needs you: provider rejected"


def test_without_a_channel_the_message_is_in_the_log_and_in_the_line_of_the_evaluation(
    watch: Watch, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ALERT_WEBHOOK_URL")
    sandbox.control("POST", "faults/down")
    watch.deployment.tick(watch.windows[1])
    assert watch.look() == "customer_pipeline (sandbox): provider unavailable"
    (record,) = watch.logged.buffer
    assert "The provider does not answer" in record.getMessage()
    assert watch.look().startswith("told already: provider unavailable; stale since ")


def test_a_channel_that_fails_fails_nothing_and_gets_the_message_later(watch: Watch, sandbox: SandboxServer) -> None:
    watch.receiver.answer_with(b"HTTP/1.1 500 Error\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\n")
    sandbox.control("POST", "faults/down")
    watch.deployment.tick(watch.windows[1])
    assert watch.look().endswith("; the alert was not delivered to webhook: it answered 500")
    watch.look()
    assert len(watch.receiver.bodies) == 1
    watch.look(later=timedelta(seconds=31))
    first, again = watch.receiver.bodies
    assert first == again


def test_a_daemon_that_was_stopped_is_told_when_it_is_back(watch: Watch, valkey: ValkeyServer) -> None:
    cover(valkey, Window(watch.windows[0].start, watch.windows[-1].end))
    assert watch.look() == "nothing to tell"
    watch.look(later=timedelta(hours=7))
    (message,) = watch.receiver.bodies
    due = floor(timestamps.parse_instant(message["at"]) - DUE_AFTER)
    assert (message["cause"], message["windows"]) == ("missed", (due - watch.windows[-1].end) // WINDOW_LENGTH)
    assert message["url"] == "https://dagster.example.org/assets/customer_cache?view=partitions"


def test_a_cache_that_is_gone_is_told_after_a_minute(watch: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_URL", f"redis://:hunter2@127.0.0.1:{free_port()}/0")
    assert watch.look() == "the cache cannot be read"
    watch.look(later=timedelta(minutes=2))
    (message,) = watch.receiver.bodies
    assert message["cause"] == "cache_unavailable"


def test_runs_that_a_person_stopped_or_that_dagster_repeats_by_itself_start_nothing(
    watch: Watch, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    cover(valkey, Window(watch.windows[2].start, watch.windows[-1].end))
    sandbox.control("POST", "faults/down")
    failed = watch.deployment.tick(watch.windows[1])
    watch.deployment.instance.add_run_tags(failed.run_id, {run_tags.WILL_RETRY: "true"})
    assert watch.look() == "nothing to tell"
    watch.deployment.instance.add_run_tags(failed.run_id, {run_tags.WILL_RETRY: "false"})
    assert "provider unavailable" in watch.look()


def test_a_run_that_left_no_cause_was_lost(watch: Watch) -> None:
    watch.deployment.instance.create_run_for_job(
        defs.resolve_job_def("customer_sync"),
        status=dg.DagsterRunStatus.FAILURE,
        tags={run_tags.LANE: run_tags.LIVE, run_tags.PARTITION: watch.windows[1].key},
    )
    assert watch.look() == "customer_pipeline (sandbox): a run's process was lost"


def test_the_newest_window_counts_and_not_the_run_that_was_repeated_last(watch: Watch, sandbox: SandboxServer) -> None:
    sandbox.control("POST", "faults/down")
    watch.deployment.tick(watch.windows[3])
    sandbox.control("DELETE", "faults")
    assert watch.deployment.tick(watch.windows[2]).success
    assert "provider unavailable" in watch.look()


def reconciled(watch: Watch) -> dg.ExecuteInProcessResult:
    job = defs.resolve_job_def("customer_reconciliation")
    return job.execute_in_process(instance=watch.deployment.instance, raise_on_error=False)


def ended(watch: Watch, job: str, *, tags: dict[str, str] | None = None, failed: bool = True) -> str:
    """A run of a job ends; return its id."""
    instance = watch.deployment.instance
    run = instance.create_run_for_job(defs.resolve_job_def(job), tags=tags)
    if failed:
        instance.report_run_failed(run)
    else:
        success = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, job_name=job)
        instance.report_dagster_event(success, run_id=run.run_id)
    return run.run_id


def test_a_job_that_fails_is_told_once_with_its_own_line_and_once_more_when_it_succeeds(
    watch: Watch, sandbox: SandboxServer, valkey: ValkeyServer
) -> None:
    cover(valkey, Window(watch.windows[0].start, watch.windows[-1].end))
    assert watch.look() == "nothing to tell"
    sandbox.control("POST", "faults/expired_token")
    first = reconciled(watch)
    watch.look()
    assert not reconciled(watch).success
    assert watch.look().startswith("told already: customer_reconciliation fails since ")
    sandbox.control("DELETE", "faults")
    assert reconciled(watch).success
    watch.look()
    watch.look()

    failed, recovered = watch.receiver.bodies
    line = watch.deployment.failure(first).description or ""
    assert line.startswith("provider rejected since ")
    assert failed["text"].splitlines()[0] == f"{line}."
    assert (failed["event"], failed["job"]) == ("job_failed", "customer_reconciliation")
    assert (failed["cause"], failed["needs_person"]) == ("provider_rejected", True)
    assert failed["url"] == f"https://dagster.example.org/runs/{first.run_id}"
    assert (recovered["event"], recovered["since"]) == ("job_recovered", failed["since"])
    assert watch.said[-1] == "nothing to tell"


def test_an_erasure_that_fails_says_why_without_the_customer(watch: Watch, valkey: ValkeyServer) -> None:
    cover(valkey, Window(watch.windows[0].start, watch.windows[-1].end))
    watch.look()
    job = defs.resolve_job_def("customer_erasure")
    config = {"ops": {"erase_customer": {"config": {"hash": "hunter2"}}}}
    job.execute_in_process(instance=watch.deployment.instance, run_config=config, raise_on_error=False)
    watch.look()
    (message,) = watch.receiver.bodies
    assert (message["job"], message["cause"], message["needs_person"]) == ("customer_erasure", None, True)
    assert message["text"].startswith("hash is none; ")


def test_runs_of_jobs_that_a_person_stopped_or_that_dagster_repeats_by_itself_are_not_told(
    watch: Watch, valkey: ValkeyServer
) -> None:
    cover(valkey, Window(watch.windows[0].start, watch.windows[-1].end))
    ended(watch, "customer_reconciliation")
    watch.look()
    repeated = ended(watch, "landing_retention")
    watch.deployment.instance.add_run_tags(repeated, {run_tags.WILL_RETRY: "true"})
    stopped = watch.deployment.instance.create_run_for_job(defs.resolve_job_def("customer_bootstrap"))
    watch.deployment.instance.report_run_canceled(stopped)
    assert watch.look() == "nothing to tell"
    watch.deployment.instance.add_run_tags(repeated, {run_tags.WILL_RETRY: "false"})
    assert watch.look() == "customer_pipeline (sandbox): landing_retention failed: a run's process was lost"
    assert watch.events == ["job_failed"]


def test_a_load_of_what_had_landed_makes_no_failed_load_good(watch: Watch, valkey: ValkeyServer) -> None:
    cover(valkey, Window(watch.windows[0].start, watch.windows[-1].end))
    watch.look()
    ended(watch, "customer_bootstrap", tags={run_tags.FROM_LANDING: "false"})
    watch.look()
    ended(watch, "customer_bootstrap", tags={run_tags.FROM_LANDING: "true"}, failed=False)
    assert watch.look().startswith("told already: customer_bootstrap fails since ")
    ended(watch, "customer_bootstrap", tags={run_tags.FROM_LANDING: "false"}, failed=False)
    watch.look()
    assert watch.events == ["job_failed", "job_recovered"]


def test_windows_that_the_heal_gave_up_are_named(watch: Watch) -> None:
    instance = watch.deployment.instance
    assert history.heal_memory(instance) is None
    memory = HealMemory(settled=(Window(watch.windows[1].start, watch.windows[2].end),))
    for name, cursor, at in [
        ("heal_gaps", HealMemory().dump(), 1.0),
        ("heal_gaps", memory.dump(), 2.0),
        ("another", "", 3.0),
    ]:
        location = RegisteredCodeLocationOrigin(f"location-{at}")
        origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(location, "__repository__"), name)
        data = SensorInstigatorData(last_tick_timestamp=at, cursor=cursor, min_interval=30)
        state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING, data)
        instance.add_instigator_state(state)
    watch.look()
    watch.look()
    (message,) = watch.receiver.bodies
    assert message["event"] == "windows_given_up"
    assert f"{watch.windows[1].key}...{watch.windows[2].key}" in message["text"]


def test_the_sensor_runs_by_itself_every_half_minute() -> None:
    assert alert_on_failure in (defs.sensors or [])
    assert alert_on_failure.name == "alert_on_failure"
    assert alert_on_failure.default_status is dg.DefaultSensorStatus.RUNNING
    assert alert_on_failure.minimum_interval_seconds == 30


def test_the_first_publication_is_the_oldest(watch: Watch) -> None:
    before = timestamps.now()
    first = history.first_publication(watch.deployment.instance)
    assert watch.deployment.tick(watch.windows[1]).success
    assert first is not None
    assert first < before
    assert first == history.first_publication(watch.deployment.instance)
    with dg.DagsterInstance.ephemeral() as empty:
        assert history.first_publication(empty) is None
