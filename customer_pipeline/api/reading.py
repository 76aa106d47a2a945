"""What the API asks the cache."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.asyncio import RedisCluster
from redis.exceptions import NoScriptError

from customer_pipeline.api.connection import Client, Connection
from customer_pipeline.api.cursors import LARGEST_SCORE
from customer_pipeline.api.gathering import Gatherer
from customer_pipeline.cache.errors import CacheRejected
from customer_pipeline.cache.exchange import Script, script
from customer_pipeline.cache.freshness import Freshness
from customer_pipeline.cache.keys import CacheKeys

_INSTANT = rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_HEAD = re.compile(rb'\{"version":"(' + _INSTANT + rb"/" + _INSTANT + rb')",')


class Document(NamedTuple):
    """A customer's document.

    Attributes:
        body: the bytes, as they are in the cache.
        version: `<updated_at>/<fetched_at>`.
    """

    body: bytes
    version: str

    @property
    def updated_at(self) -> str:
        """When the customer last changed, in the contract's form."""
        return self.version[:27]


class Found(NamedTuple):
    """What the cache holds of one customer.

    Attributes:
        document: None where there is none.
        is_deleted: whether there is none because the customer was deleted.
    """

    document: Document | None
    is_deleted: bool


class Cache:
    """The cache, as the API reads it. Every method raises `CacheError` if the cache does not answer in time."""

    def __init__(self, connection: Connection, keys: CacheKeys) -> None:
        self._connection = connection
        self._keys = keys
        self._gatherer = Gatherer(self.customers)

    async def customer(self, customer_id: str) -> Found:
        """Return what is known of one customer."""
        return await self._gatherer.read(customer_id)

    async def customers(self, ids: Sequence[str]) -> list[Found]:
        """Return what is known of each customer, in one round trip (in a cluster, one for each node)."""
        if not ids:
            return []
        pairs = [(self._keys.document(each), self._keys.tombstone(each)) for each in ids]
        values = await self._connection.run(lambda client: _values(client, pairs))
        return [
            Found(document, document is None and values[2 * number + 1] is not None)
            for number, document in enumerate(map(parsed, values[::2]))
        ]

    async def freshness(self) -> Freshness | None:
        """Return what readers may know of the coverage; None when nothing was published yet."""
        text: bytes | None = await self._connection.run(
            lambda client: client.execute_command("GET", self._keys.freshness)
        )
        try:
            return Freshness.parse(text) if text else None
        except ValueError:
            raise CacheRejected(
                f"{self._keys.freshness} holds something that the pipeline did not write",
                advice="Look who writes there.",
            ) from None

    async def ids_after(
        self, position: tuple[int, bytes] | None, *, from_ms: int | None, limit: int
    ) -> list[tuple[bytes, int]]:
        """Return the next ids of the index and their scores, in the order of score and id.

        Args:
            position: of the last one that is known, as it was found; None for the first page.
            from_ms: the least score.
            limit: how many are returned at most.
        """
        score, member = position or ("", b"")
        arguments = [score, member, -LARGEST_SCORE if from_ms is None else from_ms, limit]
        reply = await self._run(script("pages.lua"), self._keys.by_updated_at, arguments)
        entries = [(reply[at], float(reply[at + 1])) for at in range(0, len(reply), 2)]
        return [(entry, int(score)) for entry, score in entries if score <= LARGEST_SCORE]

    async def members(self, key: str, prefix: bytes, *, limit: int) -> list[bytes]:
        """Return what follows `prefix` in the members of a sorted set whose scores are all the same."""
        low, high = b"[" + prefix, b"(" + prefix[:-1] + bytes([prefix[-1] + 1])
        found = await self._connection.run(
            lambda client: client.execute_command("ZRANGEBYLEX", key, low, high, "LIMIT", 0, limit)
        )
        return [member[len(prefix) :] for member in found]

    async def ping(self) -> None:
        """Return if the cache answers."""
        await self._connection.run(lambda client: client.exists(self._keys.freshness))

    async def _run(self, asked: Script, key: str, arguments: list[Any]) -> list[bytes]:
        async def ask(client: Client) -> list[bytes]:
            try:
                found = await client.execute_command("EVALSHA", asked.sha, 1, key, *arguments)
            except NoScriptError:
                found = await client.execute_command("EVAL", asked.source, 1, key, *arguments)
            return list(found)

        return await self._connection.run(ask)


def parsed(value: bytes | None) -> Document | None:
    """Return a document of the pipeline; None for nothing, and for what something else wrote."""
    head = _HEAD.match(value) if value else None
    return Document(value, head[1].decode()) if value and head else None


async def _values(client: Client, pairs: list[tuple[str, str]]) -> list[bytes | None]:
    if not isinstance(client, RedisCluster):
        return list(await client.execute_command("MGET", *(key for pair in pairs for key in pair)))
    pipeline = client.pipeline()
    for pair in pairs:
        pipeline.execute_command("MGET", *pair)
    return [value for values in await pipeline.execute() for value in values]
