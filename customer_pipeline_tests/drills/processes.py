"""The stack's processes, as a drill treats them: each started, frozen, killed and started again by its own id.

Each has a process group of its own, so that what it started ends with it; a guardian ends the groups should the drill
itself be killed.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

import psutil

from customer_pipeline_tests.servers import wait_until

START_SECONDS = 120.0


class Guardian:
    """Ends every group that is still there when this process is gone, however that came about."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "customer_pipeline.dev.guardian"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )

    def tell(self, line: str) -> None:
        if self._process.stdin:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()

    def close(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


class DrilledProcess:
    """One service of the stack.

    Args:
        name: what a report calls it.
        command: what starts it.
        environ: its environment.
        log: where its output goes, appended at each start.
        ready: whether it serves.
        guardian: who ends it when nobody else does.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool],
        guardian: Guardian,
    ) -> None:
        self.name = name
        self.command = list(command)
        self.environ = dict(environ)
        self.log = log
        self._ready = ready
        self._guardian = guardian
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def launch(self) -> Self:
        """Start it without waiting for it."""
        if self.running:
            raise RuntimeError(f"{self.name} runs already")
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.environ, start_new_session=True
            )
        self._guardian.tell(f"+{self._process.pid}")
        return self

    def wait(self) -> Self:
        """Wait until it serves."""

        def ready() -> bool:
            if not self.running:
                raise RuntimeError(f"{self.name} ended: {self.log.read_text(errors='replace')[-2000:]}")
            return self._ready()

        wait_until(ready, what=f"the start of {self.name}", timeout=START_SECONDS)
        return self

    def start(self) -> Self:
        return self.launch().wait()

    def kill(self) -> None:
        """Kill it alone, as the kernel does when memory runs out: what it started is left behind."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def kill_group(self) -> None:
        """Kill it and all it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._guardian.tell(f"-{self._process.pid}")
            self._process = None

    def stop(self, *, grace_seconds: float = 10.0) -> None:
        """Ask it to end, then end what is left of its group."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=grace_seconds)
            self.kill_group()

    def freeze(self) -> None:
        """Stop it in its tracks: it holds its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    def restart(self) -> None:
        """Clear away what a killed one left behind, and start anew."""
        self.kill_group()
        self.start()

    def family(self) -> list[psutil.Process]:
        """Return what it started, and what that started."""
        if self._process is None:
            return []
        with contextlib.suppress(psutil.NoSuchProcess):
            return psutil.Process(self._process.pid).children(recursive=True)
        return []

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)


def wait_for_end(process: psutil.Process, *, seconds: float) -> bool:
    """Return whether a process that is nobody's child here ended in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not process.is_running() or process.status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False
