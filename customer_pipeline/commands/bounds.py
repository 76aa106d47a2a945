"""The range that a person writes as START and END. Pure."""

import re
from datetime import UTC, datetime

from customer_pipeline.timestamps import parse_rfc3339
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor

_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_EXPECTED = "expected a whole ten minutes, as a window's key (2026-11-23T1450Z) or RFC 3339 (2026-11-23T14:50:00Z)"


class BoundsError(ValueError):
    """The range cannot be used; the message names what is wrong, and what is expected."""


def parse(start: str, end: str) -> Window:
    """Return the range `[start, end)`.

    Raises:
        BoundsError: if a bound is malformed or not on a whole ten minutes, or the range is empty.
    """
    first, last = _instant("START", start), _instant("END", end)
    if first >= last:
        raise BoundsError(
            f"END: {end} is not after START {start}; the window that starts at END is not part of the range"
        )
    return Window(first, last)


def require_known(windows: Window, known: Window | None) -> None:
    """Return if every window of the range is one of the pipeline's and has ended.

    Raises:
        BoundsError: if not.
    """
    if known is None:
        raise BoundsError("END: no window has ended yet")
    if windows.start < known.start:
        raise BoundsError(
            f"START: {windows.key} is before the pipeline's first window; expected {known.key} or later "
            "(CUSTOMER_PIPELINE_START)"
        )
    if windows.end > known.end:
        newest, end = Window(known.end - WINDOW_LENGTH, known.end).key, _key(known.end)
        raise BoundsError(
            f"END: {_key(windows.end)} is after the end of the newest window that has ended, {newest}; "
            f"expected {end} or earlier"
        )


def all_windows(start: datetime, now: datetime) -> Window | None:
    """Return the range of every window that has ended; None before the first has."""
    end = floor(now)
    return Window(start, end) if start < end else None


def _instant(name: str, text: str) -> datetime:
    try:
        return Window.from_key(text).start
    except ValueError:
        pass
    if not _INSTANT.fullmatch(text):
        raise BoundsError(f"{name}: {text!r} is neither a window's key nor an instant; {_EXPECTED}")
    try:
        instant = parse_rfc3339(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BoundsError(f"{name}: {text!r} is in no calendar; {_EXPECTED}") from None
    if instant != floor(instant):
        raise BoundsError(f"{name}: {text!r} is not on a whole ten minutes; {_EXPECTED}")
    return instant


def _key(instant: datetime) -> str:
    return Window(instant, instant + WINDOW_LENGTH).key
