"""The launcher on a real code server with real run workers, killed or reloaded; the tests ask as the daemon does."""

import logging
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import dagster as dg
import psutil
import pytest
from dagster._core.launcher.base import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import GrpcServerTarget
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import deserialize_value

from customer_pipeline.dev.ports import listens
from customer_pipeline.run_launcher import HealthCheckingRunLauncher, Server, Worker, verdict
from customer_pipeline_tests.drills.processes import DrilledProcess, Guardian, wait_for_end
from customer_pipeline_tests.held_runs import RELEASE
from customer_pipeline_tests.servers import wait_until

LOCATION = "held"
SOON = 20.0
PATIENCE = timedelta(seconds=4)
CONFIGURATION = f"""
run_launcher:
  module: customer_pipeline.run_launcher
  class: HealthCheckingRunLauncher
  config: {{patience_seconds: {int(PATIENCE.total_seconds())}}}
run_monitoring: {{enabled: true}}
telemetry: {{enabled: false}}
"""
RUNNING, LOST = WorkerStatus.RUNNING, WorkerStatus.NOT_FOUND


@dataclass
class House:
    """A code server, the instance that it serves, and what a daemon does with both."""

    server: DrilledProcess
    instance: dg.DagsterInstance
    workspace: WorkspaceProcessContext
    socket: Path
    release: Path
    workers: list[psutil.Process] = field(default_factory=list)

    @property
    def launcher(self) -> HealthCheckingRunLauncher:
        launcher = self.instance.run_launcher
        assert isinstance(launcher, HealthCheckingRunLauncher)
        return launcher

    def launch(self) -> str:
        """Start a run and return when it is under way."""
        self.release.unlink(missing_ok=True)
        context = self.workspace.create_request_context()
        repository = context.get_code_location(LOCATION).get_repository("__repository__")
        job = repository.get_full_job("held_job")
        run = create_run_for_test(
            self.instance,
            job_name=job.name,
            remote_job_origin=job.get_remote_origin(),
            job_code_origin=job.get_python_origin(),
        )
        self.instance.launch_run(run.run_id, context)
        self.wait_for(run.run_id, dg.DagsterRunStatus.STARTED)
        self.workers.append(self._worker(run.run_id))
        return str(run.run_id)

    def _worker(self, run_id: str) -> psutil.Process:
        texts: list[str] = [
            record.event_log_entry.message for record in self.instance.get_records_for_run(run_id).records
        ]
        (pid,) = [text.split("pid: ")[1].rstrip(").") for text in texts if text.startswith("Started process for run")]
        return psutil.Process(int(pid))

    def status(self, run_id: str) -> dg.DagsterRunStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run.status

    def wait_for(self, run_id: str, status: dg.DagsterRunStatus) -> None:
        wait_until(lambda: self.status(run_id) is status, what=f"{status} of the run", timeout=SOON)

    def health(self, run_id: str) -> WorkerStatus:
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return self.launcher.check_run_worker_health(run).status

    def monitor(self) -> None:
        assert not any(execute_run_monitoring_iteration(self.workspace, logging.getLogger("monitoring")))

    def let_it_end(self, run_id: str) -> None:
        self.release.touch()
        self.wait_for(run_id, dg.DagsterRunStatus.SUCCESS)

    def kill_server(self) -> None:
        """Kill the code server and the subprocess that has the code; not the workers."""
        servers = [one for one in self.server.family() if _has_code(one)]
        assert servers
        self.server.kill()
        for one in servers:
            one.kill()
        self.socket.unlink(missing_ok=True)

    def kill_everything(self) -> None:
        self.server.kill_group()
        self.socket.unlink(missing_ok=True)


def _has_code(process: psutil.Process) -> bool:
    try:
        return "dagster" in process.cmdline()
    except psutil.ZombieProcess:
        return False


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    home, short = tmp_path_factory.mktemp("home"), Path(tempfile.mkdtemp(prefix="held-"))
    (home / "dagster.yaml").write_text(CONFIGURATION)
    socket, release = short / "code.sock", home / "release"
    command = [sys.executable, "-m", "dagster", "code-server", "start", "--socket", str(socket)]
    command += ["--module-name", "customer_pipeline_tests.held_runs", "--location-name", LOCATION]
    guardian = Guardian()
    server = DrilledProcess(
        "the code server",
        command,
        environ=os.environ | {"DAGSTER_HOME": str(home), RELEASE: str(release)},
        log=home / "code-server.log",
        ready=lambda: listens(socket),
        guardian=guardian,
    )
    target = GrpcServerTarget(host="localhost", port=None, socket=str(socket), location_name=LOCATION)
    try:
        server.start()
        with (
            dg.DagsterInstance.from_config(str(home)) as instance,
            WorkspaceProcessContext(instance, target) as workspace,
        ):
            house = House(server=server, instance=instance, workspace=workspace, socket=socket, release=release)
            yield house
            release.touch()
    finally:
        server.kill_group()
        guardian.close()
        shutil.rmtree(short, ignore_errors=True)
    assert all(wait_for_end(worker, seconds=SOON) for worker in house.workers)


@pytest.fixture(autouse=True)
def _server(request: pytest.FixtureRequest) -> None:
    if "house" in request.fixturenames:
        house: House = request.getfixturevalue("house")
        if not house.server.running:
            house.server.start()
            house.workspace.refresh_code_location(LOCATION)


def test_a_run_that_was_reloaded_under_goes_on_although_its_server_does_not_know_it_any_more(house: House) -> None:
    run_id = house.launch()
    assert house.health(run_id) is RUNNING

    DagsterGrpcClient(socket=str(house.socket)).reload_code(timeout=60)

    request = CanCancelExecutionRequest(run_id=run_id)
    answer = DagsterGrpcClient(socket=str(house.socket)).can_cancel_execution(request)
    assert not deserialize_value(answer, CanCancelExecutionResult).can_cancel
    assert house.health(run_id) is RUNNING
    house.monitor()
    house.let_it_end(run_id)


def test_a_killed_worker_is_reported_by_its_own_server(house: House) -> None:
    run_id = house.launch()

    house.workers[-1].kill()

    house.wait_for(run_id, dg.DagsterRunStatus.FAILURE)


def test_a_worker_that_outlives_its_killed_server_ends_its_run_itself(house: House) -> None:
    run_id = house.launch()
    house.kill_server()
    assert house.health(run_id) is RUNNING

    house.server.start()

    time.sleep(PATIENCE.total_seconds() + 1)  # the time is what is tested: nobody loses patience
    house.monitor()
    assert house.health(run_id) is RUNNING
    house.let_it_end(run_id)


def test_a_run_that_died_with_its_server_has_failed_as_soon_as_a_new_server_answers(house: House) -> None:
    run_id = house.launch()
    house.kill_everything()
    assert house.health(run_id) is RUNNING
    house.monitor()
    assert house.status(run_id) is dg.DagsterRunStatus.STARTED

    house.server.start()

    house.monitor()
    assert house.status(run_id) is dg.DagsterRunStatus.FAILURE


def test_a_run_whose_server_stays_away_fails_after_a_while(house: House) -> None:
    run_id = house.launch()
    house.kill_everything()
    started = time.monotonic()

    wait_until(lambda: house.health(run_id) is LOST, what="the loss of patience", timeout=SOON)

    assert time.monotonic() - started >= PATIENCE.total_seconds()


def test_a_run_without_a_server_is_left_alone(tmp_path: Path) -> None:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
        assert GRPC_INFO_TAG not in run.tags
        assert HealthCheckingRunLauncher().check_run_worker_health(run).status is RUNNING


@pytest.mark.parametrize("info", [{"host": "code.internal", "port": 4000}, {"host": "localhost", "socket": "/a"}])
def test_a_process_is_not_looked_for_on_another_machine_or_without_its_number(
    tmp_path: Path, info: dict[str, object]
) -> None:
    launcher = HealthCheckingRunLauncher()
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        launcher.register_instance(instance)
        run = create_run_for_test(instance, status=dg.DagsterRunStatus.STARTED)
        instance.report_engine_event("something else", run)
        assert launcher._look_for_worker(info, run) is Worker.IS_ELSEWHERE


@pytest.mark.parametrize(
    ("server", "worker", "seconds", "expected"),
    [
        (Server.HAS_IT, Worker.IS_GONE, 999, RUNNING),
        (Server.KNOWS_IT_NOT, Worker.LIVES, 999, RUNNING),
        (Server.IS_SILENT, Worker.LIVES, 999, RUNNING),
        (Server.KNOWS_IT_NOT, Worker.IS_GONE, 0, LOST),
        (Server.KNOWS_IT_NOT, Worker.IS_ELSEWHERE, 119, RUNNING),
        (Server.KNOWS_IT_NOT, Worker.IS_ELSEWHERE, 120, LOST),
        (Server.IS_SILENT, Worker.IS_GONE, 119, RUNNING),
        (Server.IS_SILENT, Worker.IS_GONE, 120, LOST),
        (Server.IS_SILENT, Worker.IS_ELSEWHERE, 120, LOST),
    ],
)
def test_a_run_is_lost_when_its_server_and_its_process_say_so_or_say_nothing_for_long(
    server: Server, worker: Worker, seconds: int, expected: WorkerStatus
) -> None:
    result = verdict(server, worker, doubted_for=timedelta(seconds=seconds), patience=timedelta(minutes=2))

    assert result.status is expected
