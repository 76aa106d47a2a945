"""Puts the reads of requests that arrive together into one round trip."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from customer_pipeline.cache.errors import CacheUnavailable

T = TypeVar("T")

_AT_ONCE = 200
_ROUND_TRIPS = 4
_MOST_WAITING = 5000


class Gatherer(Generic[T]):
    """Reads single things through a function that reads many.

    What arrives while the round trips under way are as many as may be waits for the next one.
    """

    def __init__(self, read_many: Callable[[list[str]], Awaitable[list[T]]]) -> None:
        self._read_many = read_many
        self._waiting: list[tuple[str, asyncio.Future[T]]] = []
        self._running = 0
        self._tasks: set[asyncio.Task[None]] = set()  # so that they are not collected

    async def read(self, name: str) -> T:
        """Return what is read for one name.

        Raises:
            CacheError: if the cache cannot be asked, or too many wait already.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise CacheUnavailable("too many requests wait for the cache", advice="Start another process.")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, future))
        if self._running < _ROUND_TRIPS:
            self._running += 1
            task = asyncio.create_task(self._run())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await future

    async def _run(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
            try:
                found = await self._read_many([name for name, _ in batch])
            except Exception as error:  # noqa: BLE001 -- raised again for each of those who wait
                # Who came meanwhile has waited as long, and would wait for another failure.
                batch, self._waiting = batch + self._waiting, []
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
            else:
                for (_, future), one in zip(batch, found, strict=True):
                    if not future.done():
                        future.set_result(one)
        self._running -= 1  # before anybody else can find that nobody waits, and that enough are under way
