"""Read a provider's datetimes, a column at a time: what each kind of value means, and in which order formats are tried.

A value that cannot be used becomes `NaT` or `None`; none is guessed and none raises. Each value is read on its own
merits, so its neighbours in the column never change its meaning.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, tzinfo
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import cast

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.timestamps.civil import NAT, Civil
from customer_pipeline.timestamps.texts import read_epoch, read_iso8601, read_pattern, read_rfc2822

_EPOCHS = {"epoch_s": 6, "epoch_ms": 3, "epoch_us": 0}
_DATES = (date, np.datetime64)
_MOST_DIGITS = 25


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
    if name in _EPOCHS:
        return partial(read_epoch, digits=_EPOCHS[name])
    if "%" not in name:
        raise ValueError(f"{name!r} is no datetime format; use iso8601, rfc2822, epoch_s/_ms/_us or a strptime pattern")
    if "%Z" in name:
        raise ValueError(f"{name!r}: a zone's name is ambiguous; use %z, or write the name out and configure its zone")
    if not any(directive in name for directive in ("%Y", "%y", "%G", "%c", "%x")):
        raise ValueError(f"{name!r} reads no year, so it cannot tell when; add %Y")
    try:
        datetime.strptime(datetime(2000, 1, 1, tzinfo=UTC).strftime(name), name)  # noqa: DTZ007 -- only tried
    except (ValueError, re.error) as error:
        raise ValueError(f"{name!r} is no strptime pattern: {error}") from error
    return partial(read_pattern, pattern=name)


def _read(values: Sequence[object] | pd.Series, *, formats: Sequence[str], zone: tzinfo) -> Civil:
    readers = {name: _reader(name) for name in formats}
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.DatetimeTZDtype):
        return _of_column(values.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(), offset=0)
    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype) and values.dtype.kind == "M":
        return _of_column(values.to_numpy(), offset=NAT)
    objects = values.tolist() if isinstance(values, pd.Series) else list(values)
    kinds = set(map(type, objects))
    civil = Civil.from_datetimes(map(_datetime, objects), zone) if _any(kinds, _DATES) else Civil.unusable(len(objects))
    if _any(kinds, (str,)):
        _read_texts(civil, [value if isinstance(value, str) else None for value in objects], readers.values())
    epochs = [reader for name, reader in readers.items() if name in _EPOCHS]
    if epochs and _any(kinds, (Real, Decimal)):
        _read_texts(civil, list(map(_decimal_text, objects)), epochs)
    return civil


def _any(kinds: Iterable[type], wanted: tuple[type, ...]) -> bool:
    return any(issubclass(kind, wanted) for kind in kinds)


def _of_column(column: npt.NDArray[np.datetime64], *, offset: int) -> Civil:
    years = column.astype("datetime64[Y]").astype(np.int64) + 1970
    usable = (years >= MINYEAR) & (years <= MAXYEAR)
    local = np.where(usable, column, np.datetime64("NaT", "us")).astype("datetime64[us]").astype(np.int64)
    return Civil.of(local, np.full(len(column), offset), where=usable)


def _datetime(value: object) -> datetime | date | None:
    """Return a datetime of any library as Python's own, cut to the microsecond."""
    if value is pd.NaT:
        return None
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime(warn=False)
    if isinstance(value, np.datetime64):
        local = _of_column(np.array([value]), offset=NAT).local.view("datetime64[us]")
        return cast("datetime | None", local.item())
    return value if isinstance(value, date) else None


def _decimal_text(value: object) -> str | None:
    """Return a number as decimal text without an exponent; None for what is no sane number."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        return None
    try:
        number = value if isinstance(value, Decimal) else Decimal(str(value))
    except (ArithmeticError, ValueError):
        return None
    return f"{number:f}" if number.is_finite() and abs(number.adjusted()) < _MOST_DIGITS else None


def _read_texts(civil: Civil, texts: list[str | None], readers: Iterable[Callable[[pa.StringArray], Civil]]) -> None:
    trimmed = pc.ascii_trim_whitespace(_strings(texts))
    for reader in readers:
        waiting = civil.missing
        civil.put(waiting, reader(trimmed if waiting.all() else trimmed.filter(pa.array(waiting))))


def _strings(texts: list[str | None]) -> pa.StringArray:
    try:
        return pa.array(texts, pa.string())
    except UnicodeEncodeError:  # JSON can escape half of a surrogate pair
        whole = [text if text is None or text.encode(errors="ignore").decode() == text else None for text in texts]
        return pa.array(whole, pa.string())
