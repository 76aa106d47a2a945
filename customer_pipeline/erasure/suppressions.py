"""Who must not be published: the list that every ingestion, normalization and publication honours."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Self, TypeVar

import numpy as np
import pyarrow as pa

from customer_pipeline.erasure.ledger import Ledger, digest
from customer_pipeline.landing.files import Mask
from customer_pipeline.landing.store import LandingStore

Rows = TypeVar("Rows", pa.RecordBatch, pa.Table)


class Suppressions:
    """The suppressed customers, as they were when the list was loaded.

    Attributes:
        count: how many hashes are suppressed.
    """

    def __init__(self, digests: Mapping[bytes, frozenset[bytes]]) -> None:
        self._digests = digests
        self.count = sum(map(len, digests.values()))

    @classmethod
    def load(cls, landing: LandingStore) -> Self:
        """Read the list; once for each step.

        Raises:
            LandingError: if it cannot be read: nothing may then be published.
        """
        ledger = Ledger(landing.notes)
        digests: dict[bytes, set[bytes]] = defaultdict(set)
        held = [hash_ for hash_, state in ledger.states().items() if state.holds]
        salts = ledger.salts() if held else {}
        for hash_ in held:
            digests[ledger.salt_of(hash_, among=salts)].add(bytes.fromhex(hash_.partition("-")[2]))
        return cls({salt: frozenset(found) for salt, found in digests.items()})

    def holds(self, ids: Sequence[str | None]) -> Mask:
        """Return which of `ids` are those of suppressed customers; a million take two seconds."""
        mask = np.zeros(len(ids), dtype=np.bool_)
        for salt, digests in self._digests.items():
            mask |= np.fromiter(
                (name is not None and digest(salt, name) in digests for name in ids), dtype=np.bool_, count=len(ids)
            )
        return mask


class Sieve:
    """Leaves the rows of suppressed customers out, by the column `id`.

    Attributes:
        suppressed: how many rows were left out so far.
    """

    def __init__(self, suppressions: Suppressions) -> None:
        self.suppressed = 0
        self._suppressions = suppressions

    def __call__(self, rows: Rows) -> Rows:
        """Return the rows of the other customers, in order."""
        if not self._suppressions.count:
            return rows
        held = self._suppressions.holds(rows.column("id").to_pylist())
        self.suppressed += int(held.sum())
        return rows.filter(pa.array(~held)) if held.any() else rows
