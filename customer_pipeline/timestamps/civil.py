"""What a value says before its zone is known: a column of wall-clock times, each with its offset or none."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from typing import Self
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

MICROSECOND = timedelta(microseconds=1)
SECOND = 1_000_000
NAT = np.iinfo(np.int64).min
"""In `local`, an unusable value; in `offset`, a value that has none. Equal to numpy's own `NaT`."""

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 -- wall clock
_FIRST = (datetime.min - _EPOCH) // MICROSECOND  # noqa: DTZ901 -- wall clock
_LAST = (datetime.max - _EPOCH) // MICROSECOND  # noqa: DTZ901 -- wall clock
_BEYOND = 2 * _LAST

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Civil:
    """A column of wall-clock times.

    Attributes:
        local: microseconds since 1970 as the clock on the wall counts them, within the years 1 to 9999, or `NAT`.
        offset: microseconds by which that clock is ahead of UTC, or `NAT` when the value does not say.
    """

    local: Integers
    offset: Integers

    @classmethod
    def unusable(cls, size: int) -> Self:
        """Return a column that nothing was read into yet."""
        return cls(np.full(size, NAT), np.full(size, NAT))

    @classmethod
    def of(cls, local: Integers, offset: Integers, *, where: Flags) -> Self:
        """Return a column that is unusable outside `where` and outside the years 1 to 9999."""
        return cls(np.where(where & (local >= _FIRST) & (local <= _LAST), local, NAT), offset)

    @classmethod
    def from_datetimes(cls, values: Iterable[datetime | date | None], zone: tzinfo) -> Self:
        """Return a column of Python datetimes and dates; `None` is unusable. A naive `fold=1` is resolved in `zone`."""
        pairs = [(NAT, NAT) if value is None else _pair(value, zone) for value in values]
        table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return cls(table[:, 0], table[:, 1])

    @property
    def missing(self) -> Flags:
        """Which values are unusable so far."""
        missing: Flags = self.local == NAT
        return missing

    def put(self, positions: Flags, other: "Civil") -> None:
        """Store `other`, value by value, where `positions` is true."""
        self.local[positions] = other.local
        self.offset[positions] = other.offset

    def instants(self, zone: tzinfo) -> Integers:
        """Return microseconds since 1970 UTC, or `NAT`; a value without an offset is in `zone`."""
        naive = ~self.missing & (self.offset == NAT)
        offset = self.offset.copy()
        offset[naive] = _by_second(self.local[naive], zone, lambda clock: clock.replace(tzinfo=zone).utcoffset())
        utc = np.where(self.missing, 0, self.local) - np.where(self.missing, 0, offset)
        return np.where(self.missing | (utc < _FIRST) | (utc > _LAST), NAT, utc)

    def days(self, zone: tzinfo) -> npt.NDArray[np.datetime64]:
        """Return dates as `datetime64[D]`, or `NaT`: as written, or that of the instant in `zone`."""

        def ahead(utc: datetime) -> timedelta | None:
            return utc.replace(tzinfo=UTC).astimezone(zone).utcoffset()

        aware = self.offset != NAT
        clock = self.local.copy()
        utc = Civil(self.local[aware], self.offset[aware]).instants(zone)
        usable = utc != NAT
        utc[usable] += _by_second(utc[usable], zone, ahead)
        clock[aware] = np.where((utc < _FIRST) | (utc > _LAST), NAT, utc)
        return clock.view("datetime64[us]").astype("datetime64[D]")


def wall_clock(
    year: Integers, month: Integers, day: Integers, *, hour: Integers, minute: Integers, second: Integers
) -> tuple[Integers, Flags]:
    """Return microseconds since 1970 on the wall clock, and which of them a calendar and a clock can show.

    Second 60 is allowed and is the first of the next minute.
    """
    months = ((year - 1970) * 12 + month - 1).astype("datetime64[M]")
    days = months.astype("datetime64[D]") + (day - 1)
    real = (year >= 1) & (month >= 1) & (month <= 12) & (days.astype("datetime64[M]") == months)  # noqa: PLR2004
    real &= (hour <= 23) & (minute <= 59) & (second <= 60)  # noqa: PLR2004 -- a clock
    return (days.astype(np.int64) * 86_400 + hour * 3600 + minute * 60 + second) * SECOND, real


def _pair(value: datetime | date, zone: tzinfo) -> tuple[int, int]:
    if not isinstance(value, datetime):
        return (datetime(value.year, value.month, value.day) - _EPOCH) // MICROSECOND, NAT  # noqa: DTZ001 -- wall clock
    offset = value.utcoffset()
    if offset is None and value.fold:
        offset = value.replace(tzinfo=zone).utcoffset()
    local = (value.replace(tzinfo=None) - _EPOCH) // MICROSECOND
    return local, NAT if offset is None else offset // MICROSECOND


def _by_second(clocks: Integers, zone: tzinfo, offset_of: Callable[[datetime], timedelta | None]) -> Integers | int:
    """Return the offsets of `clocks`; no zone changes its offset within a second."""
    if isinstance(zone, ZoneInfo | timezone) and (fixed := zone.utcoffset(None)) is not None:
        return fixed // MICROSECOND
    seconds, positions = np.unique(clocks // SECOND, return_inverse=True)
    offsets = [_microseconds(offset_of, clock) for clock in seconds.view("datetime64[s]").tolist()]
    return np.array(offsets, dtype=np.int64)[positions]


def _microseconds(offset_of: Callable[[datetime], timedelta | None], clock: datetime) -> int:
    try:
        return (offset_of(clock) or timedelta(0)) // MICROSECOND
    except OverflowError:
        return _BEYOND
