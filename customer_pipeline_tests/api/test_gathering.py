import asyncio

import pytest

from customer_pipeline.api.gathering import Gatherer
from customer_pipeline.cache.errors import CacheUnavailable


def test_what_arrives_together_is_read_together_and_everybody_gets_their_own() -> None:
    calls: list[list[str]] = []

    async def read_many(names: list[str]) -> list[str]:
        calls.append(names)
        await asyncio.sleep(0)
        return [name.upper() for name in names]

    async def run() -> list[str]:
        gatherer = Gatherer(read_many)
        return await asyncio.gather(*(gatherer.read(f"n{number}") for number in range(500)))

    assert asyncio.run(run()) == [f"N{number}" for number in range(500)]
    assert [len(names) for names in calls] == [200, 200, 100]


@pytest.mark.parametrize("readers", [1, 3, 4, 5, 32])
def test_nobody_waits_for_ever_when_reads_follow_each_other_at_once(readers: int) -> None:
    async def read_many(names: list[str]) -> list[str]:
        return names

    async def run() -> None:
        gatherer = Gatherer(read_many)

        async def reader() -> None:
            for number in range(200):
                await gatherer.read(str(number))

        async with asyncio.timeout(20):
            await asyncio.gather(*(reader() for _ in range(readers)))

    asyncio.run(run())


def test_a_failure_reaches_everybody_who_waits_and_the_next_read_works() -> None:
    fails = True

    async def read_many(names: list[str]) -> list[str]:
        if fails:
            raise CacheUnavailable("down", advice="wait")
        return names

    async def run() -> None:
        nonlocal fails
        gatherer = Gatherer(read_many)
        answers = await asyncio.gather(*(gatherer.read("a") for _ in range(10)), return_exceptions=True)
        assert all(isinstance(answer, CacheUnavailable) for answer in answers)
        fails = False
        assert await gatherer.read("a") == "a"

    asyncio.run(run())


def test_who_waits_behind_a_failing_round_trip_does_not_wait_for_a_second_one() -> None:
    calls = 0

    async def read_many(names: list[str]) -> list[str]:
        nonlocal calls
        calls += 1
        await asyncio.sleep(0.05)
        raise CacheUnavailable(f"no answer for {len(names)}", advice="wait")

    async def run() -> None:
        gatherer = Gatherer(read_many)
        waiting = []
        for number in range(20):
            waiting.append(asyncio.create_task(gatherer.read(str(number))))
            await asyncio.sleep(0)
        answers = await asyncio.gather(*waiting, return_exceptions=True)
        assert all(isinstance(answer, CacheUnavailable) for answer in answers)

    asyncio.run(run())
    assert calls <= 4


def test_who_leaves_does_not_disturb_the_others() -> None:
    async def read_many(names: list[str]) -> list[str]:
        await asyncio.sleep(0.05)
        return names

    async def run() -> None:
        gatherer = Gatherer(read_many)
        leaving = asyncio.create_task(gatherer.read("gone"))
        staying = asyncio.create_task(gatherer.read("here"))
        await asyncio.sleep(0.01)
        leaving.cancel()
        assert await staying == "here"

    asyncio.run(run())
