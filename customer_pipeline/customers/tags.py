"""Tags: a list of texts, or one text with commas, without duplicates and in the provider's order."""

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa

from customer_pipeline.customers.columns import Column
from customer_pipeline.customers.texts import texts


def tags(values: Sequence[Any]) -> Column:
    """Return JSON values as lists of clean texts, empty where there is none.

    A number is one tag. What is no text or number, alone or within a list, is left out and makes the field unusable;
    null and blank members are left out.
    """
    lists = [_members(value) for value in values]
    lengths = np.fromiter(map(len, lists), dtype=np.int64, count=len(lists))
    members = texts(list(chain.from_iterable(lists)))
    unusable = np.zeros(len(lists), dtype=bool)
    unusable[np.repeat(np.arange(len(lists)), lengths)[members.unusable]] = True
    cleaned = iter(members.array.to_pylist())
    distinct = [_distinct(next(cleaned) for _ in range(length)) for length in lengths]
    return Column(pa.array(distinct, pa.list_(pa.string())), unusable)


def _members(value: Any) -> list[Any]:
    if value is None:
        return []
    if isinstance(value, list):
        return value
    return value.split(",") if isinstance(value, str) else [value]


def _distinct(members: Iterable[str | None]) -> list[str]:
    return list(dict.fromkeys(member for member in members if member is not None))
