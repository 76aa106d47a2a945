"""The windows of a range, ingested one after the other or several at the same time."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from functools import partial
from queue import SimpleQueue
from typing import TypeAlias

from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.steps.ingestion import Ingested, ingest
from customer_pipeline.windows import Window

Ingestion: TypeAlias = tuple[Window, Callable[[], Ingested]]


@contextmanager
def ingestions(
    windows: Sequence[Window], *, clients: Sequence[ProviderClient], landing: LandingStore
) -> Iterator[Iterator[Ingestion]]:
    """Ingest as many windows at the same time as there are clients.

    The value yields each window as it is done, with a function that returns its report or raises what went wrong. With
    one client that function does the work. Leaving the block stops windows that have not begun and lets those under way
    end with their present request; each window lands by itself, whatever becomes of the others.
    """
    if len(clients) == 1:
        yield ((window, partial(ingest, window, client=clients[0], landing=landing)) for window in windows)
        return
    idle: SimpleQueue[ProviderClient] = SimpleQueue()
    for client in clients:
        idle.put(client)

    def with_idle_client(window: Window) -> Ingested:
        client = idle.get()
        try:
            return ingest(window, client=client, landing=landing)
        finally:
            idle.put(client)

    pool = ThreadPoolExecutor(len(clients), thread_name_prefix="ingest")
    try:
        under_way = {pool.submit(with_idle_client, window): window for window in windows}
        yield ((under_way[future], future.result) for future in as_completed(under_way))
    finally:
        for client in clients:
            client.end_soon()
        pool.shutdown(cancel_futures=True)
