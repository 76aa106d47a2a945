"""A picture of the last reconciliations, as Markdown that holds an SVG. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from customer_pipeline.health.pictures import LONGEST_INLINE, PLOT, WIDTH, picture

_STEP = 12  # wide
_MOST = WIDTH // _STEP
_REPAIRED = "#07b"
_LEFT = "#d50"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One reconciliation.

    Attributes:
        at: when it had ended.
        differences: how many customers differed.
        agrees: whether the cache agreed afterwards.
    """

    at: datetime
    differences: int
    agrees: bool


def trend(points: Sequence[Point]) -> str:
    """Draw how many customers differed in each of the newest reconciliations, the newest to the right."""
    drawn = sorted(points, key=lambda point: point.at)[-_MOST:]
    text = _told(drawn)
    while True:
        found = f"{_drawn(drawn)}\\\n{text}"
        if len(found) < LONGEST_INLINE or len(drawn) <= 1:
            return found
        drawn = drawn[1:]


def _drawn(points: Sequence[Point]) -> str:
    most = max([1, *(point.differences for point in points)])
    first = _MOST - len(points)
    bars = ""
    for colour, agrees in ((_REPAIRED, True), (_LEFT, False)):
        path = "".join(
            f"M{(first + position) * _STEP + _STEP // 2},{PLOT}v-{max(1, round(point.differences / most * PLOT))}"
            for position, point in enumerate(points)
            if point.agrees is agrees
        )
        bars += f"<path stroke='{colour}' stroke-width='{_STEP - 3}' d='{path}'/>" if path else ""
    return picture("trend", f"<path stroke='#777' d='M0,{PLOT}h{WIDTH}'/>", bars, height=PLOT + 2)


def _told(points: Sequence[Point]) -> str:
    if not points:
        return "no reconciliation yet"
    most = max(point.differences for point in points)
    return (
        f"{points[-1].differences:,} customers differed now, {most:,} at most, since {points[0].at:%Y-%m-%d}; "
        "orange: not mended"
    )
