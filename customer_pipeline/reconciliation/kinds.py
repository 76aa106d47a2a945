"""How one state of the provider and what the cache holds of that customer stand to each other. Pure."""

from datetime import timedelta
from enum import StrEnum

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.stored import Stored, Version, content_of, version_of, version_of_document

# How far the clocks of those who fetch may differ.
CLOCK_TOLERANCE = timedelta(seconds=5)


class Kind(StrEnum):
    """What became of a customer in the comparison.

    Attributes:
        AGREES: provider and cache say the same.
        AHEAD: the cache knows a newer state: a live window was faster. It agrees.
        OLDER_AT_PROVIDER: the cache knows a newer state that was there before the walk began, or claims to be fetched
            in the future. The guard refuses the older one: this is left to a person.
        AWAITED: the provider has a state that is too young for the windows published so far.
        MISSING: not in the cache.
        STALE: in the cache as it was earlier.
        DIFFERENT: in the cache with other content of the same time.
        MISINDEXED: in the cache, but an index says otherwise.
        EXTRA: in the cache and not at the provider.
        MISSED_BY_WALK: not in the walk, but there when the provider was asked again.
        NOT_LOOKED_UP: not in the walk, and the provider cannot be asked for it by its id; it stays in the cache.
    """

    AGREES = "agrees"
    AHEAD = "ahead"
    OLDER_AT_PROVIDER = "older_at_provider"
    AWAITED = "awaited"
    MISSING = "missing"
    STALE = "stale"
    DIFFERENT = "different"
    MISINDEXED = "misindexed"
    EXTRA = "extra"
    MISSED_BY_WALK = "missed_by_walk"
    NOT_LOOKED_UP = "not_looked_up"


DIFFERENCES = (Kind.MISSING, Kind.STALE, Kind.DIFFERENT, Kind.MISINDEXED, Kind.EXTRA, Kind.OLDER_AT_PROVIDER)


def kind_of(state: State, stored: Stored, *, since: str, until: str) -> Kind:
    """Return how the state of the provider and what is stored stand to each other, by the order of `publisher`.

    A deletion of whom the cache does not hold agrees, whether or not there is a tombstone; see `is_untold`.

    Args:
        state: of the provider.
        stored: in the cache.
        since: when the walk began: only what was fetched since can have been faster than the walk.
        until: what was fetched later lies in the future, and so was not.
    """
    own = version_of(state.version)
    if own is None:
        raise ValueError("a state has a version")
    if stored.document is not None:
        known = version_of_document(stored.document)
        if known is None:
            return Kind.DIFFERENT
        if known.updated_at == own.updated_at and _is_same(state, stored.document):
            is_indexed = stored.score == state.updated_ms and stored.is_found
            return Kind.AGREES if is_indexed else Kind.MISINDEXED
        return _by_version(own, known, since=since, until=until)
    if state.document is None:
        return Kind.AGREES if stored.score is None else Kind.MISINDEXED
    known = version_of(stored.tombstone) if stored.tombstone is not None else None
    return _by_version(own, known, since=since, until=until) if known is not None and known > own else Kind.MISSING


def is_untold(state: State, stored: Stored) -> bool:
    """Say whether the cache does not remember a deletion that the provider states: an older state could come back."""
    if state.document is not None or stored.document is not None:
        return False
    known = version_of(stored.tombstone) if stored.tombstone is not None else None
    return known is None or known.updated_at < state.version[: len(known.updated_at)]


def _is_same(state: State, document: bytes) -> bool:
    return state.document is not None and content_of(state.document) == content_of(document)


def _by_version(own: Version, known: Version, *, since: str, until: str) -> Kind:
    if known > own:
        return Kind.AHEAD if since <= known.fetched_at <= until else Kind.OLDER_AT_PROVIDER
    return Kind.STALE if known.updated_at < own.updated_at else Kind.DIFFERENT
