"""The newest state of each customer among the records of a window."""

from collections.abc import Iterator, Sequence
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

_BLOCK = 32_768
_NULL = np.iinfo(np.int64).min

_Ids: TypeAlias = Sequence[str | None] | pa.Array | pa.ChunkedArray
_Instants: TypeAlias = pd.Series | pa.Array | pa.ChunkedArray


def newest(ids: _Ids, updated_at: _Instants, fetched_at: _Instants) -> np.ndarray:
    """Return which rows to keep: for each id the one with the greatest version, the last of equal ones.

    Rows without an id or `updated_at` are kept: they are quarantined. A hash only deals rows out into blocks, so that
    memory stays flat; within a block ids are compared as text, so no collision loses a customer.
    """
    updated, fetched = _microseconds(updated_at), _microseconds(fetched_at)
    keep: np.ndarray = updated == _NULL
    for rows in _blocks(ids):
        codes = _codes(ids, rows)
        keep[rows[codes < 0]] = True
        eligible = (codes >= 0) & ~keep[rows]
        codes, rows = codes[eligible], rows[eligible]  # noqa: PLW2901 -- narrowed, not replaced
        order = np.lexsort((fetched[rows], updated[rows], codes))
        codes = codes[order]
        is_last = np.ones(len(rows), dtype=bool)
        is_last[:-1] = codes[1:] != codes[:-1]
        keep[rows[order[is_last]]] = True
    return keep


def _blocks(ids: _Ids) -> Iterator[np.ndarray]:
    """Yield the row numbers in ascending blocks; rows of equal ids are in the same block."""
    if not len(ids):
        return
    count = -(-len(ids) // _BLOCK)
    block_of = np.empty(len(ids), dtype=np.uint32)
    for start in range(0, len(ids), _BLOCK):
        texts = pd.Series(_texts(ids[start : start + _BLOCK]).fill_null("").to_pylist(), dtype=object)
        hashes = pd.util.hash_array(texts.to_numpy(), categorize=False)
        block_of[start : start + _BLOCK] = hashes % np.uint64(count)
    order = np.argsort(block_of, kind="stable")
    ends = np.cumsum(np.bincount(block_of, minlength=count))
    yield from np.split(order, ends[:-1])


def _codes(ids: _Ids, rows: np.ndarray) -> np.ndarray:
    """Return a number for the id of each row, the same for equal ids alone, and -1 for null."""
    codes: np.ndarray = pc.fill_null(pc.dictionary_encode(_picked(ids, rows)).indices, -1).to_numpy()
    return codes


def _picked(ids: _Ids, rows: np.ndarray) -> pa.Array:
    if isinstance(ids, pa.Array):
        return ids.take(pa.array(rows))
    if not isinstance(ids, pa.ChunkedArray):
        return _texts([ids[row] for row in rows])
    # ChunkedArray.take copies the whole column first
    starts = np.cumsum([0, *map(len, ids.chunks)])
    parts = np.split(rows, np.searchsorted(rows, starts[1:-1]))
    chunks = zip(ids.chunks, parts, starts[:-1], strict=True)
    return pa.concat_arrays([chunk.take(pa.array(part - start)) for chunk, part, start in chunks])


def _texts(ids: _Ids) -> pa.Array:
    """Return ids as one string array."""
    if isinstance(ids, pa.ChunkedArray):
        return ids.combine_chunks()
    return ids if isinstance(ids, pa.Array) else pa.array(ids, pa.string())


def _microseconds(instants: _Instants) -> np.ndarray:
    """Return microseconds since 1970, the least integer for null."""
    if isinstance(instants, pd.Series):
        utc = instants.dt.tz_convert("UTC").dt.tz_localize(None)
        return utc.to_numpy(dtype="datetime64[us]").view(np.int64)
    numbers = instants.cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    microseconds: np.ndarray = pc.fill_null(numbers, _NULL).to_numpy()
    return microseconds
