"""Customers in the cache whom a full walk of the provider did not see: found in chunks, and limited in number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from customer_pipeline.cache import stored
from customer_pipeline.cache.changes import unannounced
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.stored import Version, version_of, version_of_document
from customer_pipeline.erasure.suppressions import Suppressions
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.errors import TooManyExtras
from customer_pipeline.reconciliation.kinds import CLOCK_TOLERANCE
from customer_pipeline.reconciliation.seen import CustomersSeen
from customer_pipeline.timestamps import (
    EARLIEST_PLAUSIBLE,
    epoch_milliseconds,
    format_instant,
    now,
    parse_instant,
)

T = TypeVar("T")

MAX_DELETED_SHARE = 0.01
_ALWAYS_ALLOWED = 20
# No provider's clock is so far ahead: what was updated later still is not beyond the walk, but wrong.
_FUTURE = timedelta(days=1)
_OLDEST = Version(format_instant(EARLIEST_PLAUSIBLE), format_instant(EARLIEST_PLAUSIBLE))


@dataclass(frozen=True, kw_only=True)
class Walked:
    """A full walk that has ended.

    Attributes:
        started_at: when its first request was sent; whoever was fetched later is there.
        end: whoever changed later lies beyond the walk.
        seen: whom it saw.
        suppressions: whom it left out, since they are erased, and so perhaps not yet out of the cache.
    """

    started_at: datetime
    end: datetime
    seen: CustomersSeen
    suppressions: Suppressions


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A customer in the cache whom the walk did not see.

    Attributes:
        id: the customer's id.
        version: of the document; where it has none, of the tombstone beside it, or one that loses to any state.
    """

    id: str
    version: Version

    def gone(self, observed_at: datetime) -> State:
        """Return the deletion that is inferred from absence: the stored record's `updated_at`, and when it was seen.

        If the record claims to be fetched later than that, its `fetched_at`: the deletion wins over the document.
        """
        version = Version(self.version.updated_at, max(format_instant(observed_at), self.version.fetched_at))
        return State(self.id, str(version), epoch_milliseconds(parse_instant(version.updated_at)), None)


def allowed(cached: int, *, share: float) -> int:
    """Return how many extra customers may be deleted: the share, or twenty, but of a small cache no more than half."""
    return max(int(cached * share), min(_ALWAYS_ALLOWED, cached // 2))


def find(walked: Walked, comparison: Comparison, *, share: float) -> list[Extra]:
    """Return the customers whom the walk did not see although they were in the cache before it began; erased ones not.

    So are those whose document this pipeline cannot have written: it has no version, or one that lies in the future.
    Entries of the indexes that no document says are mended on the way, and changes announced that were left untold.

    Raises:
        TooManyExtras: if there are more than the provider is believed to have deleted.
        CacheError: if the cache cannot be read.
    """
    indexed = stored.count(comparison.connection, keys=comparison.keys)
    cached = max(indexed, len(walked.seen))  # the index may be lost
    found: dict[str, Extra] = {}
    beyond = 0
    for extra in _unseen(walked, comparison):
        most = allowed(max(cached, len(found) + 1), share=share)
        if len(found) < most or extra.id in found:
            found[extra.id] = extra
        else:
            beyond += 1
    _mend_orphans(walked, comparison)
    _announce_rest(walked, comparison)
    if beyond:
        extra_count = min(len(found) + beyond, cached)  # the scan may have shown somebody twice
        raise TooManyExtras(
            extra=extra_count, cached=cached, allowed=allowed(cached, share=share), seen=len(walked.seen)
        )
    return list(found.values())


def _unseen(walked: Walked, comparison: Comparison) -> Iterator[Extra]:
    started_at, end = format_instant(walked.started_at), format_instant(walked.end)
    # Not by the index: whom it has lost would stay for ever.
    for chunk in stored.scan_documents(comparison.connection, keys=comparison.keys):
        foreign = []
        fetched_until, updated_until = format_instant(now() + CLOCK_TOLERANCE), format_instant(now() + _FUTURE)
        for customer_id, version in _versions(chunk, walked, comparison):
            if version is None:
                foreign.append(customer_id)
            elif version.fetched_at > fetched_until or (
                version.fetched_at < started_at and not end <= version.updated_at <= updated_until
            ):
                yield Extra(id=customer_id, version=version)
        yield from _foreign(foreign, comparison)


def _foreign(ids: list[str], comparison: Comparison) -> Iterator[Extra]:
    """Yield those of `ids` whose document has no version; others lost theirs meanwhile, or have a new one."""
    for customer_id, held in zip(ids, _read(ids, comparison), strict=True):
        if held.document is not None and version_of_document(held.document) is None:
            known = version_of(held.tombstone) if held.tombstone is not None else None
            yield Extra(id=customer_id, version=known or _OLDEST)


def _mend_orphans(walked: Walked, comparison: Comparison) -> None:
    connection, keys = comparison.connection, comparison.keys
    for chunk in stored.scan_index(connection, keys=keys):
        unread = [name for name, version in _versions(chunk, walked, comparison) if version is None]
        orphans = [name for name, held in zip(unread, _read(unread, comparison), strict=True) if held.document is None]
        comparison.count_misindexed(orphans)
        comparison.mend_index(orphans)
    # Here everybody's: one whom the walk saw may be there under an earlier value, or somebody else's, too.
    for index in keys.by_value:
        for entries in stored.scan_entries(connection, index):
            erased = walked.suppressions.holds([entry.name for entry in entries])
            wrong = stored.false_entries(connection, _others(entries, erased), index=index, keys=keys)
            comparison.count_misindexed([entry.name for entry in wrong])
            comparison.drop_entries(wrong, index=index)


def _announce_rest(walked: Walked, comparison: Comparison) -> None:
    for chunk in unannounced(comparison.connection, keys=comparison.keys):
        comparison.announce(_others(chunk, walked.suppressions.holds(chunk)))


def _versions(ids: list[str], walked: Walked, comparison: Comparison) -> Iterator[tuple[str, Version | None]]:
    """Yield those of `ids` whom the walk did not see, but for erased ones, each with the version of its document."""
    unseen = _others(ids, walked.seen.holds(ids))
    left = _others(unseen, walked.suppressions.holds(unseen))
    yield from zip(left, stored.read_versions(comparison.connection, left, keys=comparison.keys), strict=True)


def _read(ids: list[str], comparison: Comparison) -> list[stored.Stored]:
    return stored.read(comparison.connection, ids, keys=comparison.keys)


def _others(every: list[T], held: npt.NDArray[np.bool_]) -> list[T]:
    return [one for one, is_held in zip(every, held.tolist(), strict=True) if not is_held]
