"""The only module that reads the clock, parses or formats a datetime. Aware UTC only.

Three forms meet here: the one form of the cache contract, the form that a provider is sent, and the many forms that
providers answer with. Nothing outside this module calls `datetime.now`, `strftime`, `strptime` or `fromisoformat`
(the partition keys of `windows.py` apart).
"""

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
    if instant.tzinfo is None:
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
    if len(text) != CONTRACT_LENGTH or not text.endswith("Z"):
        raise ValueError(f"{text!r} is not of the form 2026-11-23T07:50:00.000000Z")
    return datetime.fromisoformat(text).astimezone(UTC)


def epoch_milliseconds(instant: datetime) -> int:
    """Return whole milliseconds since 1970, rounded down."""
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
