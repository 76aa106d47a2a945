"""The run launcher: Dagster's default one, which also notices a run whose worker is gone with its code server.

A code server reports a worker that dies under it within two seconds. A server that is killed reports nothing, and its
workers may have died with it or not: that is found out here, each time the daemon's run monitoring asks. The default
launcher does not answer it, and such a run would count as started, and hold its lane, until its longest runtime.
"""

import json
import logging
import time
from collections.abc import Mapping
from datetime import timedelta
from enum import Enum, auto
from typing import Any, NamedTuple, Self

import dagster as dg
import psutil
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

ANSWER_TIMEOUT_SECONDS = 5
DEFAULT_PATIENCE = timedelta(minutes=2)

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
# By how much the system's clock may have been set between a process's start and the event that says so.
_CLOCK_STEP_SECONDS = 60.0

log = logging.getLogger(__name__)


class Server(Enum):
    """What the code server of a run says of it."""

    HAS_IT = auto()
    KNOWS_IT_NOT = auto()
    IS_SILENT = auto()


class Worker(Enum):
    """What is seen of a run's own process."""

    LIVES = auto()
    IS_GONE = auto()
    IS_ELSEWHERE = auto()  # on another machine, perhaps


def verdict(server: Server, worker: Worker, *, doubted_for: timedelta, patience: timedelta) -> CheckRunHealthResult:
    """Decide whether a run is under way.

    - A run that its server has is.
    - So is one whose process lives. It outlived its server, or belongs to one that was reloaded: a reloaded server
      keeps its runs in the old subprocess, and answers for the new one only. To start it again would double the work.
    - One that the server does not know and whose process is gone is not.
    - What remains is a matter of time: a server that is being restarted, or a process that cannot be seen from here.
    """
    if server is Server.HAS_IT:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    if worker is Worker.LIVES:
        return CheckRunHealthResult(WorkerStatus.RUNNING, "its process outlived its code server")
    if server is Server.KNOWS_IT_NOT and worker is Worker.IS_GONE:
        return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its code server was started anew and its process is gone")
    what = "does not know it" if server is Server.KNOWS_IT_NOT else "does not answer"
    message = f"its code server {what} for {doubted_for.total_seconds():.0f} s"
    return CheckRunHealthResult(WorkerStatus.RUNNING if doubted_for < patience else WorkerStatus.NOT_FOUND, message)


class HealthCheckingRunLauncher(dg.DefaultRunLauncher):
    """Launches runs as `DefaultRunLauncher` does, and answers run monitoring.

    Args:
        patience: how long a run is believed to be under way whose code server does not answer, or does not know it
            while its process cannot be seen; longer than a restart of the server takes.
        inst_data: Dagster's.
    """

    def __init__(
        self, *, patience: timedelta = DEFAULT_PATIENCE, inst_data: ConfigurableClassData | None = None
    ) -> None:
        super().__init__(inst_data)
        self._patience = patience
        self._doubted_since: dict[str, float] = {}

    @classmethod
    def config_type(cls) -> dict[str, Any]:
        """Return what `dagster.yaml` may say."""
        return {"patience_seconds": dg.Field(int, default_value=int(DEFAULT_PATIENCE.total_seconds()))}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """Return the launcher that `dagster.yaml` describes."""
        return cls(patience=timedelta(seconds=config_value["patience_seconds"]), inst_data=inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether run monitoring may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether a started run is under way."""
        if GRPC_INFO_TAG not in run.tags:  # executed by a command line, in its own process
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        info: dict[str, Any] = json.loads(run.tags[GRPC_INFO_TAG])
        server = _ask(info, run.run_id)
        if server is Server.HAS_IT:
            self._doubted_since.pop(run.run_id, None)
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        now = time.monotonic()
        since = self._doubted_since.setdefault(run.run_id, now)
        result = verdict(
            server,
            self._look_for_worker(info, run),
            doubted_for=timedelta(seconds=now - since),
            patience=self._patience,
        )
        log.info("run %s: %s", run.run_id, result)
        if result.status is not WorkerStatus.RUNNING:
            del self._doubted_since[run.run_id]
        return result

    def _look_for_worker(self, info: Mapping[str, Any], run: dg.DagsterRun) -> Worker:
        if not info.get("socket") and info.get("host") not in _LOOPBACK:
            return Worker.IS_ELSEWHERE
        process = self._process_of(run)
        if process is None:
            return Worker.IS_ELSEWHERE
        return Worker.LIVES if _lives(process) else Worker.IS_GONE

    def _process_of(self, run: dg.DagsterRun) -> "_Process | None":
        """Return the process that the worker said it is, in its first event."""
        records = self._instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
        for record in records:
            event = record.event_log_entry.dagster_event
            if event and (pid := event.engine_event_data.metadata.get("pid")):
                return _Process(int(str(pid.value)), record.event_log_entry.timestamp)
        return None


class _Process(NamedTuple):
    pid: int
    seen_at: float


def _ask(info: Mapping[str, Any], run_id: str) -> Server:
    client = DagsterGrpcClient(
        port=info.get("port"),
        socket=info.get("socket"),
        host=info.get("host", "localhost"),
        use_ssl=bool(info.get("use_ssl", False)),
    )
    try:
        answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run_id), timeout=ANSWER_TIMEOUT_SECONDS)
    except DagsterUserCodeUnreachableError:
        return Server.IS_SILENT
    has_it = deserialize_value(answer, CanCancelExecutionResult).can_cancel
    return Server.HAS_IT if has_it else Server.KNOWS_IT_NOT


def _lives(worker: _Process) -> bool:
    """Return whether the process lives, and not another one that was given its number later."""
    try:
        process = psutil.Process(worker.pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= worker.seen_at + _CLOCK_STEP_SECONDS
        )
    except psutil.NoSuchProcess:
        return False
