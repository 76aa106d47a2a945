"""Where a page ended, as text that a client hands back."""

import base64
import binascii
import re
from typing import Any

import orjson

LENGTH = 5600  # that of an id of 512 characters of four bytes, and of a score

_FORM = re.compile(r"[A-Za-z0-9_-]+")
LARGEST_SCORE = 2**53


def dump(score: int, member: bytes) -> str:
    """Return the cursor of the last entry of a page; what else may stand in the index is no text."""
    return base64.urlsafe_b64encode(orjson.dumps([score, member.decode("latin-1")])).decode().rstrip("=")


def parse(text: str) -> tuple[int, bytes]:
    """Return score and member of a cursor that `dump` has written.

    Raises:
        ValueError: if it has not; the message does not repeat the text.
    """
    match _content(text):
        case [int(score), str(member)] if type(score) is int and abs(score) <= LARGEST_SCORE and _is_bytes(member):
            found = score, member.encode("latin-1")
            if dump(*found) == text:
                return found
    raise ValueError("is none that this service has given")


def _is_bytes(member: str) -> bool:
    return max(member, default="\0") <= "\xff"


def _content(text: str) -> Any:
    """Return the JSON in a cursor; None where there is none."""
    try:
        return orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))) if _FORM.fullmatch(text) else None
    except (ValueError, binascii.Error):
        return None
