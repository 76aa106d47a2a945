"""Requests at the same time, over all processes: one of a few locks in Redis, held while a request is under way.

The locks are redis-py's own. The time after which one frees itself is kept by the server, so no clock of a client
matters. Semaphore libraries were left aside: those for Redis count permits without knowing their holders, and the
permit of a process that was killed is lost.
"""

import logging
import random
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta

from redis.exceptions import LockNotOwnedError
from redis.lock import Lock

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain

log = logging.getLogger(__name__)


class Slots:
    """A number of slots; each is one key, and held by one request.

    Args:
        keys: those that may be taken, the preferred one first.
        hold: after which time a slot frees itself. It must be longer than any request takes.
    """

    def __init__(self, connection: Connection, keys: Sequence[str], *, hold: timedelta) -> None:
        self._connection = connection
        self._keys = keys
        self._hold = hold
        self._mine = threading.local()

    def take(self) -> Lock | None:
        """Take a free slot, or None where there is none.

        Raises:
            redis.RedisError: if Redis does not answer.
        """
        for position in self._in_turn():
            lock = Lock(self._connection, self._keys[position], timeout=self._hold.total_seconds(), thread_local=False)
            if lock.acquire(blocking=False):
                self._mine.position = position
                return lock
        return None

    def give_back(self, lock: Lock) -> None:
        """Free a slot. An answer that is there is not lost because Redis is gone: the slot then frees itself."""
        try:
            lock.release()
        except LockNotOwnedError:
            log.warning("a request took longer than the %s that its slot was held", self._hold)
        except CLIENT_ERRORS as error:
            log.warning("a slot could not be given back, it frees itself in %s: %s", self._hold, explain(error).reason)

    def _in_turn(self) -> Iterator[int]:
        """Begin with the slot that this thread had last, so that threads seldom try for the same one."""
        first = getattr(self._mine, "position", None)
        if first is None:
            first = random.randrange(len(self._keys))
        return (position % len(self._keys) for position in range(first, first + len(self._keys)))
