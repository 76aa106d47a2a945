"""The names of the keys, and nothing of what they hold."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class CacheKeys:
    """The keys of the cache contract.

    The braces around an id are literal: they are a hash tag, which keeps a customer's document and tombstone in one
    slot of a cluster.

    Raises:
        ValueError: if the prefix is empty or holds a brace or white space.
    """

    prefix: str = "customer"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[^\s{}]+", self.prefix):
            raise ValueError(
                f"a key prefix is text without braces and white space, such as customer, not {self.prefix!r}"
            )

    def document(self, customer_id: str) -> str:
        """Return the key of a customer's document."""
        return f"{self.prefix}:{{{customer_id}}}"

    def tombstone(self, customer_id: str) -> str:
        """Return the key of the mark that a customer was deleted."""
        return f"{self.prefix}:{{{customer_id}}}:tombstone"

    @property
    def documents(self) -> str:
        """The pattern of all documents' keys; no other key of the contract matches it."""
        return re.sub(r"([*?\[\]\\])", r"\\\1", self.prefix) + ":{*}"

    @property
    def by_updated_at(self) -> str:
        """The key of the index of live customers by `updated_at`."""
        return f"{self.prefix}s:by_updated_at"

    @property
    def coverage(self) -> str:
        """The key of the published intervals."""
        return f"{self.prefix}s:coverage"

    @property
    def freshness(self) -> str:
        """The key of what a reader may know of the coverage."""
        return f"{self.prefix}s:freshness"

    @property
    def snapshot(self) -> str:
        """The key of what is known of the full load."""
        return f"{self.prefix}s:snapshot"
