"""Many large commands to one server as one text, put together before the connection is needed.

A pipeline of redis-py puts them together when it sends them, copying the text at each argument, and in small pieces.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import redis
from redis.exceptions import ResponseError


def packed(commands: Iterable[Sequence[str | bytes | int]]) -> bytes:
    """Return commands in the protocol of the server, RESP."""
    parts: list[bytes] = []
    for command in commands:
        parts.append(b"*%d\r\n" % len(command))
        for argument in command:
            text = argument if isinstance(argument, bytes) else str(argument).encode()
            parts.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(parts)


def send(client: redis.Redis, commands: bytes, *, count: int) -> list[Any]:
    """Send `count` packed commands in one round trip; return their replies, errors among them.

    Raises:
        RedisError: if the server cannot be reached, or the replies did not come; as a pipeline does, after the
            connection's own retries.
    """
    connection = client.connection_pool.get_connection()

    def round_trip() -> list[Any]:
        connection.send_packed_command([commands])
        return [_reply(connection) for _ in range(count)]

    try:
        return connection.retry.call_with_retry(round_trip, lambda _: connection.disconnect())
    finally:
        client.connection_pool.release(connection)


def _reply(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error
