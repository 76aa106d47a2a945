"""What a preview found: counts by window, and for a sample of customers which fields would differ."""

from dataclasses import dataclass
from enum import StrEnum
from functools import reduce
from typing import Any

from customer_pipeline.cache.publisher import Outcomes
from customer_pipeline.windows import Window


class Change(StrEnum):
    """What happens to a document, or to one of its fields."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldDifference:
    """One field that would differ.

    Attributes:
        field: its path in the document, such as `address.city`.
        change: a field that is null counts as not there.
        before: what it holds, by type and length; by value where values were asked for.
        after: what it would hold, in the same way.
    """

    field: str
    change: Change
    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True, slots=True)
class CustomerDifference:
    """One document that would appear, differ or go."""

    id: str
    change: Change
    fields: tuple[FieldDifference, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowPreview:
    """What one window would do.

    Attributes:
        window: which.
        fetched: records of the provider.
        quarantined: those of them that cannot be normalized.
        outcomes: what the guard would make of the others.
        suppressed: records that would be left out at one step or another, since their customers are erased.
    """

    window: Window
    fetched: int
    quarantined: int
    outcomes: Outcomes
    suppressed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What a backfill would do.

    Attributes:
        replay: whether it would take the records from the landing store.
        windows: oldest first, as they were published on the copy.
        customers: how many different customers they concern.
        changed: how many of those documents would appear, differ in more than their version, or go.
        sample: some of the latter.
        with_values: whether the sample has values, which are personal data, or says only of what type they are.
    """

    replay: bool
    windows: tuple[WindowPreview, ...]
    customers: int
    changed: int
    sample: tuple[CustomerDifference, ...]
    with_values: bool

    @property
    def outcomes(self) -> Outcomes:
        """The outcomes of all windows."""
        return reduce(lambda one, other: one + other, (each.outcomes for each in self.windows), Outcomes())

    @property
    def fetched(self) -> int:
        """The records of all windows."""
        return sum(each.fetched for each in self.windows)

    @property
    def quarantined(self) -> int:
        """The records of all windows that cannot be normalized."""
        return sum(each.quarantined for each in self.windows)

    @property
    def suppressed(self) -> int:
        """The records of erased customers in all windows."""
        return sum(each.suppressed for each in self.windows)

    def as_json(self) -> dict[str, Any]:
        """Return it as plain lists, dictionaries, numbers and texts."""
        return {
            "replay": self.replay,
            "with_values": self.with_values,
            "customers": self.customers,
            "changed": self.changed,
            "total": counts_of(self),
            "windows": [{"window": each.window.key, **counts_of(each)} for each in self.windows],
            "sample": [
                {
                    "id": customer.id,
                    "change": str(customer.change),
                    "fields": [
                        {
                            "field": field.field,
                            "change": str(field.change),
                            "before": field.before,
                            "after": field.after,
                        }
                        for field in customer.fields
                    ],
                }
                for customer in self.sample
            ],
        }


def counts_of(counted: WindowPreview | Report) -> dict[str, int]:
    """Return the numbers of a window, or of all, by name."""
    outcomes = counted.outcomes
    return {
        "fetched": counted.fetched,
        "quarantined": counted.quarantined,
        "applied": outcomes.applied,
        "unchanged": outcomes.unchanged,
        "stale": outcomes.stale,
        "deleted": outcomes.deleted,
        "suppressed": counted.suppressed,
    }
