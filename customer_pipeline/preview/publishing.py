"""Publishes into the copy as into the cache, and watches what becomes of the documents."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.preview.copying import Copy
from customer_pipeline.preview.differences import change_of, fields
from customer_pipeline.preview.report import Change, CustomerDifference

_BATCH = 2000
# What a person wants to see first.
_RANKS = {Change.CHANGED: 0, Change.REMOVED: 1, Change.ADDED: 2}


@dataclass(frozen=True, order=True, slots=True)
class _Seen:
    """A customer whose document has changed: what it was at first. Ordered by how telling it is, then by arrival."""

    rank: int
    number: int
    id: str = field(compare=False)
    before: bytes | None = field(compare=False)


class WatchingPublisher(Publisher):
    """Brings the customers into the copy before it publishes their states, and remembers some that changed.

    Args:
        connection: to the copy.
        keys: the names of the keys.
        copy: of the cache.
        sample: how many customers to remember.
    """

    def __init__(self, connection: Connection, *, keys: CacheKeys, copy: Copy, sample: int) -> None:
        super().__init__(connection, keys=keys)
        self._copy = copy
        self._size = sample
        self._seen: list[_Seen] = []
        self._number = 0

    def publish(self, states: Iterable[State]) -> Outcomes:
        """Publish `states` into the copy."""
        outcomes, rest = Outcomes(), iter(states)
        while some := list(islice(rest, _BATCH)):
            ids = list(dict.fromkeys(state.id for state in some))
            self._copy.bring(ids)
            before = self._copy.documents(ids)
            outcomes += super().publish(some)
            self._note(ids, before, self._copy.documents(ids))
        return outcomes

    def sample(self, *, show_values: bool) -> tuple[CustomerDifference, ...]:
        """Return what differs for the remembered customers, from before the first window to after the last."""
        afterwards = self._copy.documents([one.id for one in self._seen])
        return tuple(
            CustomerDifference(id=one.id, change=change, fields=fields(one.before, after, show_values=show_values))
            for one, after in zip(self._seen, afterwards, strict=True)
            if (change := change_of(one.before, after))
        )

    def _note(self, ids: list[str], before: list[bytes | None], after: list[bytes | None]) -> None:
        changes = {
            name: (change, old)
            for name, old, new in zip(ids, before, after, strict=True)
            if (change := change_of(old, new))
        }
        for name in self._copy.note_changed(list(changes)):
            change, old = changes[name]
            self._number += 1
            self._seen.append(_Seen(_RANKS[change], self._number, name, old))
        self._seen = heapq.nsmallest(self._size, self._seen)
