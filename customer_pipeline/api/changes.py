"""The changes of customers: read once from the cache's stream, and handed to everybody who listens."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple

import orjson

from customer_pipeline.api.connection import BLOCK_SECONDS, Client, Connection
from customer_pipeline.cache.errors import told

_LOG = logging.getLogger(__name__)
_AT_ONCE = 500
_MOST_QUEUED = 200
_AGAIN_SECONDS = 0.5
_WOKEN_AT_ONCE = 10
_ENTRY_ID = re.compile(r"(0|[1-9][0-9]{0,19})-(0|[1-9][0-9]{0,19})")

Entry = tuple[bytes, Any]


class Position(NamedTuple):
    """An entry's place in the stream."""

    milliseconds: int
    sequence: int

    def __str__(self) -> str:
        return f"{self.milliseconds}-{self.sequence}"

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Return the position that a text names; raise ValueError if it names none."""
        match = _ENTRY_ID.fullmatch(text)
        if not match or max(int(match[1]), int(match[2])) >= 2**64:
            raise ValueError("no position")
        return cls(int(match[1]), int(match[2]))


BEGINNING = Position(0, 0)


class Closed(Exception):  # noqa: N818 -- says what happened
    """The listener gets nothing more: too slow, or the service ends."""


class Lost(Exception):  # noqa: N818 -- says what happened
    """What follows a position is not all there any more."""


class Listener:
    """One who listens, from a position on."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self._queue: asyncio.Queue[bytes | None] = asyncio.Queue(_MOST_QUEUED)
        self._is_closed = False

    async def next(self) -> bytes:
        """Return the next events.

        Raises:
            Closed: if there are none any more.
        """
        if self._is_closed:
            raise Closed
        chunk = await self._queue.get()
        if chunk is None:
            raise Closed
        return chunk

    def put(self, chunk: bytes) -> None:
        """Hand over events; who has too many waiting is closed, and may resume."""
        try:
            self._queue.put_nowait(chunk)
        except asyncio.QueueFull:
            self.close()

    def close(self) -> None:
        """Let `next` raise, now and later."""
        self._is_closed = True
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)


class Changes:
    """The stream of the cache and its listeners.

    An entry stays where it was read, unless the stream was cut or lost. So what follows a position is complete if, and
    only if, the entry of that position is still there.
    """

    def __init__(self, *, stream: str, connection: Connection, blocking: Connection) -> None:
        self._stream = stream
        self._connection = connection
        self._blocking = blocking
        self._listeners: set[Listener] = set()
        self._position: Position | None = None
        self._fails = False

    async def keep(self) -> None:
        """Read the stream and hand out what comes, again and again."""
        while True:
            try:
                await self._go_on()
                self._fails = False
            except Exception as error:  # noqa: BLE001 -- whatever answers instead of a cache, one day a cache does
                if not self._fails:
                    _LOG.warning("the stream of changes cannot be read: %s", told(error))
                self._fails = True
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _go_on(self) -> None:
        position = self._position or self._started(await self._end())
        entries = await self._read(position)
        if position != BEGINNING and not await self.is_whole(position):
            self._position = await self._end()
            await self._hand_out(reset(self._position))
        elif entries:
            self._position = _position_of(entries[-1])
            await self._hand_out(events(entries))

    async def listen(self) -> Listener:
        """Return a listener to everything from now on.

        Raises:
            CacheError: if the cache cannot be asked.
        """
        end = await self._end()  # asked each time: while the cache is away, nobody begins to listen
        listener = Listener(self._started(end))
        self._listeners.add(listener)
        return listener

    def leave(self, listener: Listener) -> None:
        """Forget a listener."""
        self._listeners.discard(listener)

    def close(self) -> None:
        """Close every listener."""
        for listener in self._listeners:
            listener.close()

    async def is_whole(self, position: Position) -> bool:
        """Return whether everything after a position is still there.

        Raises:
            CacheError: if the cache cannot be asked.
        """
        if position == BEGINNING:
            return await self._end() == BEGINNING
        return bool(await self._range(str(position), str(position), count=1))

    async def between(self, after: Position, until: Position) -> AsyncIterator[bytes]:
        """Yield the events after one position, up to another.

        Raises:
            CacheError: if the cache cannot be asked.
            Lost: if some of them left the stream before they were read.
        """
        while after < until:
            entries = await self._range(str(after), str(until), count=_AT_ONCE + 1)
            if after != BEGINNING and (not entries or _position_of(entries.pop(0)) != after):
                raise Lost
            if not entries:
                return
            yield events(entries)
            after = _position_of(entries[-1])

    def _started(self, end: Position) -> Position:
        """Return up to where the stream was read; at first, its end."""
        if self._position is None:
            self._position = end
        return self._position

    async def _hand_out(self, chunk: bytes) -> None:
        """Give a chunk to those who listen now, few at a time: requests are answered in between."""
        for number, listener in enumerate(list(self._listeners), start=1):
            listener.put(chunk)
            if number % _WOKEN_AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _end(self) -> Position:
        newest: list[Entry] = await self._connection.run(
            lambda client: client.execute_command("XREVRANGE", self._stream, "+", "-", "COUNT", 1)
        )
        return _position_of(newest[0]) if newest else BEGINNING

    async def _range(self, first: str, last: str, *, count: int) -> list[Entry]:
        found: list[Entry] = await self._connection.run(
            lambda client: client.execute_command("XRANGE", self._stream, first, last, "COUNT", count)
        )
        return found

    async def _read(self, after: Position) -> list[Entry]:
        async def ask(client: Client) -> Any:
            wait = int(BLOCK_SECONDS * 1000)
            return await client.xread({self._stream: str(after)}, count=_AT_ONCE, block=wait)

        found = await self._blocking.run(ask)
        return list(found[0][1]) if found else []


def events(entries: Sequence[Entry]) -> bytes:
    """Return entries as server-sent events."""
    return b"".join(_event(entry_id, fields) for entry_id, fields in entries)


def reset(position: Position) -> bytes:
    """Return the event that says that changes were lost: load anew, then go on from here."""
    return b"id: %s\nevent: reset\ndata: {}\n\n" % str(position).encode()


def greeting(position: Position) -> bytes:
    """Return what a new listener gets first: where it stands, so that it can resume before the first change."""
    return b"retry: 3000\nid: %s\nevent: ready\ndata: {}\n\n" % str(position).encode()


def _event(entry_id: bytes, fields: Any) -> bytes:
    content = {_text(name): _text(value) for name, value in fields.items()}
    kind = "deleted" if content.get("kind") == "deleted" else "changed"
    data = orjson.dumps({"id": content.get("id", ""), "version": content.get("version", ""), "kind": kind})
    return b"id: %s\nevent: %s\ndata: %s\n\n" % (entry_id, kind.encode(), data)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")


def _position_of(entry: Entry) -> Position:
    return Position.parse(entry[0].decode())
