"""Hand-written HTTP servers on loopback that say exactly what a test tells them, byte by byte."""

import contextlib
import json
import logging
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.profile import Profile

JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    """A request as it arrived."""

    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Reply:
    """What is sent: a status, headers and a body, or `pieces` of raw bytes, then the connection is closed."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    pieces: Iterable[bytes] | None = None


def page(*records: Any, headers: Mapping[str, str] | None = None, **members: Any) -> Reply:
    return Reply(headers={**JSON, **(headers or {})}, body=json.dumps({"items": records, **members}).encode())


Answering = Callable[[Request], Reply]


class Server:
    """One server; each connection has its own thread, and `requests` keeps what came in."""

    def __init__(self, answer: Answering | Iterable[Reply] | Reply) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.answer = answer if callable(answer) else in_turn([answer] if isinstance(answer, Reply) else answer)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._shut(self._listener)
        self._threads[0].join(10)
        for connection in self._open:
            self._shut(connection)
        for thread in self._threads:
            thread.join(10)

    def _shut(self, each: socket.socket) -> None:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as stream:
            while request := _read(stream):
                self.requests.append(request)
                reply = self.answer(request)
                if reply.pieces is not None:
                    for piece in reply.pieces:
                        connection.sendall(piece)
                    # the client may not have read all of it: close the sending side first
                    connection.shutdown(socket.SHUT_WR)
                    return
                connection.sendall(_bytes(reply))


def _read(stream: Iterable[bytes]) -> Request | None:
    lines = []
    for line in stream:
        if line == b"\r\n":
            break
        lines.append(line.decode("latin-1").rstrip("\r\n"))
    if not lines:
        return None
    headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
    return Request(lines[0].split(" ")[1], {name.lower(): value for name, value in headers.items()})


def _bytes(reply: Reply) -> bytes:
    headers = {"Content-Length": str(len(reply.body)), **reply.headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Reason\r\n{head}\r\n".encode("latin-1") + (
        b"" if reply.status == 204 else reply.body
    )


def in_turn(replies: Iterable[Reply]) -> Answering:
    """Give one reply after the other; the last one for ever."""
    waiting = iter(replies)
    last = Reply(500)

    def answer(_: Request) -> Reply:
        nonlocal last
        last = next(waiting, last)
        return last

    return answer


class Sleeps:
    """Stands for `time.sleep`, and keeps the seconds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


def profile(base_url: str, **changes: Any) -> Profile:
    """Return a profile of a list without tricks; `changes` replace members of it."""
    content: dict[str, Any] = {
        "name": "tested",
        "base_url": base_url,
        "list": {"path": "/customers", "query": {"since": "{since}", "until": "{until}"}, "records": "items"},
        "pagination": {"style": "cursor", "cursor": "next"},
        "lookback": "5m",
        "timeouts": {"connect": "2s", "read": "2s", "total": "5s"},
        "retry": {"attempts": 1},
        "fields": {"id": "id", "updated_at": "updated_at"},
    }
    return Profile.model_validate({**content, **changes})


@contextlib.contextmanager
def client(
    base_url: str, environment: Mapping[str, str] | None = None, sleeps: Sleeps | None = None, **changes: Any
) -> Iterator[ProviderClient]:
    with ProviderClient(profile(base_url, **changes), environment or {}, sleep=sleeps or Sleeps()) as opened:
        yield opened


@contextlib.contextmanager
def all_records_of_all_loggers() -> Iterator[list[logging.LogRecord]]:
    """Collect every log record of every logger, from debug level."""
    collected: list[logging.LogRecord] = []

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            collected.append(record)

    root, collector = logging.getLogger(), Collector()
    level = root.level
    root.addHandler(collector)
    root.setLevel(logging.DEBUG)
    try:
        yield collected
    finally:
        root.setLevel(level)
        root.removeHandler(collector)
