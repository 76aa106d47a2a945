"""Parameters of requests, as text, to what they mean. What is wrong is told without repeating it."""

import re
from collections.abc import Sequence
from datetime import datetime

import pyarrow as pa

from customer_pipeline import timestamps
from customer_pipeline.api import cursors
from customer_pipeline.api.problems import wrong
from customer_pipeline.customers.countries import country
from customer_pipeline.customers.emails import email
from customer_pipeline.customers.phones import phone
from customer_pipeline.customers.texts import clean

MOST_IDS = 100

_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?)(?:([Zz])|([+ -])([0-9]{2}:[0-9]{2}))"
)
_LOST_PLUS = re.compile(r" *[0-9]")


def ids(given: Sequence[str]) -> list[str]:
    """Return the different ids of a list, in order; they may be separated by commas, or be given one by one."""
    found = list(dict.fromkeys(part for text in given for part in text.split(",")))
    if "" in found:
        raise wrong("ids", "an id is empty")
    if len(found) > MOST_IDS:
        raise wrong("ids", f"at most {MOST_IDS} ids can be asked for")
    return found


def instant(field: str, text: str) -> datetime:
    """Return the instant of an RFC 3339 datetime. A `+` that the query's encoding made a space is one."""
    match = _RFC3339.fullmatch(text)
    if match:
        local, _, sign, offset = match.groups()
        try:
            return timestamps.parse_rfc3339(f"{local.upper()}{'-' if sign == '-' else '+'}{offset or '00:00'}")
        except (ValueError, OverflowError):
            pass  # no calendar has it
    raise wrong(
        field,
        "expected an RFC 3339 datetime with an offset and at most six digits of a second, such as "
        "2026-11-23T07:50:00.000000Z",
    )


def cursor(text: str) -> tuple[int, bytes]:
    """Return where the page before ended."""
    try:
        return cursors.parse(text)
    except ValueError as error:
        raise wrong("cursor", str(error)) from None


def email_address(text: str) -> str:
    """Return an e-mail address, normalized as those of customers are."""
    cleaned = _cleaned(text)
    found = email(cleaned) if cleaned else None
    if found is None:
        raise wrong("email", "expected an e-mail address")
    return found


def phone_number(text: str, *, region: str | None) -> str:
    """Return a telephone number in E.164. A `+` that the query's encoding made a space is one."""
    if text.startswith(" ") and _LOST_PLUS.match(text):
        text = f"+{text.strip()}"
    cleaned = _cleaned(text)
    code = country(region) if region else None
    if region and code is None:
        raise wrong("country", "expected a country, such as CH")
    found = phone(cleaned, region=code) if cleaned else None
    if found is None:
        raise wrong("phone", "expected a valid number, international or with `country`, such as +41446681800")
    return found


def _cleaned(text: str) -> str | None:
    cleaned: str | None = clean(pa.array([text], pa.string()))[0].as_py()
    return cleaned
