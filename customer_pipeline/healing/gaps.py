"""What is missing: the windows that have ended and are neither published nor in progress. Pure.

A window counts as a whole here: it is published when all of it is, and in progress as soon as some of it is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from customer_pipeline.windows import WINDOW_LENGTH, Window, contiguous, floor, subtract

# As many windows as one run may have: its creation writes an event for each.
LARGEST_RANGE = 144 * WINDOW_LENGTH


def ended(start: datetime, now: datetime) -> Window | None:
    """Return the windows from the pipeline's start to the newest that has ended; None before the first has."""
    first, end = _ceiling(start), floor(now)
    return Window(first, end) if first < end else None


def gaps(coverage: Iterable[Window], windows: Window, in_progress: Iterable[Window]) -> list[Window]:
    """Return what of `windows` neither `coverage` nor `in_progress` holds.

    Returns:
        Contiguous ranges of at most 144 windows, newest first.
    """
    return newest_first(without(missing(coverage, windows), in_progress))


def missing(coverage: Iterable[Window], windows: Window) -> list[Window]:
    """Return the ranges of `windows` that are not published, oldest first."""
    within = ended(windows.start, windows.end)
    return whole(subtract(within, coverage)) if within else []


def without(ranges: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return the windows of `ranges` that no interval of `others` touches, oldest first."""
    touched = whole(others)
    return [part for one in contiguous(ranges) for part in subtract(one, near(one, touched))]


def near(one: Window, ranges: Sequence[Window]) -> Sequence[Window]:
    """Return those of `ranges`, which are disjoint and sorted, that overlap one range; there may be thousands."""
    first = bisect_right(ranges, one.start, key=lambda other: other.end)
    return ranges[first : bisect_left(ranges, one.end, lo=first, key=lambda other: other.start)]


def common(ranges: Iterable[Window], others: Iterable[Window]) -> list[Window]:
    """Return what `ranges` and `others` both hold, oldest first."""
    ranges = list(ranges)
    return without(ranges, without(ranges, others))


def whole(intervals: Iterable[Window]) -> list[Window]:
    """Return the ranges of all windows that `intervals` touch, oldest first."""
    return contiguous(Window(floor(one.start), _ceiling(one.end)) for one in intervals)


def newest_first(ranges: Iterable[Window]) -> list[Window]:
    """Cut ranges, from their newest windows on, into such as one run may have; newest first."""
    runs = []
    for one in sorted(ranges, reverse=True):
        end = one.end
        while end > one.start:
            start = max(one.start, end - LARGEST_RANGE)
            runs.append(Window(start, end))
            end = start
    return runs


def count(ranges: Iterable[Window]) -> int:
    """Return how many windows disjoint ranges have."""
    return sum((one.end - one.start for one in ranges), timedelta()) // WINDOW_LENGTH


def _ceiling(instant: datetime) -> datetime:
    boundary = floor(instant)
    return boundary if boundary == instant else boundary + WINDOW_LENGTH
