"""The clock, and the one form of the cache contract."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

CONTRACT_LENGTH = len("2026-11-23T07:50:00.000000Z")
EARLIEST_PLAUSIBLE = datetime(1900, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


def format_instant(instant: datetime) -> str:
    """Format an aware datetime in the one form of the cache contract: `2026-11-23T07:50:00.000000Z`.

    Raises:
        ValueError: if `instant` is naive.
    """
    if instant.utcoffset() is None:
        raise ValueError(f"a naive datetime has no instant: {instant!r}")
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def format_instants(instants: pd.Series) -> pd.Series:
    """Format a `datetime64[us, UTC]` series in the one form of the cache contract; `NaT` becomes `None`."""
    naive_utc = instants.dt.tz_convert(UTC).dt.tz_localize(None).to_numpy(dtype="datetime64[us]")
    text = np.char.add(np.datetime_as_string(naive_utc, unit="us"), "Z").astype(object)
    text[np.isnat(naive_utc)] = None
    return pd.Series(text, index=instants.index, dtype=object)


def parse_instant(text: str) -> datetime:
    """Parse the one form of the cache contract.

    Raises:
        ValueError: if `text` is in any other form.
    """
    if len(text) == CONTRACT_LENGTH and text.isascii() and text.endswith("Z") and text[10] == "T":
        instant = datetime.fromisoformat(text)
        if format_instant(instant) == text:
            return instant
    raise ValueError(f"{text!r} is not of the form 2026-11-23T07:50:00.000000Z")


def epoch_milliseconds(instant: datetime) -> int:
    """Return whole milliseconds since 1970, rounded down."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
