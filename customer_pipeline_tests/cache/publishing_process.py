"""What a second process runs: it publishes its part of the states when all are ready."""

from collections.abc import Iterator
from multiprocessing.synchronize import Barrier

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline_tests.cache.states import deletion, live

CUSTOMERS = 200
PROCESSES = 2


def part(number: int) -> Iterator[State]:
    """The states that process `number` publishes: each process has other fetches of the same customers."""
    for updated in range(3):
        for fetched in range(number, 8, PROCESSES):
            for customer in range(CUSTOMERS):
                name = f"c{customer}"
                if (customer + updated + fetched) % 3 == 0:
                    yield deletion(name, updated, fetched)
                else:
                    yield live(name, updated, fetched, fetched // 3)


def publish_part(url: str, number: int, ready: Barrier) -> None:
    with connect(url) as client:
        publisher = Publisher(client, batch_size=50)
        ready.wait(timeout=60)
        publisher.publish(part(number))
