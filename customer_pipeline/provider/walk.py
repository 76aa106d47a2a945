"""The walk: every record that changed in a window, page by page, none lost while records are edited meanwhile.

Edits move records within a list, so a position (a page number, an offset, many cursors) can skip records that nobody
edited. The walk is therefore made of passes, and these rules say when a pass may be believed:

- A list in a declared order is continued by value: the next request asks again for a first page, from the last value
  seen. Only one page is ever read by position, and one page is one consistent answer.
- Where values do not help (no order, or more records at one instant than a page holds) pages are read by position,
  and the pass is repeated until two passes in a row agree and no record stood on two pages. Every record of the first
  of them was then still in its place when the second began, so nothing had moved towards the front over a page's edge.
- Newest-first without an upper bound, edits only ever move records towards the end, and only deletions towards the
  front. There a pass is enough that finds nothing new and every customer again that the pass before it found.
- A pagination that the profile calls stable is followed once.

A pass that goes round in a loop, that is refused in the middle because the record that its cursor stands for is gone,
or that has fewer records than the provider states, is repeated like any other that is not believed: edits can be the
cause. When two such passes are alike, they are not.

A record that is edited while the walk is under way comes in its old state, in its new one, or lies beyond the window.
Where the window has not ended by the provider's clock and edits move records against the direction of the walk, its
new state may be missed; it is as young as the walk, and the next window's lookback asks for it again.
"""

import dataclasses
import time
from collections.abc import Generator, Iterator
from datetime import timedelta

from customer_pipeline.customers.identity import Identifier
from customer_pipeline.provider import pagination
from customer_pipeline.provider.delivery import Delivery, Page, WalkStats
from customer_pipeline.provider.errors import ProviderMisbehaved, ProviderRejected, RequestFacts
from customer_pipeline.provider.passes import Pass, Totals
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.received import Bounds, Expectation, Received, identify
from customer_pipeline.provider.retry import CREDENTIALS_REFUSED
from customer_pipeline.provider.transport import Answer, Transport
from customer_pipeline.windows import Window

# How much of the lookback is kept for records that become visible late, and how far clocks may always differ.
_LOOKBACK_RESERVE = timedelta(seconds=30)
_CLOCK_TOLERANCE = timedelta(seconds=5)


class Walk:
    """One walk over one window; iterate it once, then read `stats`.

    Memory holds one page and, unless the pagination is stable, the keys of the records between two values: of all
    records where the list is not continued by value.

    Attributes:
        settled: the part of the window of which everything was handed out for sure; None before any is.
        facts: of the newest answer, for an error about the walk as a whole.
        stated: how many records the provider says that the window has, lookback included; None where it does not say.

    Raises:
        ProviderError: one of its four kinds, while iterating.
    """

    def __init__(self, transport: Transport, profile: Profile, window: Window, *, generous: bool = False) -> None:
        self._transport = transport
        self._profile = profile
        self._style = profile.pagination
        self._identifier = Identifier(profile)
        self._expectation = Expectation(profile, window)
        self._totals = Totals()
        self.window = window
        self.stats = WalkStats()
        self._delivery = Delivery(profile, window, self._expectation, self.stats, generous=generous)
        self.settled: Window | None = None
        self.stated: int | None = None
        self.facts: RequestFacts

    def __iter__(self) -> Generator[Page]:
        started = time.monotonic()
        before = dataclasses.replace(self._transport.traffic)
        try:
            yield from self._whole()
        finally:
            traffic = self._transport.traffic
            self.stats.requests = traffic.requests - before.requests
            self.stats.retries = traffic.retries - before.retries
            self.stats.bytes = traffic.bytes - before.bytes
            self.stats.waited = traffic.waited - before.waited
            self.stats.seconds = time.monotonic() - started

    def _whole(self) -> Iterator[Page]:
        """Walk until as many customers were seen as the provider stated at first; edits may have taken some away."""
        missing: tuple[int, int] | None = None
        for _ in range(self._style.max_passes):
            self._totals, self.settled, steps = Totals(), None, 0
            bounds: Bounds | None = self._expectation.bounds(
                self.window.start - self._profile.lookback, self.window.end
            )
            while bounds is not None and bounds.since < bounds.until:
                bounds = yield from self._believable(bounds)
                self.settled = self._settled(bounds)
                steps += 1
            read_to_its_end = bounds is None and steps > 1
            seen, stated = self._totals.seen, self._totals.first
            if not read_to_its_end or stated is None or seen >= stated:
                return
            if missing == (seen, stated):
                break
            missing = seen, stated
        raise ProviderMisbehaved(
            f"{seen} of the {stated} records that the provider states were found; "
            "check that it sorts as pagination.order says, or remove pagination.order or pagination.total",
            self.facts,
        )

    def _settled(self, following: Bounds | None) -> Window | None:
        """Return what needs not be asked for again, when the walk goes on with `following`."""
        start, end = self.window.start, self.window.end
        if following is None:
            return self.window
        if self._style.order == "descending":
            return Window(max(following.until, start), end) if following.until < end else None
        return Window(start, min(following.since, end)) if following.since > start else None

    def _believable(self, bounds: Bounds) -> Generator[Page, None, Bounds | None]:
        """Make passes from `bounds` until one may be believed; return where to continue, or None at the end."""
        previous: Pass | None = None
        for _ in range(self._style.max_passes):
            current = Pass(remember=not self._style.stable)
            self.stats.passes += 1
            unbroken = None if previous and previous.broken else previous
            following: Bounds | None = None
            for page in self._pages(bounds, current):
                facts = page.answer.facts
                if (handed_out := self._delivery.select(page)) is not None:
                    current.fresh += len(handed_out.records)
                    yield handed_out
                following = None if page.last or self._style.stable else self._expectation.continued(bounds, page)
                if following or (current.is_like(unbroken) and current.reaches_total):
                    break
            finished = following is None
            if not current.broken and self._is_believed(current, unbroken, bounds=bounds, finished=finished):
                self._delivery.forget(following, self._expectation.allowance(page))
                return following
            # Nothing changed from one pass to the next, so nothing would in a third.
            hopeless = (
                previous is not None
                and current.is_like(previous)
                and bool(current.broken) == bool(previous.broken)
                and (self._style.stable or current.fresh == 0)
            )
            previous = current
            if hopeless:
                break
        if current.broken:
            raise current.broken
        least = current.totals.least
        stated = "" if least is None else f" of the {least} that the provider states"
        raise ProviderMisbehaved(
            f"the list is not the same twice: {current.rows} records{stated} in the last of "
            f"{self.stats.passes} passes; "
            "if the provider can sort by updated_at, set pagination.order in the profile",
            facts,
        )

    def _is_believed(self, current: Pass, previous: Pass | None, *, bounds: Bounds, finished: bool) -> bool:
        if finished and not current.reaches_total:
            return False
        if self._style.stable or current.pages == 1:
            return current.repeated == 0
        if previous is None:
            return False
        if current.repeated == 0 and current.is_like(previous):
            return True
        only_grows_in_front = self._style.order == "descending" and not self._profile.list.bounded
        return only_grows_in_front and current.fresh == 0 and current.has_all_of(previous, since=bounds.since)

    def _pages(self, bounds: Bounds, current: Pass) -> Iterator[Received]:
        """Read one pass by position, from the first page to the last."""
        query = self._profile.list.query_between(bounds.since, bounds.until)
        paginator = pagination.paginator(self._style)
        turn: pagination.Turn | None = paginator.first()
        answer: Answer | None = None
        while turn is not None:
            try:
                answer = self._ask(turn, query, answer)
            except ProviderRejected as error:
                if answer is None or error.request.status in CREDENTIALS_REFUSED:
                    raise
                if current.totals.least is not None and current.reaches_total:
                    return  # some providers refuse the page after the last
                current.broken = ProviderMisbehaved(
                    "the provider refuses to go on after a page: its cursor is no longer valid, or the record that it "
                    "stands for is gone, or pages end before the list does",
                    error.request,
                )
                return
            page = self._received(answer)
            self._expectation.check(bounds, page)
            self.stats.pages += 1
            try:
                turn = self._add(page, current, paginator)
            except pagination.LoopError as error:
                current.broken = ProviderMisbehaved(str(error), answer.facts)
            except pagination.PaginationError as error:
                raise ProviderMisbehaved(str(error), answer.facts, transient=False) from None
            yield page
            if current.broken:
                return

    def _ask(self, turn: pagination.Turn, query: dict[str, str], before: Answer | None) -> Answer:
        if turn.link is None or before is None:
            return self._transport.get(self._transport.list_url, {**query, **turn.params})
        return self._transport.get(self._transport.same_origin(before.url, turn.link, before.facts))

    def _add(self, page: Received, current: Pass, paginator: pagination.Paginator) -> pagination.Turn | None:
        document = page.answer.body.document
        if document is None:  # no content
            current.add(page, total=None)
            page.last = True
            return None
        total = pagination.total_of(self._style, document)
        current.add(page, total=total)
        self._totals.add(page, total)
        self.stated = self._totals.first
        last_id = page.ids[-1] if page.ids else None
        turn = paginator.after(pagination.Arrived(document, page.answer.headers, len(page.ids), current.rows, last_id))
        page.last = turn is None
        return turn

    def _received(self, answer: Answer) -> Received:
        measured, largest = answer.clock_difference, self.stats.clock_difference
        if measured is not None and (largest is None or measured > largest):
            self.stats.clock_difference = measured
        self.facts = answer.facts
        self._require_past(answer)
        return identify(answer, self._identifier, future_margin=self._profile.future_margin)

    def _require_past(self, answer: Answer) -> None:
        """Refuse to walk a window that has not ended by the provider's clock, but for what the next lookback covers."""
        if answer.clock_difference is None:
            return
        theirs = answer.received_at + answer.clock_difference
        if theirs < self.window.end - max(self._profile.lookback - _LOOKBACK_RESERVE, _CLOCK_TOLERANCE):
            raise ProviderMisbehaved(
                f"the provider's clock is {-answer.clock_difference.total_seconds():.0f} s behind, and the window has "
                f"not ended there; set lookback to {_LOOKBACK_RESERVE.total_seconds():.0f} s more than that",
                answer.facts,
            )
