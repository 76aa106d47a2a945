"""Deletions that the provider states: which records are marked, and when their customers were deleted."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.instants import instants
from customer_pipeline.customers.mapping import DeletionMark, Mapping
from customer_pipeline.customers.paths import Path


class Deletions:
    """Reads the deletion mark of a mapping; `fields.deleted_at` is the mark where it has no other."""

    def __init__(self, mapping: Mapping) -> None:
        at = mapping.fields.deleted_at
        mark = mapping.deleted or (DeletionMark(path=at) if at else None)
        self._mark = Path(mark.path) if mark else None
        values = mark.values if mark else None  # noqa: PD011 -- the profile's word, no DataFrame
        self._values = None if values is None else frozenset(map(_typed, values))
        self._at = Path(at) if at else None
        self._datetimes = mapping.datetimes

    def __call__(self, records: Sequence[Any], *, updated_at: pd.Series) -> tuple[pd.Series, np.ndarray]:
        """Return `deleted_at`, null for every customer that is not deleted, and which records have it unusable.

        A marked record without a usable time was deleted when it was last updated. A mark that can't be read deletes
        nobody.
        """
        deleted_at = pd.Series(pd.NaT, index=updated_at.index, dtype=updated_at.dtype)
        unusable = np.zeros(len(records), dtype=bool)
        if self._mark is None:
            return deleted_at, unusable
        if self._at is not None:
            deleted_at, unusable = instants(self._at(records), datetimes=self._datetimes)
        marks = self._mark(records)
        marked = np.fromiter(map(self._is_deleted, marks), dtype=bool, count=len(marks))
        unusable |= np.fromiter((mark is UNUSABLE for mark in marks), dtype=bool, count=len(marks))
        return deleted_at.fillna(updated_at).where(marked), unusable

    def _is_deleted(self, mark: Any) -> bool:
        if mark is UNUSABLE:
            return False
        if self._values is None:
            return bool(mark)
        return isinstance(mark, str | int | float) and _typed(mark) in self._values


def _typed(value: Any) -> tuple[bool, Any]:
    """Tell true from 1, which are equal in Python and not in JSON."""
    return isinstance(value, bool), value
