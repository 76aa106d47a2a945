"""The access log: a line for each answer on standard error, in the form of the log's other lines.

It does without `logging`, whose records take a large part of the time in which a customer is read.
"""

import asyncio
import contextlib
import sys
import time


class AccessLog:
    """Writes the lines of one turn of the event loop together."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._second = 0
        self._stamp = ""

    def note(self, route: str, status: int, *, seconds: float, key_id: str, request_id: str) -> None:
        """Write who was answered what, and how fast; `route` is a template, without what the request filled in."""
        at = time.time()
        if int(at) != self._second:
            self._second = int(at)
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._second))
        if not self._lines:
            asyncio.get_running_loop().call_soon(self._write)
        self._lines.append(
            f"{self._stamp},{int(at % 1 * 1000):03d} INFO customer_pipeline.api.access: "
            f"{route} {status} {seconds * 1000:.1f} ms key={key_id} request={request_id}\n"
        )

    def _write(self) -> None:
        lines, self._lines = self._lines, []
        with contextlib.suppress(OSError):  # a full disk keeps nobody from reading customers
            sys.stderr.write("".join(lines))
            sys.stderr.flush()
