"""What a walk hands out: the records of its window, each state once; and its counts."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from customer_pipeline import timestamps
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.received import Bounds, Expectation, Key, Received
from customer_pipeline.windows import Window

_NO_INSTANT = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class Page:
    """Records of one answer that belong to the window, in the provider's order.

    Attributes:
        records: each record's JSON text.
        ids: the usable ids, None elsewhere.
        updated_at: `datetime64[us, UTC]`, `NaT` where unusable.
        fetched_at: when the page was asked for.
    """

    records: list[str] = field(repr=False)
    ids: list[str | None] = field(repr=False)
    updated_at: pd.Series = field(repr=False)
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
        waited: how much of it was waiting for the pipeline's own request budget.
        clock_difference: the provider's clock minus ours, the largest measured; None if no answer said its time.
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
    waited: timedelta = timedelta(0)
    clock_difference: timedelta | None = None


class Delivery:
    """Selects what is handed out, and remembers it unless the pagination is stable.

    Where windows have no lookback, a record that shows its time roughly may show one outside of the window that it
    belongs to: a generous delivery hands out what may belong to it.
    """

    def __init__(
        self, profile: Profile, window: Window, expectation: Expectation, stats: WalkStats, *, generous: bool = False
    ) -> None:
        self._generous = generous
        self._since = window.start - profile.lookback
        self._until = window.end
        self._style = profile.pagination
        self._expectation = expectation
        self._stats = stats
        # The text of a state is known by its hash: the key beside it is exact.
        self._handed_out: dict[Key, int] = {}

    def select(self, page: Received) -> Page | None:
        """Return what lies in the window and was not handed out before, or None."""
        before, behind = self._expectation.benefit_of_doubt(page)
        if self._generous:
            allowance = self._expectation.allowance(page)
            before, behind = max(before, allowance), max(behind, allowance)
        since, until = (timestamps.epoch_microseconds(at) for at in (self._since - before, self._until + behind))
        inside = ~page.plausible | ((page.instants >= since) & (page.instants < until))
        kept: list[int] = np.flatnonzero(inside).tolist()
        texts = page.answer.body.texts
        self._stats.outside += len(texts) - len(kept)
        if not self._style.stable:
            kept = self._new(page, kept)
        self._stats.rows += len(kept)
        if not kept:
            return None
        return Page(
            [texts[position] for position in kept],
            [page.ids[position] for position in kept],
            page.updated_at.iloc[kept].reset_index(drop=True),
            page.answer.sent_at,
        )

    def _new(self, page: Received, positions: list[int]) -> list[int]:
        new = []
        for position in positions:
            key, text = page.keys[position], hash(page.answer.body.texts[position])
            if self._handed_out.get(key) != text:
                self._handed_out[key] = text
                new.append(position)
        self._stats.redelivered += len(positions) - len(new)
        return new

    def forget(self, bounds: Bounds | None, allowance: timedelta) -> None:
        """Drop the keys of records that lie behind where the walk goes on: they are not asked for again."""
        if bounds is None:
            self._handed_out.clear()
            return
        since = timestamps.epoch_microseconds(bounds.since - allowance)
        until = timestamps.epoch_microseconds(bounds.until + allowance)
        if self._style.order == "descending":
            self._handed_out = {key: text for key, text in self._handed_out.items() if key[1] <= until}
        else:
            self._handed_out = {key: text for key, text in self._handed_out.items() if not _NO_INSTANT < key[1] < since}
