"""The form that a provider is sent: rounded to what it can express, never beyond the instant meant."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_STEPS = (timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))


def format_sent(instant: datetime, *, format: str, digits: int, offset: str) -> str:  # noqa: A002 -- the profile's word
    """Format an aware datetime as the provider expects it, rounded down to the format's resolution.

    Args:
        instant: aware; sent in UTC.
        format: `rfc3339`, `epoch_s`, `epoch_ms`, or a strftime pattern.
        digits: fractional digits of `rfc3339`, and of `%f` in a pattern (six are Python's own meaning).
        offset: how `rfc3339` writes UTC, `Z` or `+00:00`.

    Raises:
        ValueError: if `instant` is naive.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"a naive datetime has no instant: {instant!r}")
    utc = instant.astimezone(UTC)
    if format == "epoch_s":
        return str((utc - _EPOCH) // timedelta(seconds=1))
    if format == "epoch_ms":
        return str((utc - _EPOCH) // timedelta(milliseconds=1))
    fraction = f"{utc.microsecond:06}"[:digits]
    if format == "rfc3339":
        seconds = utc.replace(tzinfo=None).isoformat(timespec="seconds")
        return f"{seconds}.{fraction}{offset}" if digits else f"{seconds}{offset}"
    parts = format.split("%%")
    return "%".join(utc.strftime(part.replace("%f", fraction)) if part else "" for part in parts)


def sent_resolution(*, format: str, digits: int) -> timedelta:  # noqa: A002 -- the profile's word
    """Return the smallest step that the format can express, from a microsecond to a day.

    Raises:
        ValueError: if the format does not even tell days apart.
    """
    if format == "epoch_s":
        return timedelta(seconds=1)
    if format == "epoch_ms":
        return timedelta(milliseconds=1)
    start = datetime(2001, 1, 1, tzinfo=UTC)
    text = format_sent(start, format=format, digits=digits, offset="Z")
    for step in (_MICROSECOND * 10 ** (6 - digits), *_STEPS):
        if format_sent(start + step, format=format, digits=digits, offset="Z") != text:
            return step
    raise ValueError(f"{format!r} does not tell one day from the next; send at least the date, such as '%Y-%m-%d'")


def floor_sent(instant: datetime, resolution: timedelta) -> datetime:
    """Return the newest multiple of `resolution` since 1970 at or before `instant`, in UTC."""
    return _EPOCH + (instant - _EPOCH) // resolution * resolution


def ceil_sent(instant: datetime, resolution: timedelta) -> datetime:
    """Return the oldest multiple of `resolution` since 1970 at or after `instant`, in UTC."""
    return _EPOCH - (_EPOCH - instant) // resolution * resolution
