"""Customers in the cache whom a full walk of the provider did not see: found in chunks, and limited in number."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from customer_pipeline.cache import stored
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.stored import Version
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.errors import TooManyExtras
from customer_pipeline.reconciliation.seen import Seen
from customer_pipeline.timestamps import epoch_milliseconds, format_instant, parse_instant

MAX_DELETED_SHARE = 0.01
_ALWAYS_ALLOWED = 20


@dataclass(frozen=True, kw_only=True)
class Walked:
    """A full walk that has ended.

    Attributes:
        started_at: when its first request was sent; whoever was fetched later is there.
        end: whoever changed later lies beyond the walk.
        seen: whom it saw.
    """

    started_at: datetime
    end: datetime
    seen: Seen


@dataclass(frozen=True, kw_only=True)
class Extra:
    """A customer in the cache whom the walk did not see."""

    id: str
    version: Version

    def gone(self, observed_at: datetime) -> State:
        """Return the deletion that is inferred from absence: the stored record's `updated_at`, and when it was seen."""
        version = Version(self.version.updated_at, format_instant(observed_at))
        return State(self.id, str(version), epoch_milliseconds(parse_instant(version.updated_at)), None)


def allowed(cached: int, *, share: float) -> int:
    """Return how many extra customers may be deleted: the share, or twenty, but of a small cache no more than half."""
    return max(int(cached * share), min(_ALWAYS_ALLOWED, cached // 2))


def find(walked: Walked, comparison: Comparison, *, share: float) -> list[Extra]:
    """Return the customers whom the walk did not see although they were in the cache before it began.

    Entries of the indexes that no document says are mended on the way.

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
        for customer_id, version in _versions(chunk, walked, comparison):
            if version is not None and version.fetched_at < started_at and version.updated_at < end:
                yield Extra(id=customer_id, version=version)


def _mend_orphans(walked: Walked, comparison: Comparison) -> None:
    connection, keys = comparison.connection, comparison.keys
    for chunk in stored.scan_index(connection, keys=keys):
        orphans = [name for name, version in _versions(chunk, walked, comparison) if version is None]
        comparison.count_misindexed(orphans)
        comparison.mend_index(orphans)
    # Here everybody's: one whom the walk saw may be there under an earlier value, or somebody else's, too.
    for index in keys.by_value:
        for entries in stored.scan_entries(connection, index):
            wrong = stored.false_entries(connection, entries, index=index, keys=keys)
            comparison.count_misindexed([entry.name for entry in wrong])
            comparison.drop_entries(wrong, index=index)


def _versions(ids: list[str], walked: Walked, comparison: Comparison) -> Iterator[tuple[str, Version | None]]:
    """Yield those of `ids` whom the walk did not see, each with the version of its document."""
    unseen = [name for name, is_seen in zip(ids, walked.seen.holds(ids).tolist(), strict=True) if not is_seen]
    yield from zip(unseen, stored.read_versions(comparison.connection, unseen, keys=comparison.keys), strict=True)
