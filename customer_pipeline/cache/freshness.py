"""The freshness: what readers are told of the coverage, and its form. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import orjson

from customer_pipeline.timestamps import format_instant, parse_instant
from customer_pipeline.windows import WINDOW_LENGTH, Window


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

    @property
    def looked_until(self) -> datetime:
        """Up to where gaps were looked for, as far as the gaps tell."""
        return max([self.latest, *(gap.end for gap in self.gaps)])

    def lag(self, at: datetime) -> timedelta:
        """Return how far the cache's unbroken truth lies behind an instant."""
        return at - self.as_of

    def dump(self) -> bytes:
        """Return the JSON of the cache contract."""
        return orjson.dumps(
            {
                "as_of": format_instant(self.as_of),
                "latest": format_instant(self.latest),
                "gaps": [dump_interval(gap) for gap in self.gaps],
                "stale_since": format_instant(self.stale_since) if self.stale_since else None,
                "published_at": format_instant(self.published_at),
            }
        )

    @classmethod
    def parse(cls, text: bytes) -> Self:
        """Return what `dump` has written.

        Raises:
            ValueError: if `text` is something else.
        """
        try:
            content = orjson.loads(text)
            return cls(
                as_of=parse_instant(content["as_of"]),
                latest=parse_instant(content["latest"]),
                gaps=tuple(parse_interval(gap) for gap in content["gaps"]),
                published_at=parse_instant(content["published_at"]),
            )
        except (TypeError, KeyError) as error:
            raise ValueError("no freshness") from error


def parse_interval(content: Any) -> Window:
    """Return the interval that `dump_interval` has written; raise ValueError, TypeError or KeyError if it is none."""
    return Window(parse_instant(content["start"]), parse_instant(content["end"]))


def dump_interval(window: Window) -> dict[str, str]:
    """Return an interval as the cache contract has it."""
    return {"start": format_instant(window.start), "end": format_instant(window.end)}
