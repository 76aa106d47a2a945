"""A set of texts, such as ids, that takes eight bytes for each."""

import secrets
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

Hashes = npt.NDArray[np.uint64]


class HashedTexts:
    """A set of texts, by a keyed hash of 64 bits.

    A text that was not added is taken for one that was with a probability of the set's size in 2^64: one in 18 trillion
    for a million. The key is drawn anew for each set, so the next one does not collide again, and nobody can make texts
    that do.
    """

    def __init__(self) -> None:
        self._key = secrets.token_hex(8)
        self._parts: list[Hashes] = []

    def add(self, texts: Sequence[str]) -> None:
        """Add texts; some may be there already."""
        if texts:
            self._parts.append(np.unique(self._hashed(texts)))
        # Only parts of about the same length are put together, so each hash is moved a few times and not each time.
        while len(self._parts) > 1 and len(self._parts[-1]) >= len(self._parts[-2]):
            self._merge()

    def holds(self, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
        """Return for each text whether it was added."""
        if not texts:
            return np.zeros(0, dtype=np.bool_)
        all_ = self._whole()
        hashes = self._hashed(texts)
        places = np.searchsorted(all_, hashes)
        inside = places < len(all_)
        found = np.zeros(len(texts), dtype=np.bool_)
        found[inside] = all_[places[inside]] == hashes[inside]
        return found

    def __len__(self) -> int:
        return len(self._whole())

    def _hashed(self, texts: Sequence[str]) -> Hashes:
        return pd.util.hash_array(np.array(texts, dtype=object), hash_key=self._key, categorize=False)

    def _whole(self) -> Hashes:
        while len(self._parts) > 1:
            self._merge()
        return self._parts[0] if self._parts else np.zeros(0, dtype=np.uint64)

    def _merge(self) -> None:
        last = self._parts.pop()
        self._parts[-1] = np.union1d(self._parts[-1], last)
