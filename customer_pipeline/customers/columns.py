"""What the normalization of every field shares: the column it returns, and the mark of a value that can't be used."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


class _Unusable:
    """Stands where a record holds something that no field can use, unlike None: there is nothing."""

    def __repr__(self) -> str:
        return "UNUSABLE"

    def __str__(self) -> str:
        raise TypeError("an unusable value has no text")


UNUSABLE: Final[Any] = _Unusable()


@dataclass(frozen=True, slots=True)
class Column:
    """One canonical field of a batch.

    Attributes:
        array: the values, null where there is none or none that can be used.
        unusable: which records hold something there that can't be used.
    """

    array: pa.Array
    unusable: np.ndarray

    @classmethod
    def nulls(cls, size: int, *, type: pa.DataType | None = None) -> "Column":  # noqa: A002 -- as pyarrow calls it
        """Return the column of a field that is not mapped."""
        return cls(pa.nulls(size, type or pa.string()), np.zeros(size, dtype=bool))


def each_distinct(texts: Column, function: Callable[[str], str | None]) -> Column:
    """Apply `function` once to every distinct text of a string column; the values it answers None to are unusable."""
    encoded = pc.dictionary_encode(texts.array)
    results = pa.array(map(function, encoded.dictionary.to_pylist()), pa.string())
    values = results.take(encoded.indices)
    refused = pc.and_not(pc.is_null(values), pc.is_null(texts.array))
    return Column(values, texts.unusable | as_mask(refused))


def as_mask(array: pa.Array) -> np.ndarray:
    """Return a boolean column without nulls as numpy."""
    return np.asarray(array.to_numpy(zero_copy_only=False), dtype=bool)
