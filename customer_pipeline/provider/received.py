"""One answer, identified and compared with what was asked for: bounds, order, and where a list goes on by value."""

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from customer_pipeline import timestamps
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.transport import Answer
from customer_pipeline.windows import Window

Key = tuple[str, int]

_SECOND = 1_000_000
_MINUTE = 60 * _SECOND
_DAY = 24 * 60 * _MINUTE
_MINUTE_LONG = timedelta(minutes=1)
_NEAR = timedelta(hours=3)
# A record that a busy provider edited between finding and showing it is this young.
_JUST_NOW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the provider is asked for; both bounds are multiples of the sent format's resolution."""

    since: datetime
    until: datetime


@dataclass(slots=True)
class Received:
    """One answer with what its records identify as.

    Attributes:
        keys: id and `updated_at` in epoch microseconds; a record without a usable id is known by its text's hash.
        instants: `updated_at` in epoch microseconds; the lowest number where unusable.
        plausible: which records have an `updated_at` that can be compared with the window.
        last: whether the provider has no page after this one.
    """

    answer: Answer
    ids: list[str | None]
    updated_at: pd.Series
    keys: list[Key]
    instants: npt.NDArray[np.int64]
    plausible: npt.NDArray[np.bool_]
    last: bool = False

    @property
    def comparable(self) -> npt.NDArray[np.int64]:
        """The instants of the plausible records, in the provider's order."""
        return self.instants[self.plausible]

    @property
    def uncertainty(self) -> timedelta:
        """How far a shown `updated_at` may lie from the one that the provider filters and sorts by.

        Fractions may be cut off or rounded, or sorted as text: a second. Where all records show whole minutes, the
        seconds may be cut off: a minute. Where all show whole quarters of an hour, it may be a date in any zone: a day.
        """
        instants = self.comparable
        if (instants % _MINUTE).any():
            return timedelta(seconds=1)
        return timedelta(minutes=1) if (instants % (15 * _MINUTE)).any() else timedelta(days=1)


def identify(answer: Answer, identifier: Identifier, *, future_margin: timedelta) -> Received:
    """Read ids and instants of an answer's records."""
    ids, updated_at = identifier(answer.body.records)
    instants = updated_at.to_numpy(dtype="datetime64[us]").view(np.int64)
    keys = [
        (f"#{hash(text)}" if identity is None else f"={identity}", at)
        for identity, text, at in zip(ids, answer.body.texts, instants.tolist(), strict=True)
    ]
    # A provider whose clock is behind, or who sends a fixed date, may still show what our clock allows.
    ahead = max(answer.clock_difference or timedelta(0), timedelta(0))
    latest = timestamps.epoch_microseconds(answer.received_at + ahead + future_margin)
    plausible = (instants >= timestamps.epoch_microseconds(timestamps.EARLIEST_PLAUSIBLE)) & (instants <= latest)
    return Received(answer, ids, updated_at, keys, instants, plausible)


def _repeated_hour(zone: tzinfo, window: Window) -> timedelta:
    """Return how much of the local time around `window` comes twice: there a naive value may mean a later instant."""
    before, after = ((at.astimezone(zone)).utcoffset() for at in (window.start - _NEAR, window.end + _NEAR))
    return max((before or timedelta(0)) - (after or timedelta(0)), timedelta(0))


class Expectation:
    """What a profile promises of every answer to a request with bounds."""

    def __init__(self, profile: Profile, window: Window) -> None:
        sent = profile.list.datetimes
        self._filtered = profile.list.filtered
        self._bounded = profile.list.bounded
        self._order = profile.pagination.order
        self._fold = _repeated_hour(profile.datetimes.zone, window)
        self._resolution = timestamps.sent_resolution(format=sent.format, digits=sent.digits)

    def bounds(self, start: datetime, end: datetime) -> Bounds:
        """Return bounds that hold `[start, end)`, whether or not the provider's comparisons include their bounds."""
        return Bounds(
            timestamps.floor_sent(start, self._resolution) - self._resolution,
            timestamps.ceil_sent(end, self._resolution),
        )

    def allowance(self, page: Received) -> timedelta:
        """Return how far beyond the bounds a record may show: the provider may compare only what the format can say."""
        return page.uncertainty + self._resolution

    def benefit_of_doubt(self, page: Received) -> tuple[timedelta, timedelta]:
        """Return how far before and behind the window a shown instant may lie that belongs to it.

        A provider that filters precisely and shows dates or hours knows better than it shows. So does, in the hour that
        a zone repeats, one that shows local times.
        """
        coarse = (
            page.uncertainty if page.uncertainty > _MINUTE_LONG and self._resolution <= _MINUTE_LONG else timedelta(0)
        )
        return (
            max(coarse if self._filtered else timedelta(0), self._fold),
            max(coarse if self._bounded else timedelta(0), self._fold),
        )

    def check(self, bounds: Bounds, page: Received) -> None:
        """Refuse an answer that shows that the filter or the order was ignored.

        Raises:
            ProviderMisbehaved: if it was.
        """
        instants = page.comparable
        allowance = self.allowance(page) + self._fold
        outside = 0
        if self._filtered:
            outside += int((instants < timestamps.epoch_microseconds(bounds.since - allowance)).sum())
        if self._bounded:
            clock = page.answer.sent_at + (page.answer.clock_difference or timedelta(0))
            just_now = instants >= timestamps.epoch_microseconds(clock - _JUST_NOW)
            late = instants > timestamps.epoch_microseconds(bounds.until + allowance)
            few = late.sum() <= instants.size // 2
            outside += int((late & ~just_now).sum() if few else late.sum())
        if outside:
            raise ProviderMisbehaved(
                f"{outside} of {len(page.ids)} records on a page lie outside the time that was asked for: "
                "the provider ignores the filter, or reads datetimes otherwise; check list.query and list.datetimes",
                page.answer.facts,
                transient=False,
            )
        if self._order == "ascending":
            backwards = np.maximum.accumulate(instants) - instants
        elif self._order == "descending":
            backwards = instants - np.minimum.accumulate(instants)
        else:
            return
        if (backwards > (page.uncertainty + self._fold) // timedelta(microseconds=1)).any():
            raise ProviderMisbehaved(
                f"the records are not in {self._order} order of updated_at, as pagination.order says; "
                "check the sort parameter in list.query, or remove pagination.order",
                page.answer.facts,
                transient=False,
            )

    def continued(self, bounds: Bounds, page: Received) -> Bounds | None:
        """Return bounds that begin at the last value of `page`, or None where that would not move on.

        One unit of the sent format and what the shown datetimes leave uncertain is stepped back; what comes twice is
        not handed out twice.
        """
        instants = page.comparable
        if not instants.size:
            return None
        if self._order == "ascending":
            newest = timestamps.from_epoch_microseconds(int(instants.max()))
            since = timestamps.floor_sent(newest - page.uncertainty, self._resolution) - self._resolution
            return Bounds(since, bounds.until) if since > bounds.since else None
        oldest = timestamps.from_epoch_microseconds(int(instants.min()))
        if self._order == "descending" and self._bounded:
            if self._fold or not (instants % _SECOND).any():
                return None  # how coarsely instants are shown is not known: they may be later than they look
            until = timestamps.ceil_sent(oldest + page.uncertainty, self._resolution) + self._resolution
            return Bounds(bounds.since, until) if until < bounds.until else None
        if self._order == "descending" and oldest < bounds.since - page.uncertainty:
            return Bounds(bounds.until, bounds.until)
        return None
