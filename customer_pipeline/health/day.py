"""The last 24 hours at an instant: what became of each window, how far the cache lagged, how much changed. Pure."""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, split

LENGTH = timedelta(hours=24)

# A window that has just ended waits for the tick of the schedule, and the run for a process.
GRACE = timedelta(minutes=2)


class State(StrEnum):
    """What became of a window, in the words of a legend."""

    PUBLISHED = "published"
    IN_PROGRESS = "in progress"
    MISSING = "missing"
    GIVEN_UP = "given up"
    BEFORE_START = "before the start"


@dataclass(frozen=True, kw_only=True, slots=True)
class Publication:
    """One publication of a window.

    Attributes:
        window: what was published.
        at: when.
        changed: customers whose document or tombstone it changed.
        lag: how far the cache lay behind then.
    """

    window: Window
    at: datetime
    changed: int
    lag: timedelta


@dataclass(frozen=True, kw_only=True, slots=True)
class Day:
    """The windows of the last 24 hours, oldest first; every sequence holds one value for each.

    Attributes:
        windows: the 144 windows.
        states: what became of them.
        lags: how far the cache lay behind when the window ended; None before the first publication that is known.
        changed: customers that its publications changed; None without any.
    """

    windows: Sequence[Window]
    states: Sequence[State]
    lags: Sequence[timedelta | None]
    changed: Sequence[int | None]

    def count(self, state: State) -> int:
        """Return how many windows have `state`."""
        return Counter(self.states)[state]


def due(at: datetime, *, tried: Iterable[Window]) -> datetime:
    """Return the end of the newest window that is missing if it is not published.

    Args:
        at: the present.
        tried: ranges of runs that have ended.
    """
    newest = Window(floor(at) - WINDOW_LENGTH, floor(at))
    is_late = at - newest.end >= GRACE or any(newest.start in one for one in tried)
    return newest.end if is_late else newest.start


def look_back(
    at: datetime,
    *,
    start: datetime,
    due: datetime,
    published: Iterable[Window],
    in_progress: Iterable[Window],
    given_up: Iterable[Window],
    publications: Iterable[Publication],
) -> Day:
    """Return the 24 hours that ended with the newest whole window before `at`.

    Args:
        at: the present.
        start: where the pipeline's first window starts.
        due: the end of the newest window that should be published.
        published: the coverage.
        in_progress: ranges that are queued or under way.
        given_up: windows that the heal asks for no more.
        publications: those of the last 24 hours, in any order.
    """
    end = floor(at)
    windows = tuple(split(end - LENGTH, end))
    held = {
        State.BEFORE_START: {window for window in windows if window.start < start},
        State.PUBLISHED: _within(windows, published),
        State.IN_PROGRESS: _within(windows, in_progress) | {window for window in windows if window.end > due},
        State.GIVEN_UP: _within(windows, given_up),
    }
    states = (next((state for state, those in held.items() if window in those), State.MISSING) for window in windows)
    known = sorted(publications, key=lambda publication: publication.at)
    changed: dict[Window, int] = {}
    for publication in known:
        changed[publication.window] = changed.get(publication.window, 0) + publication.changed
    return Day(
        windows=windows,
        states=tuple(states),
        lags=tuple(lag_at(window.end, publications=known) for window in windows),
        changed=tuple(changed.get(window) for window in windows),
    )


def lag_at(at: datetime, *, publications: Sequence[Publication]) -> timedelta | None:
    """Return how far the cache lay behind: what the last of `publications`, oldest first, left, and the time since."""
    before = bisect_right(publications, at, key=lambda publication: publication.at)
    return publications[before - 1].lag + (at - publications[before - 1].at) if before else None


def windows_in(ranges: Iterable[Window]) -> int:
    """Return how many windows `ranges` hold."""
    return sum((one.end - one.start) // WINDOW_LENGTH for one in ranges)


def _within(windows: Sequence[Window], ranges: Iterable[Window]) -> set[Window]:
    near = [one for one in contiguous(ranges) if one.end > windows[0].start and one.start < windows[-1].end]
    return {window for window in windows if any(one.start <= window.start and window.end <= one.end for one in near)}
