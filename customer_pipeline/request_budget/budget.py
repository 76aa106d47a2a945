"""The request budget: what all runs and processes together may ask of the provider, as its profile says.

It lives in the Redis of the cache, under keys that no reader needs. What it forgets, by a restart without its data,
are the requests of the last period. Nothing is sent while it cannot be asked.
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from redis.lock import Lock

from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.errors import CLIENT_ERRORS, explain
from customer_pipeline.provider.permits import PermitRefused, Permits, Unlimited
from customer_pipeline.provider.profile import Profile
from customer_pipeline.request_budget.pace import Pace
from customer_pipeline.request_budget.slots import Slots

# How often a slot is asked for while all are taken: nobody can tell when a request ends.
_ASK_AGAIN = timedelta(milliseconds=50)
_MARGIN = timedelta(seconds=5)


class RequestBudget:
    """Gives permits within the profile's limits. Threads may share it, one client each.

    Args:
        connection: to the Redis of the cache.
        profile: whose limits, timeouts and retry budget hold.
        prefix: of the cache's keys.
        background: whether live runs go first.
        sleep: how it waits, in seconds.
    """

    def __init__(
        self,
        connection: Connection,
        profile: Profile,
        *,
        prefix: str,
        background: bool,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        limits, timeouts = profile.limits, profile.timeouts
        keys = f"{prefix}s:request_budget:{profile.name}"
        self._patience = profile.retry.budget
        self._sleep = sleep
        # With one slot for all, live runs get their turn between two requests of the background.
        self._courtesy = 2 * _ASK_AGAIN if background and limits.concurrent == 1 else timedelta(0)
        self._pace = self._slots = None
        if limits.requests is not None and limits.period is not None:
            self._pace = Pace(
                connection, f"{keys}:pace", requests=limits.requests, period=limits.period, background=background
            )
        if limits.concurrent is not None:
            first = limits.concurrent - limits.at_once(background=background)
            self._slots = Slots(
                connection,
                [f"{keys}:slot:{number}" for number in range(first, limits.concurrent)],
                # a body is looked at between two reads: the last one may begin just before its time is up
                hold=timeouts.connect + timeouts.total + timeouts.read + _MARGIN,
            )

    @contextmanager
    def permit(self) -> Iterator[timedelta]:
        """Wait for a permit and hold it; the value is how long was waited.

        Raises:
            PermitRefused: if it takes longer than the profile's `retry.budget`.
            CacheUnavailable: if Redis cannot be asked.
        """
        waited = self._courtesy
        if waited:
            self._sleep(waited.total_seconds())
        slot, wait = self._take()
        while wait:
            # Those who were told the same wait don't come back at the same moment.
            wait *= 1 + random.random() / 4
            if waited + wait > self._patience:
                raise PermitRefused(
                    f"the pipeline's own request budget is used up: after {waited.total_seconds():.1f} s of waiting "
                    f"{wait.total_seconds():.1f} s more are needed, and retry.budget allows "
                    f"{self._patience.total_seconds():.0f} s"
                )
            self._sleep(wait.total_seconds())
            waited += wait
            slot, wait = self._take()
        try:
            yield waited
        finally:
            self._give_back(slot)

    def _take(self) -> tuple[Lock | None, timedelta]:
        """Take a slot and count the request, or neither; return how long to wait before asking again."""
        try:
            with ExitStack() as undo:
                slot = self._slots.take() if self._slots else None
                if self._slots and slot is None:
                    return None, _ASK_AGAIN
                undo.callback(self._give_back, slot)
                # Counted last, since a request that is counted must be sent at once to arrive in its time.
                wait = self._pace.take() if self._pace else timedelta(0)
                if wait:
                    return None, wait
                undo.pop_all()
                return slot, wait
        except CLIENT_ERRORS as error:
            raise explain(error) from None

    def _give_back(self, slot: Lock | None) -> None:
        if self._slots and slot:
            self._slots.give_back(slot)


@contextmanager
def open_budget(profile: Profile, *, url: str, prefix: str, background: bool) -> Iterator[Permits]:
    """Open the budget of a profile for one step. Where it names no limits, Redis is not asked.

    Raises:
        CacheError: if the limits cannot be counted.
    """
    if not profile.limits.counted:
        yield Unlimited()
        return
    connection = connect(url)
    try:
        yield RequestBudget(connection, profile, prefix=prefix, background=background)
    finally:
        connection.close()
