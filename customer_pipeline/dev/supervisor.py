"""The supervisor: starts services in process groups of their own, watches them, and ends all of them in any case."""

import collections
import contextlib
import itertools
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self

from customer_pipeline.dev import groups

GRACE_SECONDS = 5.0
LAST_LINES = 15

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopRequested(Exception):  # noqa: N818 -- no error
    """A signal asked the supervisor to end."""


class ServiceDied(Exception):  # noqa: N818 -- says what happened
    """A service ended without being asked; the message has the last lines of its log."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """One program to run.

    Attributes:
        name: what people call it.
        command: the program and its arguments.
        log: the file that gets its output.
    """

    name: str
    command: Sequence[str]
    log: Path


class Supervisor:
    """Runs services until it is left; then, and when it is killed itself, no process of theirs remains.

    Args:
        environ: the environment of every service.
        folder: the working directory of every service.
        held: file descriptors to keep open until everything has ended, such as a lock.
        temporary: folders to remove when everything has ended.
    """

    def __init__(
        self, *, environ: Mapping[str, str], folder: Path, held: Sequence[int] = (), temporary: Sequence[Path] = ()
    ) -> None:
        self._environ = environ
        self._folder = folder
        self._held = held
        self._temporary = temporary
        self._layers: list[list[tuple[Service, subprocess.Popen[bytes]]]] = []
        self._signals = 0
        self._previous: dict[signal.Signals, signal._HANDLER] = {}
        self._guardian: subprocess.Popen[bytes]

    def __enter__(self) -> Self:
        self._guardian = subprocess.Popen(  # noqa: S603 -- a module of this package
            [sys.executable, "-m", "customer_pipeline.dev.guardian", *map(str, self._temporary)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=self._held,
        )
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN or number is signal.SIGINT:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        self._signals += 1

    def start(self, *services: Service) -> None:
        """Start services that need those started before; all of them end together, before those do.

        Each gets a session of its own, so that the terminal's Ctrl-C reaches the supervisor alone.
        """
        layer: list[tuple[Service, subprocess.Popen[bytes]]] = []
        self._layers.append(layer)
        for service in services:
            _set_aside(service.log)
            with service.log.open("wb") as log:
                process = subprocess.Popen(  # noqa: S603 -- the stack's own commands
                    service.command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=dict(self._environ),
                    cwd=self._folder,
                    start_new_session=True,
                )
            self._tell_guardian(f"+{process.pid}")
            layer.append((service, process))

    def poll(self) -> None:
        """Return if all is well.

        Raises:
            StopRequested: if a signal asked for the end.
            ServiceDied: if a service has ended.
        """
        if self._signals:
            raise StopRequested
        for service, process in itertools.chain.from_iterable(self._layers):
            if (code := process.poll()) is not None:
                raise ServiceDied(_obituary(service, code))

    def wait_until(self, condition: Callable[[], bool], *, what: str, timeout_seconds: float) -> None:
        """Wait for a condition while watching the services.

        Raises:
            TimeoutError: if it does not come true in time.
        """
        deadline = time.monotonic() + timeout_seconds
        while not condition():
            self.poll()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what} did not answer within {timeout_seconds:.0f} s")
            time.sleep(groups.POLL_SECONDS)
        self.poll()

    def watch(self) -> None:
        """Watch the services until `poll` raises."""
        while True:
            self.poll()
            time.sleep(groups.POLL_SECONDS * 4)

    def _stop(self) -> None:
        noted = self._signals
        while self._layers:
            processes = [process for _, process in self._layers.pop()]

            def reap(processes: list[subprocess.Popen[bytes]] = processes) -> None:
                for process in processes:
                    process.poll()

            ended = [process.pid for process in processes]
            # A second Ctrl-C is a hurry.
            groups.end(ended, grace_seconds=GRACE_SECONDS, reap=reap, hurry=lambda: self._signals > noted)
            for group in ended:
                self._tell_guardian(f"-{group}")
        if self._guardian.stdin:
            with contextlib.suppress(OSError):
                self._guardian.stdin.close()
        self._guardian.wait()

    def _tell_guardian(self, line: str) -> None:
        if self._guardian.stdin:
            with contextlib.suppress(OSError):  # the guardian was killed: the supervisor still ends everything itself
                self._guardian.stdin.write(f"{line}\n".encode())
                self._guardian.stdin.flush()


def _set_aside(log: Path) -> None:
    """Keep the log of the last start beside the new one."""
    with contextlib.suppress(FileNotFoundError):
        log.replace(log.with_suffix(".old.log"))


def _obituary(service: Service, code: int) -> str:
    cause = f"by signal {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
    with service.log.open(encoding="utf-8", errors="replace") as log:
        lines = collections.deque(log, maxlen=LAST_LINES)
    quoted = "".join(f"  | {_COLOURS.sub('', line).rstrip()}\n" for line in lines)
    return f"{service.name} ended unexpectedly {cause}; the last lines of its log:\n{quoted}  {service.log}"
