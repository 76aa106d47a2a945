import asyncio
import re

import pytest

from customer_pipeline.api.access_log import AccessLog


class FullDisk:
    def write(self, _: str) -> None:
        raise OSError("No space left on device")


def note(log: AccessLog, *routes: str) -> None:
    for route in routes:
        log.note(route, 200, seconds=0.00123, key_id="abcd2345", request_id="r-1")


def test_a_line_says_when_what_how_fast_and_for_whom(capsys: pytest.CaptureFixture[str]) -> None:
    async def serve() -> None:
        note(AccessLog(), "/v1/customers/{customer_id}")
        await asyncio.sleep(0)

    asyncio.run(serve())

    assert re.fullmatch(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} INFO customer_pipeline\.api\.access: "
        r"/v1/customers/\{customer_id\} 200 1\.2 ms key=abcd2345 request=r-1\n",
        capsys.readouterr().err,
    )


def test_lines_come_in_their_order_each_once(capsys: pytest.CaptureFixture[str]) -> None:
    async def serve() -> None:
        log = AccessLog()
        note(log, "/a", "/b")
        await asyncio.sleep(0)
        note(log, "/c")
        await asyncio.sleep(0)

    asyncio.run(serve())

    assert re.findall(r": (/\w) ", capsys.readouterr().err) == ["/a", "/b", "/c"]


def test_a_full_disk_keeps_nobody_from_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    failures: list[object] = []

    async def serve() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(context))
        log = AccessLog()
        monkeypatch.setattr("sys.stderr", FullDisk())
        note(log, "/a")
        await asyncio.sleep(0)
        monkeypatch.undo()
        note(log, "/b")
        await asyncio.sleep(0)

    asyncio.run(serve())

    assert failures == []
