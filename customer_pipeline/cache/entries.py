r"""The entries of the indexes by e-mail address and telephone number: what a document says, and an entry's form. Pure.

An entry is the value, a line break and the id. The value is the JSON text of the document's member without its quotes,
in which there is no line break: JSON writes it as `\n`.

No JSON is parsed, here as in `entries.lua`. A document's members come in the model's order: version, id, email, phone,
name. Within a string a quote is written `\"`, so `,"email":` stands in none, and where it comes first after the version
it is the document's own. What something else wrote may be read as anything.
"""

from typing import NamedTuple

import orjson

_EMAIL, _PHONE, _NAME = b',"email":', b',"phone":', b',"name":'
_ID_START = 76
_NULL = b"null"


class Values(NamedTuple):
    """What a document is found by, as JSON text without quotes; None where it is null or empty."""

    email: bytes | None = None
    phone: bytes | None = None


class Entry(NamedTuple):
    """One entry.

    Attributes:
        value: the value.
        id: of the customer; None where something else wrote a member that is no entry.
    """

    value: bytes
    id: bytes | None

    @property
    def name(self) -> str:
        """The id as text; empty where there is none."""
        return (self.id or b"").decode("utf-8", "replace")

    def __bytes__(self) -> bytes:
        return self.value if self.id is None else b"%b\n%b" % (self.value, self.id)


def values_of(document: bytes | None) -> Values:
    """Return what a document is found by; nothing of what the pipeline did not write, or of none."""
    if document is None:
        return Values()
    email = document.find(_EMAIL, _ID_START)
    phone = document.find(_PHONE, email)
    name = document.find(_NAME, phone)
    if min(email, phone, name) < 0:
        return Values()
    return Values(_text(document[email + len(_EMAIL) : phone]), _text(document[phone + len(_PHONE) : name]))


def text_of(value: str) -> bytes:
    """Return a normalized value as it stands in an entry."""
    return orjson.dumps(value)[1:-1]


def parse(member: bytes) -> Entry:
    """Return what a member of an index says."""
    value, line_break, customer_id = member.partition(b"\n")
    return Entry(value, customer_id if line_break else None)


def _text(json: bytes) -> bytes | None:
    return None if json == _NULL else json[1:-1] or None
