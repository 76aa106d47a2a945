"""The erasure of one customer, from cache and landing store: it may be broken off anywhere and repeated.

1. The customer is suppressed (`Ledger.enter`): what begins from now on publishes and lands nothing of them.
2. What there is of the customer is removed from the cache, then from the landing store, file by file.
3. Runs that were under way at the first step may have loaded the list of suppressions before: they are waited for, and
   temporary files that are left of them are discarded.
4. The removal is repeated until it finds nothing, twice in a row. That is the proof.
5. The ledger says that the customer is erased.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import timedelta

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.removal import remove
from customer_pipeline.cache.traces import ids, mentions
from customer_pipeline.customers.identity import Identifier
from customer_pipeline.customers.mapping import Mapping
from customer_pipeline.erasure.landed import LandedRows
from customer_pipeline.erasure.ledger import Ledger, State
from customer_pipeline.erasure.target import Target
from customer_pipeline.landing.files import LandedFiles
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.timestamps import now

POLL_SECONDS = 2.0
_MOST_PASSES = 20
_CLEAN_PASSES = 2


class ErasureUnfinished(Exception):  # noqa: N818 -- says what is the case
    """The erasure is not complete; the customer stays suppressed, and the same erasure goes on when it is repeated."""


@dataclass(kw_only=True)
class Erased:
    """What an erasure found and removed.

    Attributes:
        found: how many documents, tombstones, index entries, changes in the stream and rows of each dataset.
        files: how many files were rewritten.
        temporaries: how many temporary files of dead processes were discarded.
        mentions: rows of other customers whose records mention the id; they stay.
        other_keys: keys of the cache that are no customer's and mention the id; they stay.
        passes: how often everything was looked through.
    """

    found: Counter[str] = field(default_factory=Counter)
    files: int = 0
    temporaries: int = 0
    mentions: int = 0
    other_keys: list[str] = field(default_factory=list)
    passes: int = 0


@dataclass(frozen=True, kw_only=True)
class Stores:
    """Where customers are.

    Attributes:
        landing_uri: the landing store.
        connection: the cache.
        keys: the names of its keys.
        mapping: how records are read.
    """

    landing_uri: str
    connection: Connection
    keys: CacheKeys
    mapping: Mapping

    @property
    def ledger(self) -> Ledger:
        """The ledger in the landing store."""
        return Ledger(LandingStore(self.landing_uri).notes)


class Erasure:
    """One customer's erasure, that was entered into the ledger.

    Args:
        stores: where customers are.
        hash_: of the customer.
        customer_id: the id, where it is known; it is otherwise found by its hash.
        before: is told each step before it is done; a name of a file may be in it, nothing of a customer.

    Raises:
        ErasureUnfinished: if the hash was never entered, or is of another landing store.
        LandingError: if the ledger cannot be read.
    """

    def __init__(
        self,
        stores: Stores,
        hash_: str,
        *,
        customer_id: str | None = None,
        before: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._stores = stores
        self._before = before
        self._files = LandedFiles(stores.landing_uri)
        self._ledger = stores.ledger
        self._require_held(hash_)
        self._target = Target(hash_, salt=self._ledger.salt_of(hash_), customer_id=customer_id)
        self._rows = LandedRows(self._files, identifier=Identifier(stores.mapping), target=self._target)

    def run(
        self,
        *,
        under_way: Callable[[], Collection[str]],
        wait: Callable[[float], None],
        by: str,
        patience: timedelta = timedelta(minutes=45),
    ) -> Erased:
        """Erase, and return what was found once nothing is found any more.

        Args:
            under_way: returns the runs that may be landing or publishing now.
            wait: waits for so many seconds.
            by: who asked for it.
            patience: how long runs that were under way are waited for.

        Raises:
            ErasureUnfinished: if they go on for longer, something publishes the customer again and again, or the
                erasure was lifted meanwhile.
            LandingError: if the landing store cannot be read or written.
            CacheError: if the cache cannot be read or written.
        """
        erased = Erased()
        self._before("looking for runs under way")
        temporaries, runs = self._files.temporaries(), set(under_way())
        self._pass(erased)
        self._before("waiting for runs that were under way")
        self._wait_for(runs, under_way=under_way, wait=wait, patience=patience)
        self._before("discarding temporary files of dead processes")
        # Whoever wrote these has ended, or was killed long ago; another erasure writes its file again.
        for name in sorted({*temporaries} & {*self._files.temporaries()}):
            self._files.discard(name)
            erased.temporaries += 1
        clean = 0
        while clean < _CLEAN_PASSES:
            if erased.passes == _MOST_PASSES:
                raise ErasureUnfinished(
                    f"after {_MOST_PASSES} passes the customer is still being published; look for a second pipeline on "
                    "the same cache or landing store, then repeat the erasure"
                )
            clean = 0 if self._pass(erased) else clean + 1
        self._before("entering that the customer is erased")
        self._require_held(self._target.hash)
        if self._ledger.states()[self._target.hash] is not State.ERASED:
            self._ledger.add(self._target.hash, State.ERASED, by=by)
        return erased

    def _pass(self, erased: Erased) -> bool:
        """Remove what there is, and return whether there was anything."""
        erased.passes += 1
        self._before(f"pass {erased.passes}: removing from the cache")
        in_cache = self._remove_from_cache()
        self._before(f"pass {erased.passes}: removing from the landing store")
        swept = self._rows.sweep(before=lambda name: self._before(f"rewriting {name}"))
        erased.found += in_cache + swept.rows
        erased.files += swept.files
        erased.mentions = swept.mentions
        if self._target.id is not None:
            erased.other_keys = mentions(self._stores.connection, self._target.is_mentioned, keys=self._stores.keys)
        return bool(in_cache.total() or swept.files)

    def _remove_from_cache(self) -> Counter[str]:
        connection, keys = self._stores.connection, self._stores.keys
        # Looked through as a whole, although the id may be known: that nothing is there is the proof.
        for some in ids(connection, keys=keys):
            self._target.picks(some)
        if self._target.id is None:
            return Counter()
        removed = remove(connection, self._target.id, keys=keys)
        return +Counter(
            documents=removed.documents,
            tombstones=removed.tombstones,
            index_entries=removed.index_entries,
            changes=removed.changes,
        )

    def _wait_for(
        self,
        runs: set[str],
        *,
        under_way: Callable[[], Collection[str]],
        wait: Callable[[float], None],
        patience: timedelta,
    ) -> None:
        deadline = now() + patience
        while runs := runs & {*under_way()}:
            if now() >= deadline:
                raise ErasureUnfinished(
                    f"{len(runs)} runs that began before the erasure are still under way "
                    f"({', '.join(sorted(run[:8] for run in runs))}); repeat it when they have ended"
                )
            wait(POLL_SECONDS)

    def _require_held(self, hash_: str) -> None:
        state = self._ledger.states().get(hash_)
        if state is None:
            raise ErasureUnfinished(
                f"{hash_} is in no ledger of this landing store; `customer-pipeline erase` enters a customer"
            )
        if not state.holds:
            raise ErasureUnfinished(f"the erasure of {hash_} was lifted; enter it anew to erase the customer")
