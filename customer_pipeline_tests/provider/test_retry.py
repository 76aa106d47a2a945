"""The one decision about retries."""

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
    RequestFacts,
)
from customer_pipeline.provider.limits import Retry
from customer_pipeline.provider.retry import RetryBudget, failure_of
from customer_pipeline_tests.provider.wire import Sleeps

FACTS = RequestFacts(
    method="GET", url="http://a.test:80/x", status=503, attempts=2, elapsed=timedelta(seconds=1.25), request_id="r1"
)
POLICY = Retry.model_validate({"attempts": 100, "base": "1s", "cap": "8s", "budget": "60s"})


def unavailable(wait: timedelta | None = None) -> ProviderError:
    return ProviderUnavailable("the provider is unavailable", FACTS, wait=wait)


@given(status=st.integers(100, 999))
def test_every_status_is_a_success_or_one_error(status: int) -> None:
    failure = failure_of(status)
    assert (failure is None) == (200 <= status < 300)


@given(
    waits=st.lists(st.none() | st.floats(0, 40).map(lambda seconds: timedelta(seconds=seconds)), max_size=30),
    seed=st.integers(0, 1000),
)
def test_waits_stay_within_backoff_and_budget_and_heed_the_provider(waits: list[timedelta | None], seed: int) -> None:
    random.seed(seed)
    sleeps = Sleeps()
    budget = RetryBudget(POLICY, sleep=sleeps)
    for attempt, wait in enumerate(waits, start=1):
        slept = len(sleeps.seconds)
        if not budget.wait_before_retry(unavailable(wait), attempt):
            assert len(sleeps.seconds) == slept
            continue
        asked = wait.total_seconds() if wait else 0.0
        assert asked <= sleeps.seconds[-1] <= max(asked, min(8, 2 ** (attempt - 1)))
    assert sum(sleeps.seconds) <= 60.001
    assert budget.spent.total_seconds() == pytest.approx(sum(sleeps.seconds), abs=0.001)


@pytest.mark.parametrize(
    ("kind", "again"),
    [(ProviderUnavailable, True), (ProviderThrottled, True), (ProviderMisbehaved, True), (ProviderRejected, False)],
)
def test_only_transient_errors_are_tried_again(kind: type[ProviderError], again: bool) -> None:  # noqa: FBT001
    assert RetryBudget(POLICY, sleep=Sleeps()).wait_before_retry(kind("reason", FACTS), 1) is again


def test_tries_are_counted_from_the_first() -> None:
    budget = RetryBudget(Retry(attempts=3), sleep=Sleeps())
    assert [budget.wait_before_retry(unavailable(), attempt) for attempt in (1, 2, 3)] == [True, True, False]


def test_very_many_tries_do_not_overflow() -> None:
    sleeps = Sleeps()
    policy = Retry.model_validate({"attempts": 100, "base": "30d", "cap": "1s", "budget": "1h"})
    assert RetryBudget(policy, sleep=sleeps).wait_before_retry(unavailable(), 99)
    assert sleeps.seconds[0] <= 1


def test_an_error_says_what_happened_where_and_what_to_do() -> None:
    error = ProviderThrottled("the provider throttles", FACTS, wait=timedelta(seconds=90))
    assert str(error) == (
        "the provider throttles; it asks to wait 90 s (GET http://a.test:80/x: status 503, 2 attempt(s) in 1.2 s, "
        f"request id r1). {ProviderThrottled.advice}"
    )
