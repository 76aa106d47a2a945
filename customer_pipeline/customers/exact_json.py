"""JSON that loses nothing of a record: integers of any size, and a way out for what orjson refuses.

orjson reads integers beyond 64 bits as floats and refuses lone surrogates, `NaN`, raw control characters and numbers
beyond a double. Such texts take the standard library's parser; a number that has no value there becomes `UNUSABLE`, so
that one field of a record is lost and not the record. Other fractions are IEEE doubles, as in every browser. Of equal
keys in one object the last counts.
"""

import json
import math
import re
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.customers.columns import UNUSABLE

# The shortest integer beyond 64 bits, -9223372036854775809, has 19 digits.
_LONG_NUMBER = re.compile("[0-9]{19}")


def loads(text: str) -> Any:
    """Parse one JSON text.

    Raises:
        ValueError: if it is no JSON, or is nested deeper than about a thousand levels.
    """
    if _LONG_NUMBER.search(text):
        return _loads_exactly(text)
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _loads_exactly(text)


def loads_each(texts: pa.Array) -> list[Any]:
    """Parse each text of a string column; one that is no JSON becomes `UNUSABLE`."""
    long_number = pc.match_substring_regex(texts, _LONG_NUMBER.pattern)
    return [
        _loads_or_unusable(text, exactly=exactly)
        for text, exactly in zip(texts.to_pylist(), long_number.to_pylist(), strict=True)
    ]


def dumps(value: Any) -> str:
    """Return the JSON text of a parsed value, with sorted keys: equal values have equal texts.

    Raises:
        ValueError: if JSON cannot hold the value: it has an unusable number or a lone surrogate in it, or is nested
            deeper than about a thousand levels.
    """
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()
    except orjson.JSONEncodeError:
        pass
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        text.encode()
    except (TypeError, ValueError, RecursionError) as error:  # their messages quote the value
        raise ValueError(f"JSON cannot hold the value ({type(error).__name__})") from None
    return text


def _loads_or_unusable(text: str, *, exactly: bool) -> Any:
    if not exactly:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError:
            pass
    try:
        return _loads_exactly(text)
    except ValueError:
        return UNUSABLE


def _loads_exactly(text: str) -> Any:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:  # it carries the text
        raise ValueError(f"no JSON at character {error.pos}") from None
    except RecursionError:
        raise ValueError("the JSON is nested too deeply") from None


def _integer(text: str) -> Any:
    try:
        return int(text)
    except ValueError:  # Python refuses more than 4,300 digits
        return UNUSABLE


def _fraction(text: str) -> Any:
    number = float(text)
    return number if math.isfinite(number) else UNUSABLE


def _constant(_name: str) -> Any:
    return UNUSABLE


_DECODER = json.JSONDecoder(strict=False, parse_int=_integer, parse_float=_fraction, parse_constant=_constant)
