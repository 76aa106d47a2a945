"""How long a deletion is remembered, and how old a state may therefore be that is published. Pure.

A state that was fetched before a customer was deleted loses to the tombstone. Once that has expired, nothing tells the
state from a new customer, so it must not be published any more.
"""

from datetime import timedelta

TOMBSTONE_LIFE = timedelta(days=400)

# Longer than a walk or a publication takes, a replica of the provider lags behind, or two clocks differ.
_MARGIN = timedelta(days=1)


def replay_horizon(tombstone_life: timedelta) -> timedelta:
    """Return for how long after it was fetched a state may be published."""
    return tombstone_life - _MARGIN


# What is landed is kept no longer than it can be replayed.
LONGEST_RETENTION = replay_horizon(TOMBSTONE_LIFE)
