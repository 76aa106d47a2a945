"""The full walk: part by part, several at the same time, each landed as soon as it is whole.

A part that has landed is not asked for again: what is left of an interrupted walk is what no file says it has.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from queue import SimpleQueue

from customer_pipeline.customers import schemas
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.errors import Damaged, LandingError
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.delivery import WalkStats
from customer_pipeline.snapshot.division import can_be_divided, grows_by_value, halves, rest
from customer_pipeline.steps.datasets import LANDED, RAW_CUSTOMERS
from customer_pipeline.steps.ingestion import facts_of, raw_rows
from customer_pipeline.windows import Window, subtract

MOST_ROWS = 20_000
_SUPPRESSED = "suppressed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of the walk that has landed.

    Attributes:
        window: what it has: every record that was updated in it, and perhaps more.
        walk: how it was read; None where an earlier walk had landed it.
        suppressed: records of erased customers that were left out.
    """

    window: Window
    walk: WalkStats | None = None
    suppressed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Walked:
    part: Part | None
    left: list[Window] = field(default_factory=list)


class _TooLarge(Exception):  # noqa: N818 -- no error
    """A part holds more than is read at once, and nothing of it is settled."""


def walk_parts(
    whole: Window, *, clients: Sequence[ProviderClient], landing: LandingStore, most_rows: int = MOST_ROWS
) -> Iterator[Part]:
    """Yield the parts of `whole`, as many read at the same time as there are clients; those first that have landed.

    Memory holds one part for each client at most. Leaving the iteration ends the requests under way.

    Args:
        whole: what to walk.
        clients: which ask the provider, each from one thread.
        landing: of this snapshot alone.
        most_rows: about how many records a part has at most, where the provider can be asked for less.

    Raises:
        ProviderError: one of its four kinds; the parts that have landed stay.
        LandingError: if the landing store cannot be written.
    """
    landed = usable(landing)
    yield from landed
    todo = deque(subtract(whole, [part.window for part in landed]))
    suppressions = Suppressions.load(landing)
    idle: SimpleQueue[ProviderClient] = SimpleQueue()
    for client in clients:
        idle.put(client)

    def walked(window: Window) -> _Walked:
        client = idle.get()
        try:
            return _walked(window, client=client, landing=landing, sieve=Sieve(suppressions), most_rows=most_rows)
        finally:
            idle.put(client)

    pool = ThreadPoolExecutor(len(clients), thread_name_prefix="walk")
    under_way: set[Future[_Walked]] = set()
    try:
        while todo or under_way:
            while todo and len(under_way) < len(clients):
                under_way.add(pool.submit(walked, todo.popleft()))
            done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for future in done:
                result = future.result()
                todo.extend(result.left)
                if result.part:
                    yield result.part
    finally:
        if todo or under_way:
            for client in clients:
                client.end_soon()
        pool.shutdown(cancel_futures=True)


def usable(landing: LandingStore) -> list[Part]:
    """Return the parts that have landed; a damaged file is removed, so that its part is read again."""
    found = []
    for window in landing.landed(RAW_CUSTOMERS):
        try:
            facts = landing.require(RAW_CUSTOMERS, window).facts
        except Damaged:
            landing.remove(RAW_CUSTOMERS, window)
        else:
            found.append(Part(window=window, suppressed=int(str(facts.get(_SUPPRESSED, 0)))))
    return found


@contextmanager
def mended_by_repetition(part: Window, *, landing: LandingStore) -> Iterator[None]:
    """Remove a file of a part that turns out to be damaged: who begins again reads the part, or normalizes it, anew.

    Raises:
        LandingError: transient, in place of the one about the damage.
    """
    try:
        yield
    except Damaged as error:
        for dataset in LANDED:
            if landing.uri_of(dataset, part) == error.uri:
                landing.remove(dataset, part)
        raise LandingError(
            f"{error.uri}: damaged, so it was removed; trying again makes this part of the walk anew", transient=True
        ) from error


def _walked(window: Window, *, client: ProviderClient, landing: LandingStore, sieve: Sieve, most_rows: int) -> _Walked:
    """Read and land one part, or as much of it as one part may have."""
    profile = client.profile
    divisible, by_value = can_be_divided(window, profile), grows_by_value(profile)
    walk = client.walk_exactly(window)
    with suppress(_TooLarge):
        with landing.open_writer(RAW_CUSTOMERS, window, schemas.RAW) as writer, closing(iter(walk)) as pages:
            for page in pages:
                writer.write(sieve(raw_rows(page)))
                if not divisible:
                    continue
                if not by_value and max(writer.rows, walk.stated or 0) > most_rows:
                    raise _TooLarge
                if by_value and writer.rows >= most_rows and walk.settled and walk.settled != window:
                    writer.window = walk.settled
                    break
            pages.close()
            writer.facts.update(facts_of(walk.stats) | {_SUPPRESSED: sieve.suppressed})
        left = [half for piece in rest(window, writer.window) for half in halves(piece, profile)]
        part = Part(window=writer.window, walk=walk.stats, suppressed=sieve.suppressed)
        return _Walked(part=part, left=left)
    return _Walked(part=None, left=halves(window, profile))
