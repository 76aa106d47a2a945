"""One who listens to the changes, as a browser does."""

import contextlib
import socket
import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from types import TracebackType
from typing import Any, NamedTuple, Self

import orjson
import requests
from urllib3.exceptions import HTTPError

from customer_pipeline.api.models import Change
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import format_instant
from customer_pipeline_tests.api.serving import KEYS, ApiServer, deleted, live
from customer_pipeline_tests.servers import wait_until

START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)

_clock = count(1)  # at 0 milliseconds is what other tests publish


class Event(NamedTuple):
    id: str
    kind: str
    customer: str
    version: str


class Client:
    """Keeps what it hears until it is left."""

    def __init__(self, api: ApiServer, *, after: str | None = None, key: str | None = None) -> None:
        headers = {"Authorization": f"Bearer {key or api.key}"}
        if after is not None:
            headers["Last-Event-ID"] = after
        self.events: list[Event] = []
        self.comments = 0
        self.has_ended = False
        self.response = requests.get(f"{api.url}/v1/changes", headers=headers, stream=True, timeout=60)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        assert self.response.status_code == 200, self.response.text
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing what another thread reads from waits for it.
        with contextlib.suppress(OSError, AttributeError):  # it may have ended
            connection: Any = self.response.raw.connection
            connection.sock.shutdown(socket.SHUT_RDWR)
        self._thread.join(timeout=10)
        self.response.close()

    def wait_for(self, count: int, *, timeout: float = 20.0) -> list[Event]:
        wait_until(lambda: len(self.events) >= count, what=f"event {count}", timeout=timeout)
        return self.events

    def _listen(self) -> None:
        # The end of the connection, and its closing by this client, are no errors here.
        with contextlib.suppress(HTTPError, AttributeError, ValueError, OSError):
            text = ""
            for chunk in self.response.raw.stream(65_536):
                *whole, text = (text + chunk.decode()).split("\n\n")
                for each in whole:
                    self._hear(each)
        self.has_ended = True

    def _hear(self, text: str) -> None:
        if text.startswith(":"):
            self.comments += 1
            return
        fields = dict(line.split(": ", 1) for line in text.split("\n"))
        data = orjson.loads(fields["data"])
        if data:
            assert Change.model_validate(data).kind == fields["event"]
        self.events.append(Event(fields["id"], fields["event"], data.get("id", ""), data.get("version", "")))


def change(connection: Connection, customer_id: str, kind: str = "changed") -> str:
    """Publish a change; return the id of its entry in the stream."""
    (state,) = states([customer_id], kind)
    Publisher(connection).publish([state])
    return entries(connection)[-1].id


def states(ids: Sequence[str], kind: str = "changed") -> list[State]:
    """States of customers, each newer than any before."""
    make = deleted if kind == "deleted" else live
    return [make(each, updated_at=format_instant(START + timedelta(milliseconds=next(_clock)))) for each in ids]


def entries(connection: Connection) -> list[Event]:
    """Read what the stream tells, oldest first."""
    found: Any = connection.xrange(KEYS.changes)
    return [
        Event(entry.decode(), *(fields[name].decode() for name in (b"kind", b"id", b"version")))
        for entry, fields in found
    ]


def bring_in_step(api: ApiServer, connection: Connection) -> None:
    """Return when the API has noticed the loss of an earlier test's stream: who listens begins at this one's end."""
    newest = change(connection, "in step", "deleted")

    def is_in_step() -> bool:
        with Client(api) as client:
            return client.wait_for(1)[0].id == newest

    wait_until(is_in_step, what="the reading of the new stream")
