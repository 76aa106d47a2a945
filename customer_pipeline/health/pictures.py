"""Pictures of a day, each as Markdown that holds an SVG. Pure.

The Dagster UI shows a Markdown value at once when it is shorter than `LONGEST_INLINE`, else behind a click. So a
picture is small, its SVG is written as text and not in base64, and where a day has too much to tell, it is drawn
coarser. The UI cuts off what is wider than its column, and hands an image neither font nor theme: the pictures are
narrow, and their colours stand on white and on black.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import groupby
from typing import TypeVar

from customer_pipeline.health.day import Day, State
from customer_pipeline.windows import Window

T = TypeVar("T")

LONGEST_INLINE = 1000

# From what is worst, which a coarse picture shows. Colours that colour-blind people tell apart, and heights for whoever
# sees none. Before the start there is nothing to see.
LOOKS = {
    State.GIVEN_UP: ("#b5b", 7),
    State.MISSING: ("#d50", 14),
    State.IN_PROGRESS: ("#5be", 21),
    State.PUBLISHED: ("#07b", 28),
}
_ORDER = [*LOOKS, State.BEFORE_START]
_GREY = "#777"
WIDTH = 360
_CELL = 2.5  # wide
PLOT = 28  # high
_LABEL = 36  # wide
_HOURS_BETWEEN_TICKS = 6
_STEPS = (1, 2, 3, 6)
# A lag of ten minutes is what a healthy cache has before each publication.
_SMALLEST_LAG_SCALE = timedelta(hours=1)
# In a URL, and in the pointed brackets that Markdown puts around one.
_ESCAPES = str.maketrans({"%": "%25", "#": "%23", "<": r"\<", ">": r"\>"})


def states(day: Day) -> str:
    """Draw what became of each window, with a legend that counts them."""
    legend = " ".join(
        f"<tspan fill='{colour}'>■</tspan> {state} {day.count(state)}"
        for state, (colour, _) in reversed(LOOKS.items())
        if day.count(state)
    )

    def draw(step: int) -> str:
        worst = [min(some, key=_ORDER.index) for some in _merged(day.states, step)]
        paths = "".join(
            f"<path stroke='{colour}' stroke-width='{height}' d='{cells}'/>"
            for state, (colour, height) in LOOKS.items()
            if (cells := _cells(worst, state, step=step, y=PLOT - height / 2))
        )
        return picture(
            "windows",
            _axis(day.windows),
            f"<g transform='scale({_CELL} 1)'>{paths}</g>",
            f"<text y='{PLOT + 31}'>{legend}</text>",
            height=PLOT + 36,
        )

    return _shown_inline(draw)


def lags(day: Day, *, now: timedelta | None) -> str:
    """Draw how far the cache lagged when each window ended, and in place of the newest, how far it lags now."""
    drawn = [*day.lags[:-1], day.lags[-1] if now is None else now]
    seconds = [None if lag is None else lag.total_seconds() for lag in drawn]
    most = max((lag for lag in (*day.lags, now) if lag is not None), default=None)
    told = [f"{spoken(lag)} {when}" for lag, when in ((now, "now"), (most, "at most")) if lag is not None]
    text = ", ".join(told) or "nothing was published"
    return _area(day, seconds, title="lag", colour="#d50", text=text, at_least=_SMALLEST_LAG_SCALE.total_seconds())


def throughput(day: Day) -> str:
    """Draw how many customers the publications of each window changed."""
    changed = [number for number in day.changed if number is not None]
    text = f"{sum(changed):,} customers, {max(changed, default=0):,} in a window at most"
    return _area(day, day.changed, title="throughput", colour="#07b", text=text, at_least=1)


def spoken(duration: timedelta) -> str:
    """Return a duration in its two largest units: `2 d 3 h`, `3 h 20 min`, `40 s`."""
    minutes, seconds = divmod(round(duration.total_seconds()), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((position for position, (number, _) in enumerate(parts) if number), len(parts))
    return " ".join(f"{number} {unit}" for number, unit in parts[first : first + 2] if number) or "0 s"


def _area(day: Day, values: Sequence[float | None], *, title: str, colour: str, text: str, at_least: float) -> str:
    """Draw the area under `values`, to a scale that reaches `at_least` so far."""
    most = max([at_least, *(value for value in values if value is not None)])

    def draw(step: int) -> str:
        largest = [max((value for value in some if value is not None), default=None) for some in _merged(values, step)]
        heights = [None if value is None else round(value / most * PLOT) for value in largest]
        area = f"<path transform='scale({_CELL} 1)' fill='{colour}' d='{_outline(heights, step=step)}'/>"
        return f"{picture(title, _axis(day.windows), area, height=PLOT + 18)}\\\n{text}"

    return _shown_inline(draw)


def _shown_inline(draw: Callable[[int], str]) -> str:
    """Return the finest picture that is short enough; `draw` gets how many windows it merges into one."""
    for step in _STEPS:
        picture = draw(step)
        if len(picture) < LONGEST_INLINE:
            break
    return picture


def _merged(values: Sequence[T], step: int) -> list[Sequence[T]]:
    return [values[first : first + step] for first in range(0, len(values), step)]


def _cells(states: Sequence[State], wanted: State, *, step: int, y: float) -> str:
    """Return a path along the windows that have one state; empty when none has."""
    path, position, end = "", 0, 0
    for state, run in groupby(states):
        length = len(list(run)) * step
        if state is wanted:
            path += f"m{position - end},0h{length}" if path else f"M{position},{y:g}h{length}"
            end = position + length
        position += length
    return path


def _outline(heights: Sequence[int | None], *, step: int) -> str:
    """Return one closed path for each stretch of known heights."""
    path, position, before = "", 0, 0
    for known, stretch in groupby(heights, key=lambda height: height is not None):
        path += f"M{position},{PLOT}" if known else ""
        for height, run in groupby(stretch):
            width = len(list(run)) * step
            position += width
            if height is not None:
                path += f"v{before - height}h{width}"
                before = height
        path += f"V{PLOT}z" if known else ""
        before = 0
    return path


def _axis(windows: Sequence[Window]) -> str:
    """Return ticks, and the times of day in UTC under them."""
    at = {
        position * _CELL: window.start
        for position, window in enumerate(windows)
        if window.start.minute == 0 and window.start.hour % _HOURS_BETWEEN_TICKS == 0
    }
    ticks = "".join(f"M{x:g},0v{PLOT + 14}" for x in at)
    texts = "".join(
        f"<text x='{x + 3:g}' y='{PLOT + 14}'>{instant:%H}:00Z</text>"
        for x, instant in at.items()
        if x + _LABEL <= WIDTH
    )
    return f"<path stroke='{_GREY}' d='M0,{PLOT}h{WIDTH}{ticks}'/>{texts}"


def picture(title: str, *elements: str, height: int) -> str:
    """Return Markdown that holds a picture of SVG elements."""
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{WIDTH}' viewBox='0 0 {WIDTH} {height}' "
        f"fill='{_GREY}' style='font:11px sans-serif'>{''.join(elements)}</svg>"
    )
    return f"![{title}](<data:image/svg+xml,{svg.translate(_ESCAPES)}>)"
