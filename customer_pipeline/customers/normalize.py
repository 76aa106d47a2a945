"""From landed records to canonical customers: every field by its own module, put together here. Pure.

Columns are Arrow arrays and pandas series from end to end; no row is ever built. Nothing that happens to one record
raises: a field that can't be used becomes null and is named in `invalid`, a record that is no customer goes to
quarantine with a reason and the path of the field.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.customers import exact_json
from customer_pipeline.customers.attributes import Attributes
from customer_pipeline.customers.columns import Column, as_mask
from customer_pipeline.customers.countries import countries
from customer_pipeline.customers.deletions import Deletions
from customer_pipeline.customers.emails import emails
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.customers.instants import instants
from customer_pipeline.customers.languages import languages
from customer_pipeline.customers.mapping import Mapping
from customer_pipeline.customers.model import Address
from customer_pipeline.customers.paths import Path
from customer_pipeline.customers.phones import phones
from customer_pipeline.customers.quarantine import quarantined, reasons
from customer_pipeline.customers.schemas import CUSTOMERS, INSTANT
from customer_pipeline.customers.tags import tags
from customer_pipeline.customers.texts import texts

_PLAIN_TEXTS = ("given_name", "family_name", "company", "status")


@dataclass(frozen=True, slots=True)
class Normalized:
    """What became of a batch of landed records.

    Attributes:
        customers: one row for every record that could be normalized, in order; `schemas.CUSTOMERS`.
        quarantined: one row for every other record, in order; `schemas.QUARANTINE`.
        invalid: how many customers have each field in `invalid`.
    """

    customers: pa.Table
    quarantined: pa.Table
    invalid: Counter[str]


class Normalizer:
    """Normalizes landed records by a mapping, whose expressions are compiled once."""

    def __init__(self, mapping: Mapping) -> None:
        self._mapping = mapping
        self._identifier = Identifier(mapping)
        self._deletions = Deletions(mapping)
        self._attributes = Attributes(mapping.fields.attributes, datetimes=mapping.datetimes)
        fields = mapping.fields
        names = (*_PLAIN_TEXTS, "name", "email", "phone", "language", "tags", "created_at")
        self._paths = {name: Path(path) for name in names if (path := getattr(fields, name)) is not None}
        self._paths |= {f"address.{part}": Path(path) for part, path in fields.address.items()}

    def __call__(self, raw: pa.RecordBatch, *, ahead: timedelta) -> Normalized:
        """Normalize a batch of `schemas.RAW`.

        Ids and `updated_at` are read from the records again, by this mapping, so a corrected one replays them.

        Args:
            raw: the landed records.
            ahead: how far `updated_at` may lie after `fetched_at`: the provider's clock difference and a margin.
        """
        records = exact_json.loads_each(raw.column("record"))
        ids, updated_at = self._identifier(records)
        why = reasons(
            records,
            ids=ids,
            updated_at=updated_at,
            latest=raw.column("fetched_at").to_pandas() + ahead,
            identifier=self._identifier,
        )
        kept = np.fromiter((reason is None for reason in why), dtype=bool, count=len(why))
        customers, invalid = self._customers(
            list(compress(records, kept)),
            ids=list(compress(ids, kept)),
            updated_at=updated_at[kept].reset_index(drop=True),
            fetched_at=raw.column("fetched_at").filter(pa.array(kept)),
        )
        return Normalized(customers, quarantined(raw, why, fields=self._mapping.fields), invalid)

    def _customers(
        self, records: list[Any], *, ids: list[str | None], updated_at: pd.Series, fetched_at: pa.Array
    ) -> tuple[pa.Table, Counter[str]]:
        size = len(records)
        columns = {name: self._texts(name, records) for name in _PLAIN_TEXTS}
        columns["name"] = _named(self._texts("name", records), columns["given_name"], columns["family_name"])
        columns["email"] = emails(self._texts("email", records))
        columns["language"] = languages(self._texts("language", records))
        columns["tags"] = tags(self._values("tags", records))
        for part in Address.model_fields:
            columns[f"address.{part}"] = self._texts(f"address.{part}", records)
        columns["address.country"] = countries(columns["address.country"])
        columns["phone"] = phones(
            self._texts("phone", records),
            countries=columns["address.country"],
            region=self._mapping.phone_region,
        )
        created_at, unusable = instants(self._values("created_at", records), datetimes=self._mapping.datetimes)
        columns["created_at"] = Column(_arrow(created_at), unusable)
        deleted_at, unusable = self._deletions(records, updated_at=updated_at)
        columns["deleted_at"] = Column(_arrow(deleted_at), unusable)
        attributes, unusable_attributes = self._attributes(records)

        masks = {name: column.unusable for name, column in columns.items()}
        masks |= {f"attributes.{name}": mask for name, mask in unusable_attributes.items()}
        arrays = {name: column.array for name, column in columns.items()}
        arrays |= {
            "id": pa.array(ids, pa.string()),
            "address": _address({part: arrays[f"address.{part}"] for part in Address.model_fields}),
            "attributes": attributes,
            "updated_at": _arrow(updated_at),
            "invalid": _names_of(masks, size=size),
            "fetched_at": fetched_at,
        }
        table = pa.Table.from_arrays([arrays[name] for name in CUSTOMERS.names], schema=CUSTOMERS)
        return table, Counter({name: count for name, mask in masks.items() if (count := int(mask.sum()))})

    def _values(self, name: str, records: list[Any]) -> list[Any]:
        return self._paths[name](records) if name in self._paths else [None] * len(records)

    def _texts(self, name: str, records: list[Any]) -> Column:
        return texts(self._paths[name](records)) if name in self._paths else Column.nulls(len(records))


def _named(name: Column, given_name: Column, family_name: Column) -> Column:
    """Fill names that are absent with the given and the family name, in this order; an unusable name stays null."""
    # Not null_handling="skip": where both are null, pyarrow 26.0 then leaves the whole row out.
    parts = (pc.fill_null(given_name.array, ""), pc.fill_null(family_name.array, ""))
    composed = pc.utf8_trim(pc.binary_join_element_wise(*parts, " "), " ")
    composed = pc.if_else(pc.equal(composed, ""), pa.scalar(None, pa.string()), composed)
    absent = pc.and_(pc.is_null(name.array), pa.array(~name.unusable))
    return Column(pc.if_else(absent, composed, name.array), name.unusable)


def _address(parts: dict[str, pa.Array]) -> pa.Array:
    """Return addresses, null where no part is known."""
    type_ = CUSTOMERS.field("address").type
    unknown = np.logical_and.reduce([as_mask(part.is_null()) for part in parts.values()])
    return pa.StructArray.from_arrays(
        [parts[field.name] for field in type_], fields=list(type_), mask=pa.array(unknown)
    )


def _names_of(masks: dict[str, np.ndarray], *, size: int) -> pa.Array:
    """Return for each row the sorted names of the masks that are set."""
    names = sorted(masks)
    matrix = np.stack([masks[name] for name in names], axis=1)
    offsets = np.zeros(size + 1, dtype=np.int32)
    np.cumsum(matrix.sum(axis=1), out=offsets[1:])
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(names).take(pa.array(np.nonzero(matrix)[1])))


def _arrow(series: pd.Series) -> pa.Array:
    return pa.array(series, INSTANT, from_pandas=True)
