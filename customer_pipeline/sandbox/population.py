"""Who is in a new world: the first customers, spread over the 30 days before its start. Pure."""

import random
from collections.abc import Iterator
from datetime import timedelta

from customer_pipeline.sandbox.people import customer_id, invent
from customer_pipeline.sandbox.store import Row

MICROSECOND = timedelta(microseconds=1)
SECOND = timedelta(seconds=1) // MICROSECOND
_DAY = timedelta(days=1) // MICROSECOND
_HISTORY = 30 * _DAY
_LONGEST_SINCE_CREATION = 1500 * _DAY
_SHARE_OF_LAST_DAY = 1 / 3
_SHARE_OF_DELETED = 0.01
_IMPORT_EVERY = 500
_IMPORT_SIZE = 40


def first_customers(*, count: int, seed: int, start: int) -> Iterator[Row]:
    """Invent `count` customers: a third changed in the last day, some in one import at the same instant.

    Args:
        count: how many.
        seed: the same seed and start invent the same customers.
        start: the instant before which all changed, in microseconds since 1970.
    """
    for number in range(1, count + 1):
        updated_at = start - _age(seed, _age_giver(number))
        dice = random.Random(f"{seed}/origin/{number}")
        created_at = updated_at - dice.randrange(_LONGEST_SINCE_CREATION)
        yield Row(
            seq=0,
            id=customer_id(number),
            updated_at=updated_at,
            created_at=created_at - created_at % SECOND,
            deleted=dice.random() < _SHARE_OF_DELETED,
            verbatim=False,
            body=invent(seed, number),
        )


def _age_giver(number: int) -> int:
    """Return the customer whose age this one shares: itself, or the first of its import."""
    place = number % _IMPORT_EVERY
    return number - place if number > _IMPORT_EVERY and place < _IMPORT_SIZE else number


def _age(seed: int, number: int) -> int:
    dice = random.Random(f"{seed}/age/{number}")
    return dice.randrange(1, _DAY if dice.random() < _SHARE_OF_LAST_DAY else _HISTORY)
