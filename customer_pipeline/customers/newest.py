"""The newest state of each customer among the records of a window."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_Instants: TypeAlias = pd.Series | pa.Array | pa.ChunkedArray


def newest(
    ids: Sequence[str | None] | pa.Array | pa.ChunkedArray, updated_at: _Instants, fetched_at: _Instants
) -> np.ndarray:
    """Return which rows to keep: for each id the one with the greatest version, the last of equal ones.

    Ids are compared as text, never by hash alone. Rows without an id or `updated_at` are kept: they are quarantined.
    """
    updated = _microseconds(updated_at)
    codes = _codes(ids)
    keep: np.ndarray = (codes < 0) | (updated == np.iinfo(np.int64).min)
    rows = np.flatnonzero(~keep)
    codes, updated = codes[rows], updated[rows]
    order = np.lexsort((_microseconds(fetched_at)[rows], updated, codes))
    codes = codes[order]
    last = np.ones(len(rows), dtype=bool)
    last[:-1] = codes[1:] != codes[:-1]
    keep[rows[order[last]]] = True
    return keep


def _codes(ids: Sequence[str | None] | pa.Array | pa.ChunkedArray) -> np.ndarray:
    """Return a number for each id, the same for equal ids alone, and -1 for null."""
    if not isinstance(ids, pa.Array | pa.ChunkedArray):
        ids = pa.array(ids, pa.string())
    encoded = pc.dictionary_encode(ids)
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().combine_chunks()
    codes: np.ndarray = pc.fill_null(encoded.indices, -1).to_numpy()
    return codes


def _microseconds(instants: _Instants) -> np.ndarray:
    """Return microseconds since 1970, the least integer for null."""
    if isinstance(instants, pd.Series):
        utc = instants.dt.tz_convert("UTC").dt.tz_localize(None)
        return utc.to_numpy(dtype="datetime64[us]").view(np.int64)
    numbers = instants.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    microseconds: np.ndarray = pc.fill_null(numbers, np.iinfo(np.int64).min).to_numpy()
    return microseconds
