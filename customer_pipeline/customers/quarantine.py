"""Which records are no customers, and the rows that quarantine keeps of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline import timestamps
from customer_pipeline.customers.columns import UNUSABLE
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.customers.mapping import Fields
from customer_pipeline.customers.reasons import Reason
from customer_pipeline.customers.schemas import QUARANTINE


def reasons(
    records: Sequence[Any],
    *,
    ids: Sequence[str | None],
    updated_at: pd.Series,
    latest: pd.Series,
    identifier: Identifier,
) -> list[Reason | None]:
    """Return why each record is no customer, None for those that are.

    Args:
        records: parsed records, `UNUSABLE` for what is no JSON.
        ids: what the identifier made of them.
        updated_at: likewise.
        latest: the greatest plausible `updated_at` of each.
        identifier: tells a missing value from an unusable one.
    """
    too_old = (updated_at < timestamps.EARLIEST_PLAUSIBLE).to_numpy()
    in_future = (updated_at > latest).to_numpy()
    rejected = updated_at.isna().to_numpy() | too_old | in_future
    rejected |= np.fromiter((id_ is None for id_ in ids), dtype=bool, count=len(ids))
    found: list[Reason | None] = [None] * len(records)
    for row in np.flatnonzero(rejected).tolist():
        record = records[row]
        if record is UNUSABLE:
            found[row] = Reason.NOT_JSON
        elif not isinstance(record, dict):
            found[row] = Reason.NOT_AN_OBJECT
        elif ids[row] is None:
            found[row] = Reason.ID_MISSING if identifier.id_is_missing(record) else Reason.ID_UNUSABLE
        elif too_old[row]:
            found[row] = Reason.UPDATED_AT_TOO_OLD
        elif in_future[row]:
            found[row] = Reason.UPDATED_AT_IN_FUTURE
        elif identifier.updated_at_is_missing(record):
            found[row] = Reason.UPDATED_AT_MISSING
        else:
            found[row] = Reason.UPDATED_AT_UNUSABLE
    return found


def quarantined(raw: pa.RecordBatch, reasons: Sequence[Reason | None], *, fields: Fields) -> pa.Table:
    """Return the rejected rows of a batch as `schemas.QUARANTINE`."""
    codes = pa.array([None if reason is None else reason.value for reason in reasons], pa.string())
    rejected = pc.is_valid(codes)
    columns = {
        "reason": codes.filter(rejected),
        "field": pa.array([_path(reason, fields) for reason in reasons if reason is not None], pa.string()),
        "fetched_at": raw.column("fetched_at").filter(rejected),
        "record": raw.column("record").filter(rejected),
    }
    return pa.Table.from_arrays([columns[name] for name in QUARANTINE.names], schema=QUARANTINE)


def _path(reason: Reason, fields: Fields) -> str | None:
    if reason in (Reason.NOT_JSON, Reason.NOT_AN_OBJECT):
        return None
    return fields.id if reason in (Reason.ID_MISSING, Reason.ID_UNUSABLE) else fields.updated_at
