"""A range of windows, from a real HTTP server to a real landing store, one window at a time and several."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderRejected
from customer_pipeline.ranges import ingestions
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.provider.wire import Reply, Request, Server, page, profile
from customer_pipeline_tests.servers import wait_until

START = datetime(2025, 11, 23, 8, 0, tzinfo=UTC)
WINDOWS = list(split(START, START + 8 * WINDOW_LENGTH))


def window_of(request: Request) -> Window:
    """Return which window is asked for: with its lookback, and a moment earlier as some servers leave out the bound."""
    start = floor(datetime.fromisoformat(request.query["since"]) + timedelta(minutes=6))
    return Window(start, start + WINDOW_LENGTH)


class Provider:
    """Gives each window one record; `before` is called first, and may wait or give another answer."""

    def __init__(self, before: Callable[[Window], Reply | None] = lambda _: None) -> None:
        self.before = before
        self.asked: list[Window] = []
        self.under_way = 0
        self.most = 0
        self.lock = threading.Lock()

    def __call__(self, request: Request) -> Reply:
        window = window_of(request)
        with self.lock:
            self.asked.append(window)
            self.under_way += 1
            self.most = max(self.most, self.under_way)
        reply = self.before(window)
        with self.lock:
            self.under_way -= 1
        return reply or page({"id": window.key, "updated_at": window.start.isoformat()})


@pytest.fixture
def landing(tmp_path: Path) -> LandingStore:
    return LandingStore(tmp_path.as_uri())


@contextmanager
def clients(url: str, count: int, **changes: object) -> Iterator[list[ProviderClient]]:
    opened = [ProviderClient(profile(url, **changes), {}) for _ in range(count)]
    yield opened
    for client in opened:
        client.close()


def landed(landing: LandingStore) -> dict[str, list[str]]:
    found = {window.key: landing.describe(RAW_CUSTOMERS, window) for window in WINDOWS}
    return {
        window.key: [row for batch in landing.read(RAW_CUSTOMERS, window) for row in batch["id"].to_pylist()]
        for window in WINDOWS
        if found[window.key]
    }


@pytest.mark.parametrize("count", [1, 4])
def test_each_window_lands_its_own_records_and_is_reported_once(landing: LandingStore, count: int) -> None:
    everybody_is_there = threading.Barrier(count)

    def meet(_: Window) -> None:
        everybody_is_there.wait(timeout=30)

    provider = Provider(meet)
    with (
        Server(provider) as server,
        clients(server.url, count) as opened,
        ingestions(WINDOWS, clients=opened, landing=landing) as under_way,
    ):
        reports = {window: report() for window, report in under_way}
    assert landed(landing) == {window.key: [window.key] for window in WINDOWS}
    assert provider.most == count
    assert {window: (report.window, report.walk.rows, report.walk.requests) for window, report in reports.items()} == {
        window: (window, 1, 1) for window in WINDOWS
    }


def test_one_window_after_the_other_comes_in_the_order_of_time(landing: LandingStore) -> None:
    provider = Provider()
    with (
        Server(provider) as server,
        clients(server.url, 1) as opened,
        ingestions(WINDOWS, clients=opened, landing=landing) as under_way,
    ):
        for window, report in under_way:
            assert provider.asked == WINDOWS[: WINDOWS.index(window)]
            report()
    assert provider.asked == WINDOWS


def test_the_first_failure_is_raised_with_its_window_and_stops_those_that_have_not_begun(landing: LandingStore) -> None:
    failed = threading.Event()

    def fail_second(window: Window) -> Reply | None:
        if window == WINDOWS[1]:
            return Reply(400)
        # Whoever else is under way answers only after the failure was seen.
        assert failed.wait(timeout=30)
        return None

    provider = Provider(fail_second)
    with Server(provider) as server, clients(server.url, 3) as opened:
        seen = []

        def ingest_all() -> None:
            with ingestions(WINDOWS, clients=opened, landing=landing) as under_way:
                for window, report in under_way:
                    seen.append(window)
                    wait_until(lambda: len(provider.asked) == 4, what="the request of the idle client")
                    failed.set()
                    report()

        with pytest.raises(ProviderRejected):
            ingest_all()
        assert seen == [WINDOWS[1]]
        assert provider.under_way == 0
    begun = set(provider.asked)
    assert begun < set(WINDOWS)
    assert set(landed(landing)) == {window.key for window in begun - {WINDOWS[1]}}


def test_what_is_under_way_tries_nothing_again_once_the_block_is_left(landing: LandingStore) -> None:
    """Somebody terminates the run while the provider asks each of its clients to wait a minute."""
    provider = Provider(lambda _: Reply(503, headers={"Retry-After": "60"}))
    patient = {"attempts": 5, "budget": "10m"}

    def ingest_all(opened: list[ProviderClient]) -> None:
        with ingestions(WINDOWS, clients=opened, landing=landing):
            wait_until(lambda: len(provider.asked) == 3, what="a request of each client")
            raise KeyboardInterrupt

    started = time.monotonic()
    with Server(provider) as server, clients(server.url, 3, retry=patient) as opened, pytest.raises(KeyboardInterrupt):
        ingest_all(opened)
    assert len(provider.asked) == 3
    assert time.monotonic() - started < 55  # less than the wait that was cut short
