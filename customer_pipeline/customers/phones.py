"""Telephone numbers to E.164, by libphonenumber."""

import re

import numpy as np
import phonenumbers
import pyarrow as pa

from customer_pipeline.customers.columns import Column

_E164 = re.compile(r"\+[1-9][0-9]{1,14}")


def phones(texts: Column, *, countries: Column, region: str | None) -> Column:
    """Return clean texts as E.164 numbers.

    A number without a country code is read in the region of its row in `countries`, or where the address names none, in
    `region`. Where the address names a country that can't be used, such a number is unusable too: read in another
    country it could be somebody else's. Only numbers that libphonenumber calls valid are used: a merely possible one
    has the right length and may belong to nobody. Extensions are dropped, since E.164 has none; of two numbers in one
    text the first is used.
    """
    # Numbers of all regions need more patterns than `re` keeps compiled; without this they take seven times as long.
    phonenumbers.enable_pattern_cache()
    known: dict[tuple[str, str | None], str | None] = {}
    values: list[str | None] = []
    rows = zip(texts.array.to_pylist(), countries.array.to_pylist(), countries.unusable, strict=True)
    for text, country, country_is_unusable in rows:
        if text is None:
            values.append(None)
            continue
        key = text, None if country_is_unusable else country or region
        if key not in known:
            known[key] = phone(text, region=key[1])
        values.append(known[key])
    refused = np.fromiter((value is None for value in values), dtype=bool, count=len(values))
    present = np.asarray(texts.array.is_valid(), dtype=bool)
    return Column(pa.array(values, pa.string()), texts.unusable | (refused & present))


def phone(text: str, *, region: str | None) -> str | None:
    """Return one number in E.164, or None if it is none that is valid."""
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    formatted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return formatted if _E164.fullmatch(formatted) else None
