"""The walk: every record that changed in a window, page by page, none lost while records are edited meanwhile.

Edits move records within a list, so a position (a page number, an offset, many cursors) can skip records that nobody
edited. The walk is therefore made of passes, and three rules say when a pass may be believed:

- A list in a declared order is continued by value: the next request asks again for a first page, from the last value
  seen. Only one page is ever read by position, and one page is one consistent answer.
- Where values do not help (no order, or more records at one instant than a page holds) pages are read by position,
  and the pass is repeated until two passes in a row agree. Newest-first without an upper bound only ever moves
  records towards the end, so there a pass is enough that finds nothing new.
- A pagination that the profile calls stable is followed once.
"""

import dataclasses
import hashlib
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from customer_pipeline import timestamps
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.provider import pagination
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.transport import Answer, Transport
from customer_pipeline.windows import Window

# Renderings that cut off fractions of a second may make a sorted list look unsorted by less than this.
_ORDER_TOLERANCE = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one answer that belong to the window, in the provider's order.

    Attributes:
        records: each record's JSON text.
        ids: the usable ids, None elsewhere.
        updated_at: `datetime64[us, UTC]`, `NaT` where unusable.
        fetched_at: when the page was asked for.
    """

    records: list[str]
    ids: list[str | None]
    updated_at: pd.Series
    fetched_at: datetime


@dataclass(slots=True)
class WalkStats:
    """What a walk did.

    Attributes:
        rows: records handed out.
        pages: pages received.
        passes: passes made, those included that were repeated to be believed.
        redelivered: records received again unchanged, not handed out twice.
        outside: records outside the window, not handed out.
        requests: requests sent, tries and redirects included.
        retries: tries after the first of a request.
        bytes: bytes of the bodies, uncompressed.
        seconds: duration of the walk.
        clock_difference: the provider's clock minus ours, the largest measured.
    """

    rows: int = 0
    pages: int = 0
    passes: int = 0
    redelivered: int = 0
    outside: int = 0
    requests: int = 0
    retries: int = 0
    bytes: int = 0
    seconds: float = 0.0
    clock_difference: timedelta | None = None


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What the provider is asked for; both bounds are multiples of the sent format's resolution."""

    since: datetime
    until: datetime


_Key = tuple[str, int]


@dataclass(slots=True)
class _Received:
    """One answer with what its records identify as.

    Attributes:
        keys: id and `updated_at` in epoch microseconds; a record without a usable id is known by its text.
        plausible: which records have an `updated_at` that can be compared with the window.
        last: whether the provider has no page after this one.
    """

    answer: Answer
    ids: list[str | None]
    updated_at: pd.Series
    keys: list[_Key]
    plausible: pd.Series
    last: bool = False

    @property
    def instants(self) -> pd.Series:
        return self.updated_at[self.plausible]


@dataclass(slots=True)
class _Pass:
    """What one pass has seen."""

    pages: int = 0
    rows: int = 0
    fresh: int = 0
    repeated: int = 0
    total: int | None = None
    _unique: set[_Key] = field(default_factory=set)
    _fingerprints: set[bytes] = field(default_factory=set)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, page: _Received, *, remember: bool) -> None:
        text = "".join(map(repr, page.keys)).encode("utf-8", "backslashreplace")
        fingerprint = hashlib.sha256(text).digest()
        if page.keys and fingerprint in self._fingerprints:
            raise ProviderMisbehaved("the provider returns a page that it has returned before", page.answer.facts)
        self._fingerprints.add(fingerprint)
        self._digest.update(text)
        self.pages += 1
        self.rows += len(page.keys)
        if remember:
            unique = set(page.keys)
            self.repeated += len(unique & self._unique)
            self._unique |= unique

    @property
    def sequence(self) -> tuple[int, bytes]:
        """Equal for two passes that saw the same records in the same order."""
        return self.rows, self._digest.digest()

    @property
    def whole(self) -> bool:
        """Whether the pages add up: no record on two of them, and as many as the provider states."""
        return self.repeated == 0 and (self.total is None or self.rows >= self.total)


class Walk:
    """One walk over one window; iterate it once, then read `stats`.

    Memory holds one page and, unless the pagination is stable, the keys of the records between two values.

    Raises:
        ProviderError: one of its four kinds, while iterating.
    """

    def __init__(self, transport: Transport, profile: Profile, window: Window) -> None:
        self._transport = transport
        self._profile = profile
        self._style = profile.pagination
        self._identify = Identifier(profile)
        sent = profile.list.datetimes
        self._resolution = timestamps.sent_resolution(format=sent.format, digits=sent.digits)
        self._handed_out: set[tuple[_Key, int]] = set()
        self.window = window
        self.stats = WalkStats()

    def __iter__(self) -> Iterator[Page]:
        started = time.monotonic()
        before = dataclasses.replace(self._transport.traffic)
        bounds: _Bounds | None = _Bounds(
            timestamps.floor_sent(self.window.start - self._profile.lookback, self._resolution),
            timestamps.ceil_sent(self.window.end, self._resolution),
        )
        try:
            while bounds is not None and bounds.since < bounds.until:
                bounds = yield from self._believable(bounds)
        finally:
            traffic = self._transport.traffic
            self.stats.requests = traffic.requests - before.requests
            self.stats.retries = traffic.retries - before.retries
            self.stats.bytes = traffic.bytes - before.bytes
            self.stats.seconds = time.monotonic() - started

    def _believable(self, bounds: _Bounds) -> Generator[Page, None, _Bounds | None]:
        """Make passes from `bounds` until one may be believed; return where to continue, or None at the end."""
        previous: _Pass | None = None
        for _ in range(self._style.max_passes):
            current = _Pass()
            self.stats.passes += 1
            following: _Bounds | None = None
            for page in self._pages(bounds, current):
                facts = page.answer.facts
                yield from self._hand_out(page, current)
                following = None if page.last else self._continue_by_value(bounds, page)
                if following or (previous and current.sequence == previous.sequence):
                    break
            if self._is_believed(current, previous, finished=following is None):
                return following
            if self._style.stable:
                break
            previous = current
        stated = "" if current.total is None else f" of the {current.total} that the provider states"
        raise ProviderMisbehaved(
            f"the list is not the same twice: {current.rows} records{stated} in the last of {self.stats.passes} passes; "
            "if the provider can sort by updated_at, set pagination.order in the profile",
            facts,
        )

    def _is_believed(self, current: _Pass, previous: _Pass | None, *, finished: bool) -> bool:
        whole = current.whole or not finished
        if self._style.stable or current.pages == 1:
            return whole
        if previous is None:
            return False
        if self._only_grows_in_front:
            return current.fresh == 0
        return whole and current.sequence == previous.sequence

    @property
    def _only_grows_in_front(self) -> bool:
        return self._style.order == "descending" and not self._profile.list.bounded

    def _pages(self, bounds: _Bounds, current: _Pass) -> Iterator[_Received]:
        """Read one pass by position, from the first page to the last."""
        sent = self._profile.list.datetimes
        since, until = (
            timestamps.format_sent(bound, format=sent.format, digits=sent.digits, offset=sent.offset)
            for bound in (bounds.since, bounds.until)
        )
        query = {
            name: value.replace("{since}", since).replace("{until}", until)
            for name, value in self._profile.list.query.items()
        }
        list_url = f"{self._transport.base_url}/{self._profile.list.path.lstrip('/')}"
        paginator = pagination.paginator(self._style)
        turn: pagination.Turn | None = paginator.first()
        url = list_url
        while turn is not None:
            if turn.link is None:
                answer = self._transport.get(list_url, {**query, **turn.params})
            else:
                answer = self._transport.get(self._transport.same_origin(url, turn.link, answer.facts))
            url = answer.url
            page = self._received(answer)
            self._check(bounds, page)
            current.add(page, remember=not self._style.stable)
            self.stats.pages += 1
            try:
                current.total = pagination.total_of(self._style, answer.body.document)
                last_id = page.ids[-1] if page.ids else None
                turn = paginator.after(
                    pagination.Arrived(answer.body.document, answer.headers, len(page.ids), current.rows, last_id)
                )
            except pagination.PaginationError as error:
                raise ProviderMisbehaved(str(error), answer.facts) from None
            page.last = turn is None
            yield page

    def _received(self, answer: Answer) -> _Received:
        ids, updated_at = self._identify(answer.body.records)
        microseconds = updated_at.astype("int64").tolist()
        keys = [
            (text if identity is None else f"={identity}", instant)
            for identity, text, instant in zip(ids, answer.body.texts, microseconds, strict=True)
        ]
        ahead = answer.clock_difference or timedelta(0)
        if self.stats.clock_difference is None or ahead > self.stats.clock_difference:
            self.stats.clock_difference = answer.clock_difference
        latest = answer.sent_at + ahead + self._profile.future_margin
        plausible = (updated_at >= timestamps.EARLIEST_PLAUSIBLE) & (updated_at <= latest)
        return _Received(answer, ids, updated_at, keys, plausible)

    def _check(self, bounds: _Bounds, page: _Received) -> None:
        """Refuse an answer that shows that the filter or the order was ignored."""
        instants = page.instants
        outside = 0
        if self._profile.list.filtered:
            outside += int((instants < bounds.since).sum())
        if self._profile.list.bounded:
            outside += int((instants > bounds.until).sum())
        if outside:
            raise ProviderMisbehaved(
                f"{outside} of {len(page.ids)} records on a page lie outside the time that was asked for: "
                "the provider ignores the filter, or reads its datetimes otherwise; check list.query and list.datetimes",
                page.answer.facts,
            )
        steps = instants.diff().dropna()
        backwards = {
            "ascending": steps < -_ORDER_TOLERANCE,
            "descending": steps > _ORDER_TOLERANCE,
        }.get(self._style.order)
        if backwards is not None and backwards.any():
            raise ProviderMisbehaved(
                f"the records are not in {self._style.order} order of updated_at, as pagination.order says; "
                "check the sort parameter in list.query, or remove pagination.order",
                page.answer.facts,
            )

    def _continue_by_value(self, bounds: _Bounds, page: _Received) -> _Bounds | None:
        """Return bounds that begin at the last value seen, or None where that would not move on.

        One unit of the sent format is stepped back, so that it does not matter whether the provider's comparison
        includes its bound; what comes twice is not handed out twice.
        """
        instants = page.instants
        if instants.empty or self._style.stable:
            return None
        if self._style.order == "ascending":
            since = timestamps.floor_sent(instants.max().to_pydatetime(), self._resolution) - self._resolution
            return _Bounds(since, bounds.until) if since > bounds.since else None
        if self._style.order == "descending" and self._profile.list.bounded:
            until = timestamps.ceil_sent(instants.min().to_pydatetime(), self._resolution) + self._resolution
            return _Bounds(bounds.since, until) if until < bounds.until else None
        if self._style.order == "descending" and instants.min() < bounds.since:
            return _Bounds(bounds.until, bounds.until)
        return None

    def _hand_out(self, page: _Received, current: _Pass) -> Iterator[Page]:
        """Yield what lies in the window and was not handed out before."""
        since = self.window.start - self._profile.lookback
        inside = ~page.plausible | ((page.updated_at >= since) & (page.updated_at < self.window.end))
        self.stats.outside += int((~inside).sum())
        kept: list[int] = []
        for position in np.flatnonzero(inside):
            if not self._style.stable:
                key = (page.keys[position], hash(page.answer.body.texts[position]))
                if key in self._handed_out:
                    self.stats.redelivered += 1
                    continue
                self._handed_out.add(key)
            kept.append(int(position))
        current.fresh += len(kept)
        self.stats.rows += len(kept)
        if kept:
            yield Page(
                [page.answer.body.texts[position] for position in kept],
                [page.ids[position] for position in kept],
                page.updated_at.iloc[kept].reset_index(drop=True),
                page.answer.sent_at,
            )
