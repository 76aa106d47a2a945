"""Grammars of datetimes in text. Each reader takes a column, and reads the values that fit its grammar whole."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.timestamps.civil import NAT, SECOND, Civil, Flags, Integers, wall_clock

_ISO8601 = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?$"
)
_COMMON_ISO8601 = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-5][0-9](?:\.[0-9]{1,6})?"
    r"(?:Z|[+-](?:[01][0-9]|2[0-3]):[0-5][0-9])$"
)
_RFC2822 = (
    r"(?i)^(?:(?:mon|tue|wed|thu|fri|sat|sun)[ \t]*,[ \t]*)?(?P<day>[0-9]{1,2})[ \t]+(?P<month>[a-z]{3})[ \t]+"
    r"(?P<year>[0-9]{2,4})[ \t]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
    r"(?:[ \t]+(?P<zone>[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|[a-z]{1,3}))?(?:[ \t]*\([^()]*\))?$"
)
_EPOCH = r"^(?P<sign>[+-]?)0*(?P<whole>[0-9]{1,18})(?:\.(?P<fraction>[0-9]+))?$"
_MORE_THAN_ALL_TIME = 10**18

_MONTHS = pa.array(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"])
_ZONES = pa.array(["ut", "gmt", "utc", "z", "est", "edt", "cst", "cdt", "mst", "mdt", "pst", "pdt"])
_ZONE_HOURS = np.array([0, 0, 0, 0, -5, -4, -6, -5, -7, -6, -8, -7])


def read_iso8601(texts: pa.StringArray) -> Civil:
    """Read RFC 3339 and its ISO 8601 neighbours, as `parse_instants` lists them."""
    if pc.all(pc.match_substring_regex(texts, _COMMON_ISO8601)).as_py() and (civil := _cast(texts)):
        return civil
    found = pc.extract_regex(texts, _ISO8601)
    local, real = _wall_clock(found, _integers(found.field("year")), _integers(found.field("month")))
    local += _fraction(found.field("fraction"), digits_kept=6)
    return Civil.of(local, _numeric_offsets(found.field("zone")), where=real)


def read_rfc2822(texts: pa.StringArray) -> Civil:
    """Read dates of e-mails."""
    found = pc.extract_regex(texts, _RFC2822)
    zone = found.field("zone")
    year = _integers(found.field("year"))
    length = pc.utf8_length(found.field("year")).to_numpy()
    century = np.select([(length == 2) & (year < 50), length < 4], [2000, 1900], 0)  # noqa: PLR2004 -- RFC 2822, 4.3
    local, real = _wall_clock(found, year + century, _positions(found.field("month"), _MONTHS) + 1)
    named = _positions(zone, _ZONES)
    offset = np.where(named < 0, _numeric_offsets(zone), _ZONE_HOURS[named] * 3600 * SECOND)
    known = (named >= 0) | ~_flags(pc.match_substring_regex(zone, "^[^+-]"))
    return Civil.of(local, offset, where=real & known)


def read_epoch(texts: pa.StringArray, *, digits: int) -> Civil:
    """Read decimal numbers of a unit that holds ten to the `digits` microseconds."""
    found = pc.extract_regex(texts, _EPOCH)
    fraction = found.field("fraction")
    whole = _integers(found.field("whole"))
    sane = whole <= _MORE_THAN_ALL_TIME // 10**digits
    micros = np.where(sane, whole, 0) * 10**digits + _fraction(fraction, digits_kept=digits)
    rest = _flags(pc.match_substring_regex(pc.utf8_slice_codeunits(fraction, digits), "[1-9]"))
    negative = _flags(pc.equal(found.field("sign"), "-"))
    micros = np.where(negative, -micros - rest, micros)
    return Civil.of(micros, np.zeros_like(micros), where=sane & _flags(found.is_valid()))


def read_pattern(texts: pa.StringArray, *, pattern: str) -> Civil:
    """Read what `datetime.strptime` reads; each distinct text once."""

    def parse(text: str | None) -> datetime | None:
        try:
            return text if text is None else datetime.strptime(text, pattern)  # noqa: DTZ007 -- the zone comes later
        except ValueError:
            return None

    distinct = pc.dictionary_encode(texts)
    read = Civil.from_datetimes(map(parse, [*distinct.dictionary.to_pylist(), None]), UTC)
    positions = distinct.indices.fill_null(len(distinct.dictionary)).to_numpy()
    return Civil(read.local[positions], read.offset[positions])


def _cast(texts: pa.StringArray) -> Civil | None:
    """Read a whole column of the commonest form several times as fast; None when one value names no real time."""
    try:
        instants = pc.cast(texts, pa.timestamp("us", tz="UTC")).cast(pa.int64())
    except pa.ArrowInvalid:
        return None
    utc = instants.fill_null(NAT).to_numpy()
    return Civil.of(utc, np.zeros_like(utc), where=_flags(texts.is_valid()))


def _wall_clock(found: pa.StructArray, year: Integers, month: Integers) -> tuple[Integers, Flags]:
    parts = {name: _integers(found.field(name)) for name in ("hour", "minute", "second")}
    local, real = wall_clock(year, month, _integers(found.field("day")), **parts)
    return local, real & _flags(found.is_valid())


def _flags(array: pa.BooleanArray) -> Flags:
    flags: Flags = array.fill_null(fill_value=False).to_numpy(zero_copy_only=False)
    return flags


def _integers(digits: pa.StringArray) -> Integers:
    """Return the numbers that `digits` write; a group that matched nothing is 0."""
    numbers: Integers = pc.if_else(pc.equal(digits, ""), "0", digits).cast(pa.int64()).to_numpy()
    return numbers


def _positions(words: pa.StringArray, value_set: pa.StringArray) -> Integers:
    """Return where each word stands in `value_set`, -1 when it does not."""
    found = pc.index_in(pc.utf8_lower(words), value_set=value_set).fill_null(-1)
    positions: Integers = found.to_numpy().astype(np.int64)
    return positions


def _fraction(digits: pa.StringArray, *, digits_kept: int) -> Integers:
    kept = pc.utf8_slice_codeunits(digits, 0, digits_kept)
    return _integers(pc.utf8_rpad(kept, digits_kept, padding="0"))


def _numeric_offsets(zones: pa.StringArray) -> Integers:
    """Return microseconds ahead of UTC; 0 for `Z`, `NAT` for no zone, anything for a name."""
    found = pc.extract_regex(zones, r"^(?P<sign>[+-])(?P<hours>[0-9]{2}):?(?P<minutes>[0-9]{2})?$")
    ahead = (_integers(found.field("hours")) * 3600 + _integers(found.field("minutes")) * 60) * SECOND
    signed = np.where(_flags(pc.equal(found.field("sign"), "-")), -ahead, ahead)
    return np.where(_flags(pc.equal(zones, "")), NAT, signed)
