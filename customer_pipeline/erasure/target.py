"""Whom to erase: known by the hash alone, until the id is met. And where a text tells of that id."""

import json
import re
from collections.abc import Sequence

import numpy as np

from customer_pipeline.erasure.ledger import digest
from customer_pipeline.landing.files import Mask

_SHORTEST_TELLING = 6


class Target:
    """One customer.

    Attributes:
        hash: of the id.
        id: the id, once it is known; it goes into no message.
    """

    def __init__(self, hash_: str, *, salt: bytes, customer_id: str | None = None) -> None:
        self.hash = hash_
        self.id = customer_id
        self._salt = salt
        self._digest = bytes.fromhex(hash_.partition("-")[2])

    def __repr__(self) -> str:
        return f"Target({self.hash!r})"

    def picks(self, ids: Sequence[str | None]) -> Mask:
        """Return which of `ids` are that of the customer; from the first one on the id is known."""
        if self.id is None:
            self.id = next((name for name in ids if name and digest(self._salt, name) == self._digest), None)
            if self.id is None:
                return np.zeros(len(ids), dtype=np.bool_)
        return np.fromiter((name == self.id for name in ids), dtype=np.bool_, count=len(ids))

    def is_mentioned(self, text: str) -> bool:
        """Return whether a text tells of the id, where that is known."""
        return (
            self.id is not None and any(form in text for form in forms(self.id)) and bool(mention(self.id).search(text))
        )


def is_number(customer_id: str) -> bool:
    """Return whether an id is made of digits only, so that no text of numbers can be told from it."""
    return customer_id.isdecimal()


def forms(customer_id: str) -> list[str]:
    """Return how an id may stand in a text: as it is, and as JSON writes it."""
    escaped = (json.dumps(customer_id)[1:-1], json.dumps(customer_id, ensure_ascii=False)[1:-1])
    return list(dict.fromkeys([customer_id, *escaped]))


def mention(customer_id: str) -> re.Pattern[str]:
    r"""Return what finds an id in a text, where it stands as a whole.

    An id of digits only, or of a few characters, would be found in every number: of such only what stands in quotes
    tells of the customer, or in the braces of a key.
    """
    any_form = "|".join(re.escape(form) for form in forms(customer_id))
    if is_number(customer_id) or len(customer_id) < _SHORTEST_TELLING:
        return re.compile(rf"""(?<=["'{{])({any_form})(?=\\*["'}}])""")
    return re.compile(rf"(?<![A-Za-z0-9_-])({any_form})(?![A-Za-z0-9_-])")
