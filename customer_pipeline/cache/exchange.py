"""One round trip of many commands, standalone or cluster, with every reply looked at."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib import resources
from typing import Any

import redis
from redis.exceptions import AskError, NoScriptError, TryAgainError

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain
from customer_pipeline.cache.wire import packed, send

Command = Sequence[str | bytes | int]


@dataclass(frozen=True)
class Script:
    """A Lua script; it is sent by its hash, and in full where the server does not know it."""

    source: str

    @cached_property
    def sha(self) -> str:
        """The name by which the server knows the script."""
        return hashlib.sha1(self.source.encode(), usedforsecurity=False).hexdigest()

    def run(self, connection: Connection, calls: Sequence[Command]) -> list[Any]:
        """Run the script once for each of `calls`: the number of keys, the keys, the arguments.

        Raises:
            CacheError: if any reply is an error, or none came.
        """
        return self._completed(connection, calls, _replies(connection, self._by_hash(calls)))

    def pack(self, calls: Sequence[Command]) -> bytes:
        """Return the calls as `run_packed` sends them."""
        return packed(self._by_hash(calls))

    def run_packed(self, client: redis.Redis, wire: bytes, calls: Sequence[Command]) -> list[Any]:
        """Run the script on one server as `run` does, with its calls packed.

        Raises:
            CacheError: if any reply is an error, or none came.
        """
        try:
            replies = send(client, wire, count=len(calls))
        except CLIENT_ERRORS as error:
            raise explain(error) from None
        return self._completed(client, calls, replies)

    def _by_hash(self, calls: Sequence[Command]) -> list[Command]:
        return [("EVALSHA", self.sha, *call) for call in calls]

    def _completed(self, connection: Connection, calls: Sequence[Command], replies: list[Any]) -> list[Any]:
        unknown = [position for position, reply in enumerate(replies) if isinstance(reply, NoScriptError)]
        again = _replies(connection, [("EVAL", self.source, *calls[position]) for position in unknown])
        for position, reply in zip(unknown, again, strict=True):
            replies[position] = reply
        return _checked(replies)


@cache
def script(*names: str, body: str = "") -> Script:
    """Return the script that files of this package and then `body` are together."""
    folder = resources.files("customer_pipeline.cache")
    return Script("".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names) + body)


def exchange(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    """Send `commands`, in order for each key, and return their replies.

    Raises:
        CacheError: if any reply is an error, or none came.
    """
    return _checked(_replies(connection, commands))


def _checked(replies: list[Any]) -> list[Any]:
    for reply in replies:
        if isinstance(reply, CLIENT_ERRORS):
            raise explain(reply)
    return replies


def _replies(connection: Connection, commands: Sequence[Command]) -> list[Any]:
    if not commands:
        return []
    try:
        if isinstance(connection, redis.RedisCluster):
            return _replies_of_cluster(connection, commands)
        return _pipelined(connection, commands)
    except CLIENT_ERRORS as error:
        raise explain(error) from None


def _pipelined(client: redis.Redis, commands: Sequence[Command]) -> list[Any]:
    pipeline = client.pipeline(transaction=False)
    for command in commands:
        pipeline.execute_command(*command)
    return pipeline.execute(raise_on_error=False)


def _replies_of_cluster(cluster: redis.RedisCluster, commands: Sequence[Command]) -> list[Any]:
    """Send one pipeline to each node, then the redirected commands one by one.

    redis-py's own cluster pipeline sends every command of a lost connection again by itself, each with its own waits;
    here a lost node costs one more attempt as a whole.
    """
    try:
        replies = _by_node(cluster, commands)
    except (redis.ConnectionError, redis.TimeoutError):
        cluster.nodes_manager.initialize()
        replies = _by_node(cluster, commands)
    redirected = [position for position, reply in enumerate(replies) if isinstance(reply, (AskError, TryAgainError))]
    if redirected:
        cluster.nodes_manager.initialize()
    for position in redirected:
        try:
            replies[position] = cluster.execute_command(*commands[position])
        except CLIENT_ERRORS as error:
            replies[position] = error
    return replies


def _by_node(cluster: redis.RedisCluster, commands: Sequence[Command]) -> list[Any]:
    positions: dict[str, list[int]] = {}
    for position, command in enumerate(commands):
        node = cluster.get_node_from_key(_key(command))
        positions.setdefault(node.name, []).append(position)
    replies: list[Any] = [None] * len(commands)
    for name, of_node in positions.items():
        client = cluster.get_redis_connection(cluster.get_node(node_name=name))
        for position, reply in zip(of_node, _pipelined(client, [commands[p] for p in of_node]), strict=True):
            replies[position] = reply
    return replies


def _key(command: Command) -> str | bytes | int:
    return command[3] if command[0] in ("EVAL", "EVALSHA") else command[1]
