"""Days to look at."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from customer_pipeline.health.day import LENGTH, Day, Publication, look_back
from customer_pipeline.windows import Window, split

AT = datetime(2026, 11, 24, 13, 47, tzinfo=UTC)
END = datetime(2026, 11, 24, 13, 40, tzinfo=UTC)
WINDOWS = list(split(END - LENGTH, END))


def publication(
    window: Window, *, after: timedelta = timedelta(seconds=8), changed: int = 100, lag: timedelta | None = None
) -> Publication:
    """A publication some time after the window's end, which leaves no window missing unless told otherwise."""
    return Publication(window=window, at=window.end + after, changed=changed, lag=after if lag is None else lag)


def day_of(
    *,
    at: datetime = AT,
    due: datetime = END,
    start: datetime = WINDOWS[0].start,
    missing: Iterable[Window] = (),
    in_progress: Iterable[Window] = (),
    given_up: Iterable[Window] = (),
    publications: Iterable[Publication] | None = None,
) -> Day:
    """A day on which what is not named is published."""
    absent = {*missing, *in_progress, *given_up}
    published = [window for window in WINDOWS if window not in absent and window.start >= start]
    return look_back(
        at,
        start=start,
        due=due,
        published=published,
        in_progress=in_progress,
        given_up=given_up,
        publications=map(publication, published) if publications is None else publications,
    )
