"""Attributes: what the profile passes through, as the JSON text of one object per customer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.customers import exact_json
from customer_pipeline.customers.columns import Column
from customer_pipeline.customers.instants import date_texts, instant_texts
from customer_pipeline.customers.mapping import Attribute, DatetimeParsing
from customer_pipeline.customers.paths import Path
from customer_pipeline.customers.texts import texts

_NULL = "null"


class Attributes:
    """Reads the attributes of a mapping.

    Every mapped name is in every object, null where the record has nothing there. Names and the keys of passed-through
    objects are sorted, so the same values have the same text.
    """

    def __init__(self, attributes: Mapping[str, Attribute], *, datetimes: DatetimeParsing) -> None:
        self._attributes = {name: (Path(attributes[name].path), attributes[name].type) for name in sorted(attributes)}
        self._datetimes = datetimes

    def __call__(self, records: Sequence[Any]) -> tuple[pa.Array, dict[str, np.ndarray]]:
        """Return the JSON texts, and for each name which records hold something unusable."""
        columns = {name: self._column(path(records), type_) for name, (path, type_) in self._attributes.items()}
        if not columns:
            return pa.array(["{}"] * len(records), pa.string()), {}
        parts: list[Any] = []
        for name, column in columns.items():
            parts += [("," if parts else "{") + exact_json.dumps(name) + ":", column.array]
        joined = pc.binary_join_element_wise(*parts, "}", "", null_handling="replace", null_replacement=_NULL)
        return joined, {name: column.unusable for name, column in columns.items()}

    def _column(self, values: list[Any], type_: str) -> Column:
        if type_ == "any":
            return _any(values)
        if type_ == "text":
            column = texts(values)
        elif type_ == "datetime":
            column = instant_texts(values, datetimes=self._datetimes)
        else:
            column = date_texts(values, datetimes=self._datetimes)
        return Column(_quoted(column.array), column.unusable)


def _quoted(texts: pa.Array) -> pa.Array:
    """Return clean texts as JSON strings: they hold no control characters, so only two characters need escaping."""
    escaped = pc.replace_substring(pc.replace_substring(texts, "\\", "\\\\"), '"', '\\"')
    return pc.binary_join_element_wise('"', escaped, '"', "")


def _any(values: list[Any]) -> Column:
    unusable = np.zeros(len(values), dtype=bool)
    encoded: list[str | None] = []
    for position, value in enumerate(values):
        try:
            encoded.append(exact_json.dumps(value))
        except ValueError:
            encoded.append(None)
            unusable[position] = True
    return Column(pa.array(encoded, pa.string()), unusable)
