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

    def unannounced(self, customer_id: str) -> str:
        """Return the key of what a cluster's stream does not tell of a customer yet; in the slot of the document."""
        return f"{self.prefix}:{{{customer_id}}}:unannounced"

    @property
    def documents(self) -> str:
        """The pattern of all documents' keys; no other key of the contract matches it."""
        return f"{self._quoted}:{{*}}"

    @property
    def notes(self) -> str:
        """The pattern of the keys of what a cluster's stream does not tell of yet."""
        return f"{self._quoted}:{{*}}:unannounced"

    @property
    def _quoted(self) -> str:
        return re.sub(r"([*?\[\]\\])", r"\\\1", self.prefix)

    @property
    def by_updated_at(self) -> str:
        """The key of the index of live customers by `updated_at`."""
        return f"{self.prefix}s:by_updated_at"

    @property
    def by_email(self) -> str:
        """The key of the index of live customers by e-mail address."""
        return f"{self.prefix}s:by_email"

    @property
    def by_phone(self) -> str:
        """The key of the index of live customers by telephone number."""
        return f"{self.prefix}s:by_phone"

    @property
    def by_value(self) -> tuple[str, str]:
        """The keys of the indexes by e-mail address and telephone number, in the order of `Values`."""
        return self.by_email, self.by_phone

    def register(self, index: str) -> str:
        """Return the key of what a cluster remembers of an index, by customer; in the slot of the index."""
        return f"{self.prefix}s:register:{{{index}}}"

    @property
    def changes(self) -> str:
        """The key of the stream of changes."""
        return f"{self.prefix}s:changes"

    @property
    def indexed(self) -> str:
        """The key of the note that the indexes by e-mail address and telephone number were built."""
        return f"{self.prefix}s:indexed"

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
