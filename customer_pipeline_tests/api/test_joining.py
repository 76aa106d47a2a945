import asyncio

from customer_pipeline.api.joining import JoinedWrites


class Recorder(asyncio.Transport):
    """Keeps what is written at once, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.is_closed = False

    def writelines(self, list_of_data: object) -> None:
        assert not self.is_closed
        assert isinstance(list_of_data, list)
        self.written.append(b"".join(list_of_data))

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


def test_what_one_turn_writes_leaves_together_and_in_order() -> None:
    async def write() -> list[bytes]:
        inner = Recorder()
        joined = JoinedWrites(inner, asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        await asyncio.sleep(0)
        joined.write(b"next")
        await asyncio.sleep(0)
        return inner.written

    assert asyncio.run(write()) == [b"head body", b"next"]


def test_closing_writes_first_what_waits() -> None:
    async def write() -> Recorder:
        inner = Recorder()
        joined = JoinedWrites(inner, asyncio.get_running_loop())
        joined.write(b"last words")
        joined.close()
        await asyncio.sleep(0)
        return inner

    inner = asyncio.run(write())
    assert inner.written == [b"last words"]
    assert inner.is_closed


def test_nothing_is_written_to_a_connection_that_broke_meanwhile() -> None:
    async def write() -> Recorder:
        inner = Recorder()
        joined = JoinedWrites(inner, asyncio.get_running_loop())
        joined.write(b"too late")
        inner.close()
        await asyncio.sleep(0)
        assert joined.is_closing()
        return inner

    assert asyncio.run(write()).written == []
