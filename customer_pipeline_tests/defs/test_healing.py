"""The sensor that heals, on a real Dagster instance, a real Valkey and the sandbox provider."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import orjson
import pytest
import time_machine
from dagster._core.definitions.selector import PartitionRangeSelector, PartitionsByAssetSelector, PartitionsSelector
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin

from customer_pipeline import run_tags, timestamps
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.definitions import defs
from customer_pipeline.defs import healing, resources
from customer_pipeline.defs.healing import RUN_KEY, heal_gaps
from customer_pipeline.defs.history import ASSETS
from customer_pipeline.defs.partitions import settings
from customer_pipeline.defs.resources import CacheResource
from customer_pipeline.healing.plan import Memory
from customer_pipeline.steps import datasets
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.defs.conftest import Deployment
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer, free_port

JOB = defs.resolve_job_def("customer_sync")
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("customer_pipeline"), "__repository__"), "customer_sync"
)


@dataclass
class Healer:
    """Evaluates the sensor as the daemon does: each time with the cursor of the time before.

    The pipeline began so many windows before `end`; the newest that has ended is the last of them.
    """

    deployment: Deployment
    url: str
    windows: list[Window]
    now: datetime
    cursor: str | None = None
    requests: Sequence[dg.RunRequest] = field(default_factory=list)

    def range(self, first: int, end: int | None = None) -> Window:
        """Return windows by their places, as a slice does."""
        chosen = self.windows[first:end]
        return Window(chosen[0].start, chosen[-1].end)

    def publish(self, *ranges: Window) -> None:
        """Add ranges to the coverage without a run."""
        connection = connect(self.url)
        Coverage(connection, keys=CacheKeys("customer"), start=self.windows[0].start).extend(ranges)
        connection.close()

    def evaluate(self, *, later: timedelta = timedelta()) -> str:
        """Evaluate once and return why nothing is requested; empty where something is."""
        self.now += later
        with time_machine.travel(self.now):
            context = dg.build_sensor_context(
                instance=self.deployment.instance,
                cursor=self.cursor,
                repository_def=defs.get_repository_def(),
                resources={"cache": CacheResource(url=self.url)},
            )
            data = heal_gaps.evaluate_tick(context)
        self.cursor, self.requests = data.cursor, data.run_requests or []
        return data.skip_message or ""

    @property
    def requested(self) -> list[Window]:
        keys = [(request.tags[run_tags.RANGE_START], request.tags[run_tags.RANGE_END]) for request in self.requests]
        return [Window(Window.from_key(first).start, Window.from_key(last).end) for first, last in keys]

    def run(self) -> list[dg.ExecuteInProcessResult]:
        """Run what was requested."""
        return [
            JOB.execute_in_process(
                instance=self.deployment.instance,
                tags={**request.tags, RUN_KEY: str(request.run_key)},
                raise_on_error=False,
            )
            for request in self.requests
        ]

    def queue(self, windows: Window, **tags: str) -> None:
        """Queue a run of somebody else."""
        last = Window(windows.end - WINDOW_LENGTH, windows.end)
        range_tags = {run_tags.RANGE_START: windows.key, run_tags.RANGE_END: last.key}
        self.deployment.instance.create_run_for_job(
            JOB, status=dg.DagsterRunStatus.QUEUED, tags={**range_tags, **tags}, remote_job_origin=ORIGIN
        )


@pytest.fixture
def healer(deployment: Deployment, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> Healer:
    end = floor(timestamps.now())
    windows = list(split(end - 12 * WINDOW_LENGTH, end))
    begun = dataclasses.replace(settings, start=windows[0].start)
    monkeypatch.setattr(healing, "settings", begun)
    monkeypatch.setattr(resources, "settings", begun)
    return Healer(deployment, valkey.url, windows, now=end + timedelta(minutes=3))


def test_a_gap_is_requested_in_the_lane_of_heals_once_the_newest_window_is_published(healer: Healer) -> None:
    healer.publish(healer.range(0, 3), healer.range(-1))

    assert healer.evaluate() == ""

    (request,) = healer.requests
    assert request.job_name in {None, "customer_sync"}
    assert request.partition_key is None
    assert dict(request.tags) == {
        run_tags.RANGE_START: healer.windows[3].key,
        run_tags.RANGE_END: healer.windows[-2].key,
        run_tags.LANE: "heal",
        run_tags.PRIORITY: "-1",
        run_tags.MAX_RETRIES: "0",
        run_tags.REASON: request.tags[run_tags.REASON],
        "dagster/sensor_name": "heal_gaps",
    }
    assert request.tags[run_tags.REASON].startswith(f"gap {healer.windows[3].key}..")
    assert request.tags[run_tags.REASON].endswith(", try 1")


def test_while_the_schedule_is_off_or_fails_everything_waits_for_the_newest_window(healer: Healer) -> None:
    healer.publish(healer.range(0, 5))

    assert healer.evaluate() == (
        f"waiting for window {healer.windows[-1].key} to be published: the proof that the provider is back; "
        "7 windows wait"
    )

    healer.publish(healer.range(-1))
    healer.evaluate()
    assert healer.requested == [healer.range(5, -1)]


def test_the_first_deployment_heals_nothing_before_its_start(healer: Healer, monkeypatch: pytest.MonkeyPatch) -> None:
    healer.publish(healer.range(-1))
    healer.evaluate()
    assert healer.requested == [healer.range(0, -1)]

    future = dataclasses.replace(settings, start=healer.windows[-1].end)
    monkeypatch.setattr(healing, "settings", future)
    assert healer.evaluate() == f"the pipeline starts at {future.start:%Y-%m-%dT%H:%MZ}: no window has ended yet"


def test_nothing_is_requested_when_nothing_is_missing(healer: Healer) -> None:
    healer.publish(healer.range(0))

    assert healer.evaluate() == "nothing is missing"


def test_a_queued_run_of_anybody_is_left_to_publish_its_windows(healer: Healer) -> None:
    healer.publish(healer.range(-1))
    healer.queue(healer.range(2, 5))
    healer.queue(healer.range(8, 9), **{run_tags.LANE: run_tags.LIVE})

    healer.evaluate()

    assert healer.requested == [healer.range(9, 11), healer.range(5, 8), healer.range(0, 2)]


def test_a_requested_backfill_is_left_to_publish_its_windows(healer: Healer) -> None:
    healer.publish(healer.range(-1))
    keys = PartitionRangeSelector(start=healer.windows[2].key, end=healer.windows[4].key)
    graph = defs.get_repository_def().asset_graph
    healer.deployment.instance.add_backfill(
        PartitionBackfill.from_partitions_by_assets(
            backfill_id="aaaaaaaa",
            asset_graph=graph,
            backfill_timestamp=timestamps.now().timestamp(),
            tags={},
            dynamic_partitions_store=healer.deployment.instance,
            partitions_by_assets=[
                PartitionsByAssetSelector(asset_key=asset, partitions=PartitionsSelector(ranges=[keys]))
                for asset in ASSETS
            ],
            title=None,
            description=None,
            run_config=None,
        )
    )

    healer.evaluate()

    assert healer.requested == [healer.range(5, 11), healer.range(0, 2)]


def test_a_gap_is_healed_end_to_end_and_the_cursor_forgets_it(healer: Healer, valkey: ValkeyServer) -> None:
    healer.publish(healer.range(0, 4), healer.range(-1))
    healer.evaluate()

    (result,) = healer.run()

    assert result.success
    assert healer.evaluate() == "nothing is missing"
    assert Memory.parse(healer.cursor).attempts == ()
    with valkey.client() as client:
        assert orjson.loads(client.get("customers:freshness"))["gaps"] == []


def test_a_request_survives_a_restart_in_the_cursor_before_its_run_is_seen(healer: Healer) -> None:
    healer.publish(healer.range(-1))
    healer.evaluate()
    assert healer.requested

    assert healer.evaluate(later=timedelta(seconds=30)) == "11 windows queued or under way"
    # deleted, or dropped: it does not block its windows for ever
    healer.evaluate(later=timedelta(minutes=5))
    assert healer.requested == [healer.range(0, 11)]


def test_a_run_that_failed_is_requested_again_after_a_while(
    healer: Healer, sandbox: SandboxServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dg.RetryPolicy, "calculate_delay", lambda *_: 0)
    healer.publish(healer.range(0, 8), healer.range(-1))
    healer.evaluate()
    first = healer.requests[0].run_key
    sandbox.control("POST", "faults/error_503")
    healer.run()
    sandbox.control("DELETE", "faults")

    assert "3 windows wait for their next try" in healer.evaluate(later=timedelta(seconds=30))
    assert healer.evaluate(later=timedelta(minutes=1)) == ""
    (request,) = healer.requests
    assert request.run_key != first
    assert request.tags[run_tags.REASON].endswith("try 2")
    healer.run()
    assert healer.evaluate(later=timedelta(seconds=30)) == "nothing is missing"


def test_a_poison_window_is_isolated_given_up_and_named_and_the_rest_is_healed(
    healer: Healer, sandbox: SandboxServer
) -> None:
    healer.publish(healer.range(0, 4), healer.range(-1))
    poison = healer.windows[7]
    # no other window's lookback reaches so far
    sandbox.control("POST", "faults/expired_token", holding=(poison.start + timedelta(minutes=1)).isoformat())
    healer.evaluate()
    healer.run()

    # It may be the provider that refuses everything, until a newer window was published.
    told = healer.evaluate(later=timedelta(seconds=30))
    assert told == "7 windows refused, asked once more after the next window is published"
    newest = healer.windows[-1].end
    healer.publish(Window(newest, newest + WINDOW_LENGTH))
    healer.evaluate(later=WINDOW_LENGTH)
    assert healer.requested == [healer.range(4, 11)]
    healer.run()
    healer.evaluate(later=timedelta(seconds=30))
    assert healer.requested == [healer.range(8, 11), poison, healer.range(4, 7)]
    assert [result.success for result in healer.run()] == [True, False, True]

    # So it may again, since the range was cut.
    told = healer.evaluate(later=timedelta(seconds=30))
    assert told == "1 window refused, asked once more after the next window is published"
    healer.publish(Window(newest + WINDOW_LENGTH, newest + 2 * WINDOW_LENGTH))
    healer.evaluate(later=WINDOW_LENGTH)
    assert healer.requested == [poison]
    healer.run()

    told = healer.evaluate(later=timedelta(seconds=30))
    assert told == (
        f"given up: {poison.key}; needs a person: read the runs' failures, correct the cause, and materialize these "
        "windows"
    )
    assert Memory.parse(healer.cursor).given_up == [poison]

    sandbox.control("DELETE", "faults")
    healer.deployment.run([poison])
    assert healer.evaluate(later=timedelta(seconds=30)) == "nothing is missing"
    assert Memory.parse(healer.cursor).given_up == []


def test_a_lost_landing_file_is_landed_again(healer: Healer) -> None:
    """A person normalizes anew, the file is not there, and the run fails: published windows that show as failed."""
    healer.deployment.run(healer.windows)
    assert healer.evaluate() == "nothing is missing"
    lost = healer.windows[5]
    file = Path(urlsplit(healer.deployment.landing.uri_of(datasets.RAW_CUSTOMERS, lost)).path)
    file.unlink()
    assert not healer.deployment.replay([lost]).success

    healer.evaluate()
    assert healer.requested == [lost]
    (result,) = healer.run()

    assert result.success
    assert file.exists()
    assert healer.evaluate(later=timedelta(seconds=30)) == "nothing is missing"


def test_a_published_window_that_dagster_never_heard_of_is_no_gap(healer: Healer) -> None:
    healer.publish(healer.range(0))
    healer.deployment.run([healer.windows[3]])

    assert healer.evaluate() == "nothing is missing"


def test_readers_see_the_gaps_of_an_outage(healer: Healer, valkey: ValkeyServer) -> None:
    healer.publish(healer.range(0, 5))

    healer.evaluate()

    with valkey.client() as client:
        freshness = orjson.loads(client.get("customers:freshness"))
    assert freshness["stale_since"] == timestamps.format_instant(healer.windows[5].end)
    assert [gap["end"] for gap in freshness["gaps"]] == [timestamps.format_instant(healer.windows[-1].end)]


def test_a_window_that_ended_just_now_is_not_shown_to_readers_as_a_gap(healer: Healer, valkey: ValkeyServer) -> None:
    healer.publish(healer.range(0, -1))
    healer.now = healer.windows[-1].end + timedelta(minutes=1)

    healer.evaluate()

    with valkey.client() as client:
        assert orjson.loads(client.get("customers:freshness"))["gaps"] == []


def test_a_cache_that_is_down_is_said_and_nothing_is_forgotten(healer: Healer) -> None:
    healer.publish(healer.range(-1))
    healer.evaluate()
    before, url = healer.cursor, healer.url
    healer.url = f"redis://127.0.0.1:{free_port()}/0"

    told = healer.evaluate()

    assert told.startswith("the cache does not say what is missing: the cache cannot be reached")
    assert healer.requests == []
    assert healer.cursor == before
    healer.url = url
    assert healer.evaluate() == "11 windows queued or under way"


def test_a_cursor_of_somebody_else_starts_anew(healer: Healer) -> None:
    healer.publish(healer.range(-1))
    healer.cursor = '{"2026-11-23T0750Z": [3, 1763884200]}'

    healer.evaluate()

    assert healer.requested == [healer.range(0, 11)]


def test_a_changed_secret_makes_what_was_given_up_be_tried_again(
    healer: Healer, monkeypatch: pytest.MonkeyPatch
) -> None:
    healer.publish(healer.range(0, 4), healer.range(-1))
    healer.evaluate()
    remembered = Memory.parse(healer.cursor)
    healer.cursor = dataclasses.replace(remembered, attempts=(), settled=(healer.range(4, 11),)).dump()
    assert healer.evaluate().startswith("given up: ")

    monkeypatch.setenv("SANDBOX_TOKEN", "another")
    healer.evaluate()
    assert healer.requested == [healer.range(4, 11)]


def test_the_sensor_runs_without_being_switched_on() -> None:
    assert heal_gaps.default_status == dg.DefaultSensorStatus.RUNNING
    assert heal_gaps.job_name == "customer_sync"
    assert heal_gaps.minimum_interval_seconds == 30
