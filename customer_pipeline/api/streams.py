"""An open stream of changes: what one client gets, and when it ends."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from customer_pipeline.api.answers import header
from customer_pipeline.api.changes import Changes, Closed, Listener, Lost, Position, greeting, reset
from customer_pipeline.api.credentials import Key
from customer_pipeline.api.gate import Gate, key_of
from customer_pipeline.api.metrics import Metrics
from customer_pipeline.api.problems import Problem, wrong

MEDIA_TYPE = b"text/event-stream"
KEEP_ALIVE_SECONDS = 15.0
_SEND_SECONDS = 30.0
_HEADERS = [(b"content-type", MEDIA_TYPE), (b"cache-control", b"private, no-store"), (b"x-accel-buffering", b"no")]
_KEEP_ALIVE = b": keep-alive\n\n"


class Streams:
    """Opens streams, at most `most` for one key."""

    def __init__(self, changes: Changes, *, gate: Gate, metrics: Metrics, most: int) -> None:
        self._changes = changes
        self._gate = gate
        self._metrics = metrics
        self._most = most
        self._open: Counter[str] = Counter()

    async def open(self, scope: Scope) -> Response:
        """Return the stream for a request that was let in.

        Raises:
            Problem: 400 or 429.
            CacheError: if the cache cannot be asked.
        """
        key = key_of(scope)
        if key is None or self._open[key.id] >= self._most:
            raise Problem(
                429, f"The key has {self._most} streams open, the most it may.", headers=[(b"retry-after", b"15")]
            )
        after = _last_event_id(scope)
        self._count(key, 1)
        try:
            is_whole = after is None or await self._changes.is_whole(after)
            listener = await self._changes.listen()
        except BaseException:
            self._count(key, -1)
            raise
        return _Stream(self._events(key, listener, after if is_whole else None, is_reset=not is_whole))

    async def _events(
        self, key: Key, listener: Listener, after: Position | None, *, is_reset: bool
    ) -> AsyncIterator[bytes]:
        try:
            if is_reset:
                yield reset(listener.position)
            elif after is None:
                yield greeting(listener.position)
            else:
                yield _KEEP_ALIVE
                try:
                    async for missed in self._changes.between(after, listener.position):
                        yield missed
                except Lost:
                    yield reset(listener.position)
            while self._gate.still_admits(key):
                try:
                    async with asyncio.timeout(KEEP_ALIVE_SECONDS):
                        chunk = await listener.next()
                except TimeoutError:
                    chunk = _KEEP_ALIVE
                yield chunk
        except Closed:
            return
        finally:
            self._changes.leave(listener)
            self._count(key, -1)

    def _count(self, key: Key, change: int) -> None:
        self._open[key.id] += change
        self._metrics.streams.inc(change)


class _Stream(Response):
    """Sends chunks until they end, the client goes, or it takes none for half a minute."""

    def __init__(self, chunks: AsyncIterator[bytes]) -> None:
        self.status_code = 200
        self.background = None
        self.body = b""
        self.raw_headers = list(_HEADERS)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve until the end."""
        del scope
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        sending = asyncio.create_task(self._send(send))
        watching = asyncio.create_task(_until_disconnected(receive))
        try:
            await asyncio.wait({sending, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)
        if not sending.cancelled() and (error := sending.exception()):
            raise error

    async def _send(self, send: Send) -> None:
        async with contextlib.aclosing(self._chunks) as chunks:  # type: ignore[type-var]
            async for chunk in chunks:
                async with asyncio.timeout(_SEND_SECONDS):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _last_event_id(scope: Scope) -> Position | None:
    given = header(scope, b"last-event-id")
    try:
        return Position.parse(given.decode("latin-1")) if given else None
    except ValueError:
        raise wrong("Last-Event-ID", "expected the id of an event of this stream") from None


async def _until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
