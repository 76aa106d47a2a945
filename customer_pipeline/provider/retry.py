"""Whether and when a request is sent again: one decision, exponential backoff with full jitter, one budget a client."""

import random
import time
from collections.abc import Callable
from datetime import timedelta

from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from customer_pipeline.provider.limits import Retry

TOO_MANY_REQUESTS = 429
CREDENTIALS_REFUSED = {401, 403, 407}
_TRANSIENT_CLIENT_ERRORS = {408, 425}
_PERMANENT_SERVER_ERRORS = {501, 505, 511}


def failure_of(status: int) -> tuple[type[ProviderError], str] | None:
    """Return the error that an HTTP status means and its reason, or None for a success."""
    if status == TOO_MANY_REQUESTS:
        return ProviderThrottled, "the provider throttles"
    if status in CREDENTIALS_REFUSED:
        return ProviderRejected, "the provider refuses the credentials"
    if status in _TRANSIENT_CLIENT_ERRORS or (status >= 500 and status not in _PERMANENT_SERVER_ERRORS):  # noqa: PLR2004
        return ProviderUnavailable, "the provider is unavailable"
    if status >= 400:  # noqa: PLR2004
        return ProviderRejected, "the provider rejects the request"
    if status >= 300 or status < 200:  # noqa: PLR2004
        return ProviderMisbehaved, "the provider answers with an unexpected status"
    return None


class RetryBudget:
    """The waiting that one run may do in all, between tries of its requests.

    Attributes:
        spent: the waiting done so far.
    """

    def __init__(self, policy: Retry, *, sleep: Callable[[float], object] = time.sleep) -> None:
        self._policy = policy
        self._sleep = sleep
        self.spent = timedelta(0)

    def wait_before_retry(self, error: ProviderError, attempt: int) -> bool:
        """Wait as long as backoff and the provider ask for; say whether to try again.

        Args:
            error: what failed; permanent errors are not tried again.
            attempt: how many tries were made, from 1.

        Returns:
            False when the error is permanent, the tries are used up, or the wait would exceed the budget.
        """
        if not error.transient or attempt >= self._policy.attempts:
            return False
        ceiling = min(self._policy.cap.total_seconds(), self._policy.base.total_seconds() * 2.0 ** (attempt - 1))
        wait = max(timedelta(seconds=ceiling * random.random()), error.wait or timedelta(0))
        if self.spent + wait > self._policy.budget:
            return False
        self.spent += wait
        self._sleep(wait.total_seconds())
        return True
