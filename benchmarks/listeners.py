"""`python -m benchmarks.listeners PORT KEY COUNT`: listen to the changes many times over, until standard input ends.

Prints a line once everybody listens, and another at the end: how many changes each has heard, the least and the most.
"""

import asyncio
import sys

_REQUEST = "GET /v1/changes HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n\r\n"
_AT_ONCE = 20
_OPENING_SECONDS = 10
_UNDER_WAY_SECONDS = 2


class _Listener:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer  # whose end would be the connection's
        self.heard = 0

    @classmethod
    async def opened(cls, port: int, key: str) -> "_Listener":
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_REQUEST.format(key=key).encode())
        async with asyncio.timeout(_OPENING_SECONDS):
            await reader.readuntil(b"event: ready")
        return cls(reader, writer)

    async def listen(self) -> None:
        async for line in self._reader:
            self.heard += line.startswith(b"event: changed")


async def _main(port: int, key: str, count: int) -> None:
    listeners: list[_Listener] = []
    while len(listeners) < count:
        some = min(_AT_ONCE, count - len(listeners))
        listeners += await asyncio.gather(*(_Listener.opened(port, key) for _ in range(some)))
    tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
    print("listening", flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    await asyncio.sleep(_UNDER_WAY_SECONDS)
    if ended := sum(task.done() for task in tasks):
        sys.exit(f"{ended} of {count} listeners were left alone")
    heard = [listener.heard for listener in listeners]
    print(min(heard), max(heard), flush=True)
    for task in tasks:
        task.cancel()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
