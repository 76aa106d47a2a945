"""Windows of time: parse, format, split and group. Pure; no clock, no I/O."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Self

WINDOW_LENGTH = timedelta(minutes=10)
KEY_FORMAT = "%Y-%m-%dT%H%MZ"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True, slots=True)
class Window:
    """A half-open interval `[start, end)` in UTC.

    Raises:
        ValueError: if a bound is naive or not in UTC, or the interval is empty.
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        for name, bound in (("start", self.start), ("end", self.end)):
            if bound.utcoffset() != timedelta(0):
                raise ValueError(f"a window's bounds are aware UTC datetimes, not {bound!r}")
            # a zone that is UTC now, such as London in winter, would make arithmetic follow its wall clock
            object.__setattr__(self, name, bound.astimezone(UTC))
        if self.start >= self.end:
            raise ValueError(f"a window's start lies before its end: [{self.start}, {self.end})")

    @classmethod
    def from_key(cls, key: str) -> Self:
        """Return the ten-minute window that a partition key such as `2026-11-23T1450Z` names."""
        try:
            start = datetime.strptime(key, KEY_FORMAT).replace(tzinfo=UTC)
            window = cls(start, start + WINDOW_LENGTH)
            if window.key == key and start == floor(start):
                return window
        except (ValueError, OverflowError):
            pass
        raise ValueError(f"{key!r} is no window key; expected a whole ten minutes in the form 2026-11-23T1450Z")

    @property
    def key(self) -> str:
        """The partition key of the ten-minute window that starts here; of a range, that of its first window."""
        return f"{self.start.isoformat(timespec='minutes')[:16].replace(':', '')}Z"

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end


def floor(instant: datetime) -> datetime:
    """Return the newest window boundary at or before `instant`, in UTC."""
    return _EPOCH + (instant - _EPOCH) // WINDOW_LENGTH * WINDOW_LENGTH


def split(start: datetime, end: datetime) -> Iterator[Window]:
    """Yield, oldest first, the ten-minute windows that lie wholly within `[start, end)`."""
    window_start = floor(start)
    if window_start < start:
        window_start += WINDOW_LENGTH
    while end - window_start >= WINDOW_LENGTH:
        yield Window(window_start, window_start + WINDOW_LENGTH)
        window_start += WINDOW_LENGTH


def contiguous(windows: Iterable[Window]) -> list[Window]:
    """Merge windows that touch or overlap into ranges, oldest first."""
    ranges: list[Window] = []
    for window in sorted(windows):
        if ranges and window.start <= ranges[-1].end:
            ranges[-1] = Window(ranges[-1].start, max(ranges[-1].end, window.end))
        else:
            ranges.append(window)
    return ranges


def subtract(window: Window, covered: Iterable[Window]) -> list[Window]:
    """Return the parts of `window` that no interval of `covered` holds, oldest first."""
    holes: list[Window] = []
    start = window.start
    for interval in contiguous(covered):
        if interval.end <= start or interval.start >= window.end:
            continue
        if start < interval.start:
            holes.append(Window(start, interval.start))
        start = max(start, interval.end)
    if start < window.end:
        holes.append(Window(start, window.end))
    return holes
