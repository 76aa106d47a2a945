"""Which customer a record is about, and which state: its id and `updated_at`. Shared by the walk and normalization."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from customer_pipeline import timestamps
from customer_pipeline.customers.mapping import Mapping
from customer_pipeline.customers.paths import Path

ID_MAX_LENGTH = 512

# No control characters or lone surrogates, and no `}` first: it would end the cluster hash tag of the key at once.
_USABLE_ID = re.compile(rf"(?!\}})[^\x00-\x1f\x7f-\x9f\ud800-\udfff]{{1,{ID_MAX_LENGTH}}}")

# Stands for every record that is not an object; it is told from them by identity.
_NOTHING: dict[str, Any] = {}


class Identifier:
    """Reads ids and `updated_at` of parsed records.

    An id is an opaque key: it is taken as it is, neither trimmed nor Unicode-normalized, since two ids that a provider
    tells apart are two customers. Whole numbers become decimal text of the same digits. Unusable are all other types
    (a float has lost digits), and text that is blank, longer than 512 characters, holds control characters or lone
    surrogates, or begins with `}`.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._id = Path(mapping.fields.id)
        self._updated_at = Path(mapping.fields.updated_at)
        self._formats = mapping.datetimes.formats
        self._zone = mapping.datetimes.zone

    def __call__(self, records: Sequence[Any]) -> tuple[list[str | None], pd.Series]:
        """Return the usable ids, None elsewhere, and `updated_at` as `datetime64[us, UTC]`, `NaT` where unusable.

        A record that is not an object has neither.
        """
        objects = [record if isinstance(record, dict) else _NOTHING for record in records]
        ids = [usable_id(value) for value in self._id(objects)]
        updated_at = timestamps.parse_instants(self._updated_at(objects), formats=self._formats, zone=self._zone)
        not_objects = [record is _NOTHING for record in objects]
        if any(not_objects):
            ids = [None if nothing else id_ for id_, nothing in zip(ids, not_objects, strict=True)]
            updated_at = updated_at.mask(np.array(not_objects))
        return ids, updated_at

    def id_is_missing(self, record: dict[str, Any]) -> bool:
        """Return whether a record without a usable id has none at all."""
        return self._id([record])[0] is None

    def updated_at_is_missing(self, record: dict[str, Any]) -> bool:
        """Return whether a record without a usable `updated_at` has none at all."""
        return self._updated_at([record])[0] is None


def usable_id(value: Any) -> str | None:
    """Return an id as text, or None if it can't be used."""
    if isinstance(value, str):
        return value if _USABLE_ID.fullmatch(value) and not value.isspace() else None
    if isinstance(value, int) and not isinstance(value, bool):
        try:
            text = str(value)
        except ValueError:  # Python refuses more than 4,300 digits
            return None
        return text if len(text) <= ID_MAX_LENGTH else None
    return None
