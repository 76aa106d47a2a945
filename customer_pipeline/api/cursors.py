"""Where a page ended, as text that a client hands back."""

import base64
import binascii
import re
from typing import Any

import orjson

from customer_pipeline.customers.identity import usable_id

LENGTH = 4200  # that of an id of 512 characters of four bytes, and of a score

_FORM = re.compile(r"[A-Za-z0-9_-]+")
_LARGEST_SCORE = 2**53


def dump(score: int, customer_id: str) -> str:
    """Return the cursor of the last customer of a page."""
    return base64.urlsafe_b64encode(orjson.dumps([score, customer_id])).decode().rstrip("=")


def parse(text: str) -> tuple[int, bytes]:
    """Return score and id of a cursor that `dump` has written.

    Raises:
        ValueError: if it has not; the message does not repeat the text.
    """
    match _content(text):
        case [int(score), str(customer_id)] if (
            abs(score) <= _LARGEST_SCORE and usable_id(customer_id) and dump(score, customer_id) == text
        ):
            return score, customer_id.encode()
    raise ValueError("is none that this service has given")


def _content(text: str) -> Any:
    """Return the JSON in a cursor; None where there is none."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if _FORM.fullmatch(text) else None
    except (ValueError, binascii.Error):
        return None
