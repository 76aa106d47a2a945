"""Grammars of datetimes in text. Each reader takes a column, and reads the values that fit its grammar whole."""

from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.timestamps.civil import NAT, SECOND, Civil, Integers, wall_clock

_ISO8601 = (
    r"^(?P<year>[0-9]{4})-(?P<month>[0-9]{2})-(?P<day>[0-9]{2})"
    r"(?:[Tt ](?P<hour>[0-9]{2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2})(?:\.(?P<fraction>[0-9]{1,9}))?)?"
    r"(?P<zone>[Zz]|[+-](?:[01][0-9]|2[0-3])(?::?[0-5][0-9])?)?)?$"
)
_RFC2822 = (
    r"(?i)^(?:(?:mon|tue|wed|thu|fri|sat|sun)[ \t]*,[ \t]*)?(?P<day>[0-9]{1,2})[ \t]+(?P<month>[a-z]{3})[ \t]+"
    r"(?P<year>[0-9]{2,4})[ \t]+(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})(?::(?P<second>[0-9]{2}))?"
    r"(?:[ \t]+(?P<zone>[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|[a-z]{1,3}))?(?:[ \t]*\([^()]*\))?$"
)
_EPOCH = r"^(?P<sign>[+-]?)0*(?P<whole>[0-9]{1,18})(?:\.(?P<fraction>[0-9]+))?$"
_SCIENTIFIC = r"^[+-]?[0-9]+(?:\.[0-9]+)?[eE][+-]?[0-9]{1,3}$"

_MONTHS = pa.array("jan feb mar apr may jun jul aug sep oct nov dec".split())
_ZONES = pa.array("ut gmt utc z est edt cst cdt mst mdt pst pdt".split())
_ZONE_HOURS = np.array([0, 0, 0, 0, -5, -4, -6, -5, -7, -6, -8, -7])


def read_iso8601(texts: pa.StringArray) -> Civil:
    """Read RFC 3339 and its ISO 8601 neighbours, as `parse_instants` lists them."""
    found = pc.extract_regex(texts, _ISO8601)
    local, real = wall_clock(
        *(_integers(found.field(name)) for name in ("year", "month", "day", "hour", "minute", "second")),
        _fraction(found.field("fraction"), digits=6),
    )
    return Civil.of(local, _numeric_offsets(found.field("zone")), where=real & _matched(found))


def read_rfc2822(texts: pa.StringArray) -> Civil:
    """Read dates of e-mails."""
    found = pc.extract_regex(texts, _RFC2822)
    year = _integers(found.field("year"))
    digits = _integers(pc.utf8_length(found.field("year")))
    year += np.where(digits == 2, np.where(year < 50, 2000, 1900), np.where(digits == 3, 1900, 0))  # noqa: PLR2004
    month = _integers(pc.index_in(pc.utf8_lower(found.field("month")), value_set=_MONTHS), missing=-1) + 1
    clock = (_integers(found.field(name)) for name in ("hour", "minute", "second"))
    local, real = wall_clock(year, month, _integers(found.field("day")), *clock, np.zeros_like(year))
    named = _integers(pc.index_in(pc.utf8_lower(found.field("zone")), value_set=_ZONES), missing=-1)
    offset = np.where(named < 0, _numeric_offsets(found.field("zone")), _ZONE_HOURS[named] * 3600 * SECOND)
    known = (named >= 0) | ~_flags(pc.match_substring_regex(found.field("zone"), "^[A-Za-z]"))
    return Civil.of(local, offset, where=real & known & _matched(found))


def read_epoch(texts: pa.StringArray, *, digits: int) -> Civil:
    """Read decimal numbers of a unit that holds ten to the `digits` microseconds."""
    plain = pc.if_else(pc.match_substring_regex(texts, _SCIENTIFIC), _plain(texts), texts)
    found = pc.extract_regex(plain, _EPOCH)
    whole = _integers(found.field("whole"))
    beyond = whole > _LARGEST // 10**digits
    micros = np.where(beyond, 0, whole) * 10**digits + _fraction(found.field("fraction"), digits=digits)
    rest = _flags(pc.match_substring_regex(pc.utf8_slice_codeunits(found.field("fraction"), digits), "[1-9]"))
    negative = _flags(pc.equal(found.field("sign"), "-"))
    micros = np.where(negative, -micros - rest, micros)
    return Civil.of(micros, np.zeros_like(micros), where=~beyond & _matched(found))


_LARGEST = 10**18


def read_pattern(texts: pa.StringArray, *, pattern: str) -> Civil:
    """Read what `datetime.strptime` reads."""

    def parse(text: str | None) -> datetime | None:
        if text is None:
            return None
        try:
            return datetime.strptime(text, pattern)  # noqa: DTZ007 -- naive values are in the profile's zone
        except ValueError:
            return None

    distinct = pc.dictionary_encode(texts)
    civil = Civil.from_datetimes(map(parse, distinct.dictionary.to_pylist()), UTC)
    ...
