"""Requests in a period, counted in Redis for every process: the arithmetic, and the library that does it atomically.

The library is pyrate-limiter, with its GCRA (a leaky bucket, kept as one instant) in its Redis store. Its script
decides and writes in one step, knows the exact wait, is loaded again on a server that has lost it, and touches one hash
of two numbers that expires: nothing grows, and one key is at home in any cluster. It takes the connection that it is
given. What was left aside counts by the clock of each client (the moving window of limits, and pyrate-limiter's
own log, which neither expires nor outlives a restart of the server), by an estimate that may pass the limit (the
sliding counters of limits and throttled-py), or opens connections of its own (throttled-py).

The time is the server's, asked for just before. Should another process be faster in between, the older time is the
stricter one, since the instant that is kept never goes back.
"""

import math
from datetime import timedelta
from typing import cast

import redis
from pyrate_limiter import GCRA, Decision, Rate, RedisStateStore

from customer_pipeline.cache.connection import Connection

_LONGEST_MARGIN = timedelta(seconds=1)
_MILLISECOND = timedelta(milliseconds=1)


def rates(requests: int, period: timedelta, *, background: bool) -> list[Rate]:
    """Return the rates by which no period, wherever it begins, sees more than `requests`.

    A fifth may be sent at once. The rest is spread so that it and a whole burst together are the limit. The period is
    stretched a little, because some requests take longer to arrive than others.

    Background runs meet the same rate, leave half of the burst alone, and have a rate of three quarters beside it. So
    they never hold up a live run that asks for less than a quarter, and one that asks for more goes first.
    """
    interval = math.ceil((period + min(_LONGEST_MARGIN, period / 10)) / _MILLISECOND)
    burst = max(1, requests // 5)
    sustained = requests - burst + 1
    if not background:
        return [Rate(sustained, interval, burst)]
    kept_free = max(1, burst // 2)
    return [Rate(sustained, interval, kept_free), Rate(3 * sustained, 4 * interval, kept_free)]


class Pace:
    """The requests of one provider, in any period, over all processes."""

    def __init__(self, connection: Connection, key: str, *, requests: int, period: timedelta, background: bool) -> None:
        self._connection = connection
        self._key = key
        self._rates = rates(requests, period, background=background)
        self._algorithm = GCRA()
        # A second period: the instants that are kept never lie further ahead.
        self._store = RedisStateStore(
            cast("redis.Redis", connection), key, ttl_ms=2 * max(rate.interval for rate in self._rates)
        )

    def take(self) -> timedelta:
        """Count one request, unless it has to wait; return how long it has to.

        Raises:
            redis.RedisError: if Redis does not answer.
        """
        decision = cast("Decision", self._store.check(self._algorithm, self._rates, self._now(), 1))
        return timedelta(0) if decision.allowed else max(1, decision.retry_after_ms or 0) * _MILLISECOND

    def _now(self) -> int:
        """Return the time of the server that holds the key, in milliseconds since 1970."""
        if isinstance(self._connection, redis.RedisCluster):
            node = self._connection.get_node_from_key(self._key)
            seconds, microseconds = self._connection.time(target_nodes=node)
        else:
            seconds, microseconds = self._connection.time()
        return int(seconds) * 1000 + int(microseconds) // 1000
