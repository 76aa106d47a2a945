"""A receiver of webhooks on loopback that answers, or does not, exactly as a test says."""

import contextlib
import json
import socket
import threading
from collections.abc import Iterable, Iterator
from types import TracebackType
from typing import Any, Self

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Receiver:
    """Keeps the bodies that were posted, and answers each with the next of `answers`; the last one for ever.

    An answer is bytes, or pieces of bytes that are sent as they come; None is never to answer.
    """

    def __init__(self, *answers: bytes | Iterable[bytes] | None) -> None:
        self._bodies: list[bytes] = []
        self.heads: list[str] = []
        self.connections = 0
        self.done = threading.Event()
        self._answers = list(answers) or [OK]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/services/T0/hunter2-and-more?key=hunter3"
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(body) for body in self._bodies]

    def answer_with(self, *answers: bytes | Iterable[bytes] | None) -> None:
        self._answers = list(answers)

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.done.set()
        for each in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(10)

    def drip(self, start: bytes, drop: bytes) -> Iterator[bytes]:
        """Yield `start`, then `drop` several times a second until the test is over."""
        yield start
        while not self.done.wait(0.2):
            yield drop

    def _start(self, target: Any, *arguments: object) -> None:
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
            head = "".join(line.decode("latin-1") for line in iter(stream.readline, b"\r\n"))
            length = next(int(line[15:]) for line in head.splitlines() if line.lower().startswith("content-length:"))
            self.heads.append(head)
            self._bodies.append(stream.read(length))
            answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
            if answer is None:
                self.done.wait()
                return
            for piece in [answer] if isinstance(answer, bytes) else answer:
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)
