"""Text: what counts as text, and how it is cleaned.

In this order: invisible characters are removed, the text is brought to NFC, every run of white space becomes one space,
the ends are trimmed, and the empty text is null.

- White space is what Unicode calls White_Space, so tabs, line breaks and no-break spaces too.
- Removed are control characters (C0, C1), lone surrogates, noncharacters, the byte order mark, the soft hyphen, the
  zero-width space, the word joiner, and all bidirectional controls: copied in with text, they make equal texts unequal
  and turn around what a page shows after them.
- Kept are the zero-width joiner and non-joiner, which spell words in Persian and in Indic scripts; text of nothing
  but these is empty.
- Numbers become text: whole numbers by their digits, whole-numbered floats such as `8004.0` too, other floats by the
  shortest decimal that names them. Booleans, lists and objects are unusable.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from customer_pipeline.customers.columns import UNUSABLE, Column

_NONCHARACTERS = r"\x{fdd0}-\x{fdef}" + "".join(rf"\x{{{plane:x}fffe}}-\x{{{plane:x}ffff}}" for plane in range(17))
_INVISIBLE = (
    r"[\x00-\x08\x0e-\x1f\x7f-\x{84}\x{86}-\x{9f}\x{ad}\x{61c}\x{200b}\x{200e}\x{200f}\x{202a}-\x{202e}\x{2060}"
    rf"\x{{2066}}-\x{{2069}}\x{{feff}}{_NONCHARACTERS}]+"
)
_SPACE_BUT_BLANK = r"\t-\r\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}"
_SPACE = f"[ {_SPACE_BUT_BLANK}]+"
_UNCOLLAPSED = rf"  |[{_SPACE_BUT_BLANK}\x{{200c}}\x{{200d}}]"
_ONLY_JOINERS = r"^[\x{200c}\x{200d} ]+$"
_LARGEST_EXACT_FLOAT = 2**53


def texts(values: Sequence[Any]) -> Column:
    """Return JSON values as clean text."""
    try:
        array = pa.array(values, pa.string())
        unusable = np.zeros(len(array), dtype=bool)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError):
        converted = [as_text(value) for value in values]
        unusable = np.fromiter((value is UNUSABLE for value in converted), dtype=bool, count=len(converted))
        array = pa.array([None if value is UNUSABLE else value for value in converted], pa.string())
    return Column(clean(array), unusable)


def clean(array: pa.Array) -> pa.Array:
    """Return a string column with every text cleaned."""
    spotless = not pc.any(pc.match_substring_regex(array, f"{_INVISIBLE}|{_UNCOLLAPSED}")).as_py()
    if not spotless:
        array = pc.replace_substring_regex(array, _INVISIBLE, "")
    array = pc.utf8_normalize(array, form="NFC")
    if not spotless:
        array = pc.replace_substring_regex(array, _SPACE, " ")
    array = pc.utf8_trim(array, " ")
    array = pc.if_else(pc.equal(array, ""), pa.scalar(None, pa.string()), array)
    return array if spotless else pc.if_else(pc.match_substring_regex(array, _ONLY_JOINERS), None, array)


def as_text(value: Any) -> Any:
    """Return a JSON scalar as text that UTF-8 can hold, None as None, anything else as `UNUSABLE`."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.encode(errors="ignore").decode()
    if isinstance(value, float) and math.isfinite(value):
        return str(int(value)) if value.is_integer() and abs(value) < _LARGEST_EXACT_FLOAT else repr(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return UNUSABLE
