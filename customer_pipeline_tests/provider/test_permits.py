"""What a request waits for: one permit for each that is sent, and none sent without one."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError, ProviderThrottled, RequestBudgetExhausted
from customer_pipeline.provider.permits import PermitRefused
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import Reply, Server, page, profile

WINDOW = Window(datetime(2025, 11, 23, 7, 50, tzinfo=UTC), datetime(2025, 11, 23, 8, 0, tzinfo=UTC))
GOOD = page({"id": 1, "updated_at": "2025-11-23T07:51:00Z"})
FAST = {"attempts": 4, "base": "1s", "cap": "3s", "budget": "100s"}


class CountedPermits:
    """Gives `most` permits; `held` says whether one is out."""

    def __init__(self, most: int = 100, *, waited: timedelta = timedelta(0)) -> None:
        self.most = most
        self.waited = waited
        self.given = 0
        self.held = False

    @contextmanager
    def permit(self) -> Iterator[timedelta]:
        if self.given == self.most:
            raise PermitRefused("the pipeline's own request budget is used up")
        self.given += 1
        self.held = True
        try:
            yield self.waited
        finally:
            self.held = False


def test_each_try_and_each_redirect_takes_a_permit() -> None:
    permits = CountedPermits(waited=timedelta(seconds=1.5))
    replies = [Reply(503), Reply(302, headers={"Location": "/elsewhere"}), Reply(503), GOOD]
    with (
        Server(replies) as server,
        ProviderClient(profile(server.url, retry=FAST), {}, sleep=lambda _: None, permits=permits) as client,
    ):
        walk = client.walk(WINDOW)
        assert len(list(walk)) == 1
    assert permits.given == len(server.requests) == walk.stats.requests == 4
    assert walk.stats.waited == timedelta(seconds=6)


def test_a_permit_is_held_until_the_answer_is_there_and_not_while_the_provider_asks_to_wait() -> None:
    permits = CountedPermits()
    held: list[bool] = []
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        held.append(permits.held)

    def pieces() -> Iterator[bytes]:
        held.append(permits.held)
        yield b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
        held.append(permits.held)
        yield GOOD.body

    replies = [Reply(429, headers={"Retry-After": "7"}), Reply(pieces=pieces())]
    with (
        Server(replies) as server,
        ProviderClient(profile(server.url, retry=FAST), {}, sleep=sleep, permits=permits) as client,
    ):
        assert len(list(client.walk(WINDOW))) == 1
    assert waits == [pytest.approx(7, abs=0.01)]
    assert held == [False, True, True]


@pytest.mark.parametrize("reply", [Reply(503), Reply(200, body=b"<html>")])
def test_a_permit_is_given_back_when_the_request_fails(reply: Reply) -> None:
    permits = CountedPermits()
    with Server(reply) as server, ProviderClient(profile(server.url), {}, permits=permits) as client:
        with pytest.raises(ProviderError):
            list(client.walk(WINDOW))
        assert not permits.held
        assert permits.given == 1


def test_a_refused_permit_is_a_transient_error_that_is_not_retried_and_sends_nothing() -> None:
    with (
        Server(Reply(503)) as server,
        ProviderClient(
            profile(server.url, retry=FAST), {}, sleep=lambda _: None, permits=CountedPermits(most=2)
        ) as client,
        pytest.raises(RequestBudgetExhausted) as raised,
    ):
        list(client.walk(WINDOW))
    error = raised.value
    assert isinstance(error, ProviderThrottled)
    assert error.transient
    assert error.reason == "the pipeline's own request budget is used up"
    assert (error.request.attempts, error.request.status, error.wait) == (2, None, None)
    assert "raise retry.budget, or limits" in error.advice
    assert len(server.requests) == 2


def test_an_error_of_the_permits_passes_as_it_is_and_sends_nothing() -> None:
    class Unreachable:
        @contextmanager
        def permit(self) -> Iterator[timedelta]:
            raise LookupError
            yield

    with (
        Server(GOOD) as server,
        ProviderClient(profile(server.url, retry=FAST), {}, permits=Unreachable()) as client,
        pytest.raises(LookupError),
    ):
        list(client.walk(WINDOW))
    assert not server.requests


def test_a_record_was_fetched_when_its_request_was_sent_not_when_the_wait_began() -> None:
    begun = datetime(2025, 11, 23, 9, 0, tzinfo=UTC)
    with time_machine.travel(begun, tick=False) as clock:

        class Late:
            @contextmanager
            def permit(self) -> Iterator[timedelta]:
                clock.shift(timedelta(minutes=1))
                yield timedelta(minutes=1)

        with Server(GOOD) as server, ProviderClient(profile(server.url), {}, permits=Late()) as client:
            (received,) = client.walk(WINDOW)
    assert received.fetched_at == begun + timedelta(minutes=1)


def test_without_permits_nothing_is_waited_for() -> None:
    with Server(GOOD) as server, ProviderClient(profile(server.url), {}) as client:
        walk = client.walk(WINDOW)
        list(walk)
    assert walk.stats.waited == timedelta(0)
