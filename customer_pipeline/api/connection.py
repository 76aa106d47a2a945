"""Connections to the cache that wait for nothing long: standalone or cluster, found out at the first contact."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from redis.asyncio import BlockingConnectionPool, Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError

from customer_pipeline.cache.errors import CLIENT_ERRORS, CacheRejected, CacheUnavailable, explain

T = TypeVar("T")

Client = Redis | RedisCluster

RIGHTS = "~PREFIX:* ~PREFIXs:* +@read +@connection +evalsha +eval +info, in a cluster +cluster|slots too"
CONNECT_SECONDS = 0.3
ANSWER_SECONDS = 0.5
WHOLE_SECONDS = 0.8
BLOCK_SECONDS = 5.0
_CONNECTIONS = 16


class Connection:
    """The client of one cache.

    Args:
        url: of the cache, as in `REDIS_URL`.
        blocks: whether it is for commands that wait up to `BLOCK_SECONDS` for something to happen.
    """

    def __init__(self, url: str, *, blocks: bool = False) -> None:
        scheme, _, rest = url.partition("://")
        self._url = f"{scheme.removesuffix('+cluster')}://{rest}"
        self._is_cluster = scheme.endswith("+cluster")
        patience = BLOCK_SECONDS if blocks else 0
        self._whole = WHOLE_SECONDS + patience
        self._options: dict[str, Any] = {
            "socket_connect_timeout": CONNECT_SECONDS,
            "socket_timeout": ANSWER_SECONDS + patience,
            "protocol": 2,
            "retry": Retry(NoBackoff(), 0),
        }
        self._client: Client | None = None
        self._lock = asyncio.Lock()
        self._turns = asyncio.Semaphore(_CONNECTIONS)  # first come, first served: the pool's own queue is not

    async def run(self, ask: Callable[[Client], Awaitable[T]]) -> T:
        """Let `ask` use the client.

        Raises:
            CacheError: if the cache does not answer in time, or refuses.
        """
        try:
            async with asyncio.timeout(self._whole), self._turns:
                return await ask(self._client or await self._connected())
        except TimeoutError:
            raise CacheUnavailable("the cache did not answer in time", advice="Look at its load.") from None
        except CLIENT_ERRORS as error:
            raise explain(error, rights=RIGHTS) from None
        except OSError as error:
            raise CacheUnavailable("the cache cannot be reached", advice="See whether it runs.") from error

    async def close(self) -> None:
        """Close every connection."""
        if self._client is not None:
            await self._client.aclose()

    async def _connected(self) -> Client:
        async with self._lock:
            if self._client is None:
                self._client = await self._connect()
            return self._client

    async def _connect(self) -> Client:
        try:
            pool = BlockingConnectionPool.from_url(
                self._url, max_connections=_CONNECTIONS, timeout=CONNECT_SECONDS, **self._options
            )
            client = Redis.from_pool(pool)
            if not await _is_cluster(client, unless_told=self._is_cluster):
                return client
            await client.aclose()
            return RedisCluster.from_url(self._url, max_connections=_CONNECTIONS, **self._options)
        except TypeError:
            raise CacheRejected(
                "an option in REDIS_URL is unknown", advice="Write only options of redis-py in its query."
            ) from None


async def _is_cluster(client: Redis, *, unless_told: bool) -> bool:
    """Ask the server; a user who may not ask is believed to have written the right scheme."""
    try:
        return bool((await client.info("cluster")).get("cluster_enabled"))
    except NoPermissionError:
        return unless_told
