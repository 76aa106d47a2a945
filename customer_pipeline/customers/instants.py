"""Columns of instants and dates: `timestamps` reads them, here is decided what is missing and what is unusable."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from customer_pipeline import timestamps
from customer_pipeline.customers.columns import Column
from customer_pipeline.customers.mapping import DatetimeParsing


def instants(values: Sequence[Any], *, datetimes: DatetimeParsing) -> tuple[pd.Series, np.ndarray]:
    """Return JSON values as `datetime64[us, UTC]`, and which of them are present but unusable; blank text is absent."""
    series = timestamps.parse_instants(values, formats=datetimes.formats, zone=datetimes.zone)
    return series, _present(values) & series.isna().to_numpy()


def instant_texts(values: Sequence[Any], *, datetimes: DatetimeParsing) -> Column:
    """Return JSON values as instants in the one form of the cache contract."""
    series, unusable = instants(values, datetimes=datetimes)
    return Column(pa.array(timestamps.format_instants(series).to_list(), pa.string()), unusable)


def date_texts(values: Sequence[Any], *, datetimes: DatetimeParsing) -> Column:
    """Return JSON values as dates `YYYY-MM-DD`."""
    series = timestamps.parse_dates(values, formats=datetimes.formats, zone=datetimes.zone)
    return Column(pa.array(series.to_list(), pa.string()), _present(values) & series.isna().to_numpy())


def _present(values: Sequence[Any]) -> np.ndarray:
    present = (value is not None and not (isinstance(value, str) and not value.strip()) for value in values)
    return np.fromiter(present, dtype=bool, count=len(values))
