"""How much one key may do: a token bucket for each, in this process."""

import math
import time
from typing import NamedTuple

_WINDOW_SECONDS = 60


class Allowance(NamedTuple):
    """What a key may still do.

    Attributes:
        granted: whether this request is within the limit.
        remaining: requests that could be made at once.
        seconds: until the next request is possible, or, if one is, until all are again; rounded up.
    """

    granted: bool
    remaining: int
    seconds: int


class RateLimit:
    """Lets each key make `per_minute` requests a minute, all at once or spread."""

    def __init__(self, per_minute: int) -> None:
        self._capacity = per_minute
        self._rate = per_minute / _WINDOW_SECONDS
        self._buckets: dict[str, tuple[float, float]] = {}
        self.policy = f'"key";q={per_minute};w={_WINDOW_SECONDS}'.encode()

    def take(self, key_id: str) -> Allowance:
        """Count one request of a key."""
        at = time.monotonic()
        tokens, since = self._buckets.get(key_id, (float(self._capacity), at))
        tokens = min(self._capacity, tokens + (at - since) * self._rate)
        granted = tokens >= 1
        if granted:
            tokens -= 1
        self._buckets[key_id] = (tokens, at)
        missing = self._capacity - tokens if granted else 1 - tokens
        return Allowance(granted, int(tokens), math.ceil(missing / self._rate))

    def headers(self, allowance: Allowance) -> list[tuple[bytes, bytes]]:
        """Return the fields of the IETF's draft `RateLimit header fields for HTTP`."""
        fields = [
            (b"ratelimit-policy", self.policy),
            (b"ratelimit", b'"key";r=%d;t=%d' % (allowance.remaining, allowance.seconds)),
        ]
        if not allowance.granted:
            fields.append((b"retry-after", b"%d" % allowance.seconds))
        return fields
