"""A TCP proxy in front of a real server: it loses what it is told to lose, and can speak TLS to the client."""

import contextlib
import socket
import ssl
import threading
from typing import Literal, Self

Loss = Literal["request", "half", "reply"]


class CuttingProxy:
    """Forwards connections to `target`; `lose` makes it cut the next ones.

    Attributes:
        cuts: how many connections were cut.
    """

    def __init__(self, target: int, *, tls: ssl.SSLContext | None = None) -> None:
        self._target = target
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self._losses: list[Loss] = []
        self._open: set[socket.socket] = set()
        self.cuts = 0
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def lose(self, loss: Loss, *, times: int = 1) -> None:
        """Cut a connection as soon as it carries a script: before it, in the middle of it, or before its reply."""
        with self._lock:
            self._losses = [loss] * times

    def heal(self) -> None:
        with self._lock:
            self._losses = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in list(self._open):
            _close(each)
        self._thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            if self._tls is not None:
                client = self._tls.wrap_socket(client, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            _close(client)
            return
        self._open |= {client, server}
        mute = threading.Event()
        back = threading.Thread(target=self._replies, args=(server, client, mute), daemon=True)
        back.start()
        with contextlib.suppress(OSError):
            while data := client.recv(1 << 20):
                loss = self._next_loss() if b"EVAL" in data and not mute.is_set() else None
                if loss == "request":
                    break
                if loss == "half":
                    server.sendall(data[: len(data) // 2])
                    break
                if loss == "reply":
                    mute.set()
                server.sendall(data)
        _close(client)
        _close(server)
        back.join(timeout=5)
        self._open -= {client, server}

    def _next_loss(self) -> Loss | None:
        with self._lock:
            if not self._losses:
                return None
            self.cuts += 1
            return self._losses.pop()

    @staticmethod
    def _replies(server: socket.socket, client: socket.socket, mute: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(1 << 20):
                if mute.is_set():
                    break
                client.sendall(data)
        _close(client)


def _close(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
