"""The forms in which the sandbox provider writes datetimes, and the one in which it is asked."""

from datetime import UTC, datetime, timedelta, tzinfo
from email.utils import format_datetime

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_microseconds(instant: datetime) -> int:
    """Return whole microseconds since 1970."""
    return (instant - _EPOCH) // timedelta(microseconds=1)


def from_epoch_microseconds(microseconds: int) -> datetime:
    """Return the instant that lies so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)


def format_local(instant: datetime, zone: tzinfo, *, with_offset: bool, separator: str = "T") -> str:
    """Format an aware datetime as ISO 8601 local time of `zone`, with or without its offset."""
    local = instant.astimezone(zone)
    return (local if with_offset else local.replace(tzinfo=None)).isoformat(sep=separator, timespec="microseconds")


def format_rfc2822(instant: datetime) -> str:
    """Format an aware datetime as RFC 2822 does: `Mon, 23 Nov 2026 07:50:00 +0000`; the fraction is lost."""
    return format_datetime(instant.astimezone(UTC))


def format_http_date(instant: datetime) -> str:
    """Format an aware datetime as HTTP headers do: `Mon, 23 Nov 2026 07:50:00 GMT`; the fraction is lost."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def parse_rfc3339(text: str) -> datetime:
    """Parse one RFC 3339 text with any offset; without an offset it is UTC.

    Raises:
        ValueError: if `text` is no RFC 3339 datetime.
    """
    parsed = datetime.fromisoformat(text)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
