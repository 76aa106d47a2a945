"""Read a provider's datetimes, a column at a time: what each kind of value means, and in which order formats are tried.

A value that cannot be used becomes `NaT` or `None`; none is guessed and none raises. Each value is read on its own
merits, so its neighbours in the column never change its meaning.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta, tzinfo
from decimal import Decimal
from functools import partial
from numbers import Real

import numpy as np
import pandas as pd
import pyarrow as pa

from customer_pipeline.timestamps.civil import MICROSECOND, NAT, Civil, civil_datetime
from customer_pipeline.timestamps.texts import read_epoch, read_iso8601, read_pattern, read_rfc2822

_UNITS = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}
_TOO_MANY_DIGITS = 25


def parse_instants(values: Sequence[object] | pd.Series, *, formats: Sequence[str], zone: tzinfo) -> pd.Series:
    """Return the instants of `values` as `datetime64[us, UTC]`, `NaT` where a value is unusable.

    Text is trimmed of ASCII white space and read by the first of `formats` that fits it whole:

    - `iso8601`: `YYYY-MM-DD`, alone (midnight) or with `T`, `t` or a space and `HH:MM[:SS[.fraction]]` and perhaps
      `Z`, `z`, `+HH`, `+HHMM` or `+HH:MM`. The basic form without dashes is unusable: it may as well be a number.
    - `rfc2822`: the date of an e-mail, with its obsolete two-digit years and zone names; `-0000` is UTC. Zone names
      that RFC 2822 leaves undefined are unusable. The day of the week is not compared with the date.
    - `epoch_s`, `epoch_ms`, `epoch_us`: time since 1970, as decimal text or as a number.
    - a strptime pattern, by `datetime.strptime`, so it cannot read a leap second.

    Numbers are read by the epoch formats alone, a float as the shortest decimal that names it. Datetimes and dates
    (Python, pandas, numpy) are taken whatever the formats. Booleans are unusable. A value without an offset is in
    `zone`, in a gap or fold at the offset in force before the transition (PEP 495, fold=0; a datetime's own `fold` is
    heeded). Fractions are cut, never rounded, to the microsecond before. A leap second `:60` is the first second of the
    next minute, as in POSIX time. Instants outside the years 1 to 9999 are unusable.

    Raises:
        ValueError: if a format is unknown, or a pattern names no year or asks for a zone name.
    """
    civil = _read(values, formats=formats, zone=zone)
    instants = civil.instants(zone).view("datetime64[us]")
    return pd.Series(instants, index=_index(values)).dt.tz_localize("UTC")


def parse_dates(values: Sequence[object] | pd.Series, *, formats: Sequence[str], zone: tzinfo) -> pd.Series:
    """Return the dates of `values` as `YYYY-MM-DD`, `None` where a value is unusable.

    Values are read as by `parse_instants`. One without an offset, a date alone among them, keeps the date that is
    written; one that names an instant gives the date of that instant in `zone`.

    Raises:
        ValueError: as `parse_instants` does.
    """
    days = _read(values, formats=formats, zone=zone).days(zone)
    text = np.datetime_as_string(days, unit="D").astype(object)
    text[np.isnat(days)] = None
    return pd.Series(text, index=_index(values), dtype=object)


def _index(values: Sequence[object] | pd.Series) -> pd.Index | None:
    return values.index if isinstance(values, pd.Series) else None


def _reader(name: str) -> Callable[[pa.StringArray], Civil]:
    if name == "iso8601":
        return read_iso8601
    if name == "rfc2822":
        return read_rfc2822
    if name in _UNITS:
        return partial(read_epoch, digits=_UNITS[name])
    if "%" not in name:
        raise ValueError(f"{name!r} is no datetime format; use iso8601, rfc2822, epoch_s/_ms/_us or a strptime pattern")
    if "%Z" in name:
        raise ValueError(f"{name!r}: a zone's name is ambiguous; use %z, or write the name out and configure its zone")
    if not any(directive in name for directive in ("%Y", "%y", "%G", "%c", "%x")):
        raise ValueError(f"{name!r} reads no year, so it cannot tell when; add %Y")
    return partial(read_pattern, pattern=name)


def _read(values: Sequence[object] | pd.Series, *, formats: Sequence[str], zone: tzinfo) -> Civil:
    readers = {name: _reader(name) for name in formats}
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.DatetimeTZDtype):
        return _from_column(values.dt.tz_convert("UTC").dt.tz_localize(None), offset=0)
    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return _from_column(values, offset=NAT)
    objects = values.tolist() if isinstance(values, pd.Series | np.ndarray) else list(values)
    civil = Civil.unusable(len(objects))
    kinds = set(map(type, objects))
    if any(issubclass(kind, date | np.datetime64) for kind in kinds):
        for position, value in enumerate(objects):
            if isinstance(value, date | np.datetime64):
                civil.put(position, _from_value(value, zone))
    if any(issubclass(kind, str) for kind in kinds):
        texts = [value if isinstance(value, str) and value.isascii() else None for value in objects]
        _read_texts(civil, texts, readers.values())
        wide = [value if isinstance(value, str) and not value.isascii() else None for value in objects]
        if any(wide):
            patterns = [reader for name, reader in readers.items() if name not in (*_UNITS, "iso8601", "rfc2822")]
            _read_texts(civil, wide, patterns)
    if any(issubclass(kind, Real | Decimal) and not issubclass(kind, bool | np.bool_) for kind in kinds):
        _read_texts(civil, list(map(_number_text, objects)), [readers[name] for name in formats if name in _UNITS])
    return civil
