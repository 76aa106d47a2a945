"""One pass over a list by position: what it has seen, and whether that can be all."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from customer_pipeline import timestamps
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.received import Key, Received

# Servers that search page by page may find nothing for a while; one that never finds anything has to be stopped.
MOST_EMPTY_PAGES = 1000


@dataclass(slots=True)
class Totals:
    """The totals that the provider states, beside the customers that were seen while it stated one.

    Attributes:
        first: the first total.
        least: the smallest.
    """

    first: int | None = None
    least: int | None = None
    _names: set[int] = field(default_factory=set)

    def add(self, page: Received, total: int | None) -> None:
        """Add a page and the total beside it, if any."""
        if total is None:
            return
        self.first = total if self.first is None else self.first
        self.least = total if self.least is None else min(total, self.least)
        self._names.update(hash(name) for name, _ in page.keys)

    @property
    def seen(self) -> int:
        """How many different customers were seen."""
        return len(self._names)


@dataclass(slots=True)
class Pass:
    """What one pass has seen.

    Attributes:
        remember: whether to keep the records' keys; without them `repeated` and `has_all_of` mean nothing.
        fresh: records that no pass before has seen.
        repeated: records that stood on an earlier page too.
        totals: what the provider has stated.
        broken: why the pass could not be followed to its end.
        unique: the keys of all records, if they are remembered.
        fingerprints: one for each page.
        digest: over all keys, in order.
    """

    remember: bool
    pages: int = 0
    rows: int = 0
    fresh: int = 0
    repeated: int = 0
    totals: Totals = field(default_factory=Totals)
    broken: ProviderMisbehaved | None = None
    _empty: int = 0
    unique: set[Key] = field(default_factory=set)
    fingerprints: set[bytes] = field(default_factory=set)
    digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, page: Received, *, total: int | None) -> None:
        """Add the next page; a page that came before breaks the pass."""
        text = "".join(map(repr, page.keys)).encode("utf-8", "backslashreplace")
        fingerprint = hashlib.sha256(text).digest()
        self._empty = 0 if page.keys else self._empty + 1
        if page.keys and fingerprint in self.fingerprints:
            self.broken = ProviderMisbehaved(
                "the provider returns a page that it has returned before", page.answer.facts
            )
        elif self._empty > MOST_EMPTY_PAGES:
            self.broken = ProviderMisbehaved(
                f"more than {MOST_EMPTY_PAGES} pages in a row are empty", page.answer.facts
            )
        self.fingerprints.add(fingerprint)
        self.digest.update("".join(repr(name) for name, _ in page.keys).encode("utf-8", "backslashreplace"))
        self.pages += 1
        self.rows += len(page.keys)
        self.totals.add(page, total)
        if self.remember:
            unique = set(page.keys)
            self.repeated += len(unique & self.unique)
            self.unique |= unique

    def is_like(self, other: "Pass | None") -> bool:
        """Say whether both passes saw the same customers in the same order: edits in place do not matter."""
        return other is not None and self.rows == other.rows and self.digest.digest() == other.digest.digest()

    def has_all_of(self, other: "Pass", *, since: datetime) -> bool:
        """Say whether every customer that the other pass saw, changed at or after `since`, was seen again."""
        start = timestamps.epoch_microseconds(since)
        seen = {name for name, _ in self.unique}
        return all(name in seen for name, at in other.unique if at >= start and name.startswith("="))

    @property
    def reaches_total(self) -> bool:
        """Whether there were as many different customers as the provider states."""
        return self.totals.least is None or self.totals.seen >= self.totals.least
