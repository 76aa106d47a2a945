"""What uvicorn leaves unbounded: the head of a request, how long it takes to come, and who never reads an answer."""

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from customer_pipeline.api import problems
from customer_pipeline.api.joining import JoinedWrites
from customer_pipeline.api.problems import Problem

if TYPE_CHECKING:
    from customer_pipeline.api.app import Api


class BoundedProtocol(HttpToolsProtocol):
    """HTTP/1.1 by httptools, whose connections end when a head is too large or late, or nothing is taken off."""

    largest_head = 65_536
    head_seconds = 10.0
    unread_seconds = 30.0

    _is_in_head = False
    _has_begun = False
    _head_size = 0
    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn has it
        """Begin with a connection."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        connection = transport.get_extra_info("socket")
        if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
            with contextlib.suppress(OSError):  # a Unix socket has none
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self.unread_seconds * 1000))
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """End with it."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._has_begun = False
        super().data_received(data)
        if self._is_in_head and not self.transport.is_closing():
            if not self._has_begun:  # else part of it is of requests before
                self._head_size += len(data)
            if self._head_size > self.largest_head:
                self._refuse(431, f"The head of a request has at most {self.largest_head} bytes.")
            elif self._head_timer is None:
                self._start_timer()

    def on_message_begin(self) -> None:
        """Note that a head begins."""
        self._is_in_head, self._has_begun, self._head_size = True, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Note that it is there."""
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        del msg
        self._refuse(400, "This is no HTTP/1.1 request.")

    def _start_timer(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._end)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _end(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self, status: int, detail: str) -> None:
        """Answer and end; what was asked before is answered first, and then nothing more."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False
            self.pipeline.clear()
            return
        body, headers = cast("Api", self.app).envelope.refusal(Problem(status, detail))
        head = (
            f"HTTP/1.1 {status} {problems.phrase(status)}\r\ncontent-type: {problems.MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\ncache-control: private, no-store\r\nconnection: close\r\n"
        )
        lines = [b"%s: %s\r\n" % header for header in headers]
        self.transport.write(b"".join([head.encode(), *lines, b"\r\n", body]))
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Say nothing: there is nothing to upgrade to."""
