"""What a reconciliation found and did."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.reconciliation.kinds import DIFFERENCES, Kind

MOST_SAMPLES = 20

# A sample shows what a person may want to look at.
_SAMPLED = (*DIFFERENCES, Kind.MISSED_BY_WALK, Kind.NOT_LOOKED_UP)

# An answer that was under way when the walk began may hold what changed since.
_SHOWN_AGAIN = (Kind.AGREES, Kind.AHEAD, Kind.OLDER_AT_PROVIDER)

_OLDER = (
    "; the cache has newer states of those that are older_at_provider: look whether the provider is right, and if it "
    "is, delete the keys customer:{ID} and customer:{ID}:tombstone of the sampled ids and reconcile"
)


@dataclass(frozen=True, kw_only=True)
class Reconciliation:
    """The report.

    Attributes:
        as_of: everything that was updated before was compared.
        check_only: whether nothing was to be published.
        at_provider: customers that the walk found, deleted ones and quarantined records included.
        in_cache: customers in the cache when the walk had ended.
        quarantined: records that are no customers, and so were not compared.
        counts: customers by kind; every kind is there.
        samples: some of their ids, by kind; at most twenty of each.
        outcomes: what the guard made of what was published.
        seconds: how long it took.
    """

    as_of: datetime
    check_only: bool
    at_provider: int
    in_cache: int
    quarantined: int
    counts: Mapping[Kind, int]
    samples: Mapping[Kind, Sequence[str]] = field(repr=False)
    outcomes: Outcomes
    seconds: float

    @property
    def differences(self) -> int:
        """How many customers were not the same."""
        return sum(self.counts[kind] for kind in DIFFERENCES)

    @property
    def agrees(self) -> bool:
        """Whether the cache agrees with the provider now: nothing differed, or all that differed was published."""
        return self.differences == 0 or (not self.check_only and self._older == 0)

    @property
    def said(self) -> str:
        """The result in one sentence."""
        left = self.counts[Kind.NOT_LOOKED_UP]
        open_ = f"; {left} that the walk did not find cannot be looked up, as their ids are steps in a path, and stay"
        return f"{self._said}{open_ if left else ''}"

    @property
    def _said(self) -> str:
        if self.differences == 0:
            return f"the cache agrees with the provider on {self.in_cache} customers"
        found = ", ".join(f"{self.counts[kind]} {kind}" for kind in DIFFERENCES if self.counts[kind])
        return f"{self.differences} customers differed ({found}); {self._done}"

    @property
    def _done(self) -> str:
        if self.check_only:
            return f"nothing was published{_OLDER if self._older else ''}"
        if not self._older:
            return "published, so that they agree now"
        rest = "the others were published" if self.differences > self._older else "nothing was published"
        return f"{rest}, {self._older} remain{_OLDER}"

    @property
    def _older(self) -> int:
        return self.counts[Kind.OLDER_AT_PROVIDER]


@dataclass(kw_only=True)
class Tally:
    """Counts while a reconciliation is under way."""

    counts: Counter[Kind] = field(default_factory=Counter)
    outcomes: Outcomes = field(default_factory=Outcomes)
    quarantined: int = 0
    _samples: dict[Kind, dict[str, None]] = field(default_factory=dict)

    def add(self, kind: Kind, customer_id: str) -> None:
        """Count one customer; whom the provider has shown as older and shows once more, only as it is shown then."""
        older = self._samples.get(Kind.OLDER_AT_PROVIDER, {})
        if kind in _SHOWN_AGAIN and customer_id in older:
            del older[customer_id]
            self.counts[Kind.OLDER_AT_PROVIDER] -= 1
        self.counts[kind] += 1
        sample = self._samples.setdefault(kind, {})
        if kind in _SAMPLED and len(sample) < MOST_SAMPLES:
            sample[customer_id] = None

    @property
    def samples(self) -> dict[Kind, tuple[str, ...]]:
        """Some ids of each kind that a person may want to look at."""
        return {kind: tuple(self._samples.get(kind, ())) for kind in _SAMPLED}
