"""What was published so far: the coverage, which is the truth, and the freshness, which readers get."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.errors import CacheError, CacheUnavailable
from customer_pipeline.cache.exchange import Script, exchange
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.timestamps import format_instant, now, parse_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, subtract

_ATTEMPTS = 100
_NEVER = datetime.min.replace(tzinfo=UTC)
_REPLACE = Script("""
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
""")


@dataclass(frozen=True)
class Freshness:
    """How far the cache is true to the provider.

    Attributes:
        as_of: end of the first unbroken interval.
        latest: end of the newest interval.
        gaps: what should have been published and was not, as far as it was looked for: to `latest` at least.
        published_at: when a window was published last.
    """

    as_of: datetime
    latest: datetime
    gaps: tuple[Window, ...]
    published_at: datetime

    @property
    def stale_since(self) -> datetime | None:
        """When the first window of the first gap was due; None without a gap."""
        return self.gaps[0].start + WINDOW_LENGTH if self.gaps else None


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
                self._keys.coverage, text, _dump({"intervals": [_interval(one) for one in merged]})
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
            if not (intervals := self._intervals(text)):
                return None
            known = self._known(written)
            # Unknown is when the newest window was published; it was not before its end.
            published_at = known.published_at if known else intervals[-1].end
            freshness = self._derived(intervals, until=max(floor(until), _looked_until(known)), at=published_at)
            # Only if nobody has published since: whoever has knows better.
            if self._replace(self._keys.freshness, written, _content(freshness)) and (
                self._text(self._keys.coverage) == text
            ):
                return freshness
        raise self._contended()

    def freshness(self) -> Freshness | None:
        """Return what was last written for readers; None when nothing was published yet.

        Raises:
            CacheError: if the key holds something else.
        """
        return self._parsed(self._text(self._keys.freshness))

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
        looked_until = _looked_until(self._known(self._text(self._keys.freshness)))
        for _ in range(_ATTEMPTS):
            freshness = self._derived(self._intervals(text), until=looked_until, at=now())
            exchange(self._connection, [("SET", self._keys.freshness, _content(freshness))])
            if (after := self._text(self._keys.coverage)) == text:
                return freshness
            text = after
        raise self._contended()

    def _derived(self, intervals: list[Window], *, until: datetime, at: datetime) -> Freshness:
        latest = intervals[-1].end
        return Freshness(intervals[0].end, latest, tuple(self._gaps(intervals, max(latest, until))), at)

    def _known(self, text: bytes) -> Freshness | None:
        """Return the freshness in `text`; None where it is missing or unreadable, and about to be written anew."""
        try:
            return self._parsed(text)
        except CacheError:
            return None

    def _parsed(self, text: bytes) -> Freshness | None:
        if not text:
            return None
        try:
            content = orjson.loads(text)
            return Freshness(
                as_of=parse_instant(content["as_of"]),
                latest=parse_instant(content["latest"]),
                gaps=tuple(_window(gap) for gap in content["gaps"]),
                published_at=parse_instant(content["published_at"]),
            )
        except (ValueError, TypeError, KeyError):
            raise self._unreadable(self._keys.freshness) from None

    def _text(self, key: str) -> bytes:
        (value,) = exchange(self._connection, [("GET", key)])
        return value or b""

    def _replace(self, key: str, old: bytes, new: bytes) -> bool:
        (replaced,) = _REPLACE.run(self._connection, [(1, key, old, new)])
        return bool(replaced)

    def _intervals(self, text: bytes) -> list[Window]:
        if not text:
            return []
        try:
            return contiguous(_window(interval) for interval in orjson.loads(text)["intervals"])
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


def _window(content: Any) -> Window:
    return Window(parse_instant(content["start"]), parse_instant(content["end"]))


def _interval(window: Window) -> dict[str, str]:
    return {"start": format_instant(window.start), "end": format_instant(window.end)}


def _looked_until(freshness: Freshness | None) -> datetime:
    """Return up to where gaps were looked for, as far as the gaps tell."""
    return freshness.gaps[-1].end if freshness and freshness.gaps else _NEVER


def _content(freshness: Freshness) -> bytes:
    return _dump(
        {
            "as_of": format_instant(freshness.as_of),
            "latest": format_instant(freshness.latest),
            "gaps": [_interval(gap) for gap in freshness.gaps],
            "stale_since": format_instant(freshness.stale_since) if freshness.stale_since else None,
            "published_at": format_instant(freshness.published_at),
        }
    )


def _dump(content: dict[str, Any]) -> bytes:
    return orjson.dumps(content)
