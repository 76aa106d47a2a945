"""E-mail addresses by the rules of email-validator, without DNS; international addresses are allowed."""

import re

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from customer_pipeline.customers.columns import Column, each_distinct

_MAX_LENGTH = 254

# Addresses that the library is known to take as they are, the domain's case apart: twenty times as fast. The local part
# is in lower case because the library lowers that of mailboxes such as `Info`. A test compares both ways.
_PLAIN = re.compile(
    r"[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63})"
)
_RESERVED = frozenset(name.rpartition(".")[2] for name in SPECIAL_USE_DOMAIN_NAMES)


def emails(texts: Column) -> Column:
    """Return clean texts as normalized addresses: the domain in lower case and Unicode, the local part in NFC."""
    return each_distinct(texts, email)


def email(text: str) -> str | None:
    """Return one address, normalized, or None if it is none."""
    if found := quick(text):
        return found
    try:
        return validate_email(text, check_deliverability=False).normalized
    except EmailNotValidError:
        return None


def quick(text: str) -> str | None:
    """Return a plain address, normalized; None if only the library can say what it is."""
    match = _PLAIN.fullmatch(text)
    if not match or len(text) > _MAX_LENGTH or "--" in text or match[1].lower() in _RESERVED:
        return None
    return text.lower()
