"""What was published so far: the coverage, which is the truth, kept in Redis together with what readers are told."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import orjson

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.cache.exchange import Script, exchange
from customer_pipeline.cache.freshness import Freshness, dump_interval, parse_interval
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import now
from customer_pipeline.windows import Window, contiguous, floor, subtract

__all__ = ["Coverage", "Freshness"]

_ATTEMPTS = 100
_NEVER = datetime.min.replace(tzinfo=UTC)
REPLACE = Script("""
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""")


class Coverage:
    """The published intervals, kept in one key and extended atomically.

    Args:
        connection: from `connect`.
        keys: the names of the keys.
        start: where the first window starts; what lacks from there to the first interval is a gap too.
    """

    def __init__(self, connection: Connection, *, keys: CacheKeys, start: datetime | None = None) -> None:
        self._connection = connection
        self._keys = keys
        self._start = start

    def read(self) -> list[Window]:
        """Return the published intervals: disjoint, oldest first.

        Raises:
            CacheError: if the key holds something else.
        """
        return self._intervals(self._text(self._keys.coverage))

    def extend(self, ranges: Iterable[Window]) -> Freshness:
        """Add `ranges`, every state of which was acknowledged, and rewrite the freshness.

        Raises:
            CacheError: if the key holds something else; it is not overwritten.
            ValueError: if nothing was ever published and `ranges` is empty.
        """
        added = list(ranges)
        for _ in range(_ATTEMPTS):
            text = self._text(self._keys.coverage)
            intervals = self._intervals(text)
            merged = contiguous([*intervals, *added])
            if not merged:
                raise ValueError("there is no range to cover")
            if merged == intervals or self._replace(
                self._keys.coverage, text, orjson.dumps({"intervals": [dump_interval(one) for one in merged]})
            ):
                return self._rewrite_freshness()
        raise self._contended()

    def refresh(self, until: datetime) -> Freshness | None:
        """Rewrite the freshness with the gaps up to `until`, so that readers see them while nothing is published.

        Returns:
            What readers get now; None, and nothing is written, while nothing was ever published.

        Raises:
            CacheError: if the key of the coverage holds something else.
        """
        for _ in range(_ATTEMPTS):
            written = self._text(self._keys.freshness)
            text = self._text(self._keys.coverage)
            intervals, known = self._intervals(text), _known(written)
            if intervals:
                # Unknown is when the newest window was published; it was not before its end.
                published_at = known.published_at if known else intervals[-1].end
                freshness = self._derived(intervals, until=floor(until), at=published_at)
            elif known:  # the coverage was lost, so nothing is sure
                freshness = replace(known, gaps=tuple(self._gaps([], floor(until))))
            else:
                return None
            # Only if nobody has published since: whoever has knows better.
            if self._replace(self._keys.freshness, written, freshness.dump()) and (
                self._text(self._keys.coverage) == text
            ):
                return freshness
        raise self._contended()

    def freshness(self) -> Freshness | None:
        """Return what was last written for readers; None when nothing was published yet.

        Raises:
            CacheError: if the key holds something else.
        """
        text = self._text(self._keys.freshness)
        try:
            return Freshness.parse(text) if text else None
        except ValueError:
            raise self._unreadable(self._keys.freshness) from None

    def gaps(self, until: datetime) -> list[Window]:
        """Return what is not published between the start (or the first interval, where none is known) and `until`."""
        return self._gaps(self.read(), until)

    def _gaps(self, intervals: list[Window], until: datetime) -> list[Window]:
        start = self._start or min((interval.start for interval in intervals), default=until)
        return subtract(Window(start, until), intervals) if start < until else []

    def _rewrite_freshness(self) -> Freshness:
        """Write the freshness of the coverage until the coverage is the same afterwards."""
        text = self._text(self._keys.coverage)
        # What an outage was found to lack is not forgotten because an old window was published.
        known = _known(self._text(self._keys.freshness))
        # A clock that was ahead for a while may have looked too far.
        looked_until = min(known.looked_until, floor(now())) if known else _NEVER
        for _ in range(_ATTEMPTS):
            freshness = self._derived(self._intervals(text), until=looked_until, at=now())
            exchange(self._connection, [("SET", self._keys.freshness, freshness.dump())])
            if (after := self._text(self._keys.coverage)) == text:
                return freshness
            text = after
        raise self._contended()

    def _derived(self, intervals: list[Window], *, until: datetime, at: datetime) -> Freshness:
        latest = intervals[-1].end
        return Freshness(intervals[0].end, latest, tuple(self._gaps(intervals, max(latest, until))), at)

    def _text(self, key: str) -> bytes:
        (value,) = exchange(self._connection, [("GET", key)])
        return value or b""

    def _replace(self, key: str, old: bytes, new: bytes) -> bool:
        (replaced,) = REPLACE.run(self._connection, [(1, key, old, new)])
        return bool(replaced)

    def _intervals(self, text: bytes) -> list[Window]:
        if not text:
            return []
        try:
            return contiguous(parse_interval(interval) for interval in orjson.loads(text)["intervals"])
        except (ValueError, TypeError, KeyError):
            raise self._unreadable(self._keys.coverage) from None

    def _unreadable(self, key: str) -> CacheError:
        return CacheError(
            f"{key} holds something that this pipeline did not write",
            advice="Look who writes there; once the key is deleted, every window is a gap and is published again.",
        )

    def _contended(self) -> CacheUnavailable:
        return CacheUnavailable(
            f"{self._keys.coverage} is being changed without end",
            advice="Look for a second pipeline that publishes under the same prefix.",
        )


def _known(text: bytes) -> Freshness | None:
    """Return the freshness in `text`; None where it is missing or unreadable, and about to be written anew."""
    try:
        return Freshness.parse(text)
    except ValueError:
        return None
