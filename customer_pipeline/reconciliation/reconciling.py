"""The reconciliation as a whole: compare what a full walk found, then settle who is in the cache and not in the walk.

It may be interrupted anywhere and begun anew: what was published by then is true.
"""

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime

from customer_pipeline.cache import stored
from customer_pipeline.erasure.suppressions import Suppressions
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.reconciliation import extras
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.extras import MAX_DELETED_SHARE, Extra, Walked
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.report import Reconciliation
from customer_pipeline.reconciliation.verification import ByLookup, BySecondWalk, Verifier
from customer_pipeline.windows import Window

# So many are settled before the next are asked for: what a failing provider leaves undone, the next run finds again.
_SETTLED_TOGETHER = 100


@dataclass(frozen=True, kw_only=True)
class FullWalk:
    """A full walk of the provider, under way.

    Attributes:
        started_at: before its first request was sent.
        end: it finds every customer that changed before; those that change meanwhile perhaps.
        landing: where its parts land.
        parts: comes by each part once it has landed and was normalized.
    """

    started_at: datetime
    end: datetime
    landing: LandingStore
    parts: Generator[Window]


def reconcile(
    walk: Callable[[], FullWalk],
    *,
    comparison: Comparison,
    client: ProviderClient,
    max_deleted_share: float = MAX_DELETED_SHARE,
) -> Reconciliation:
    """Compare the provider with the cache, and make the cache agree unless the comparison only checks.

    A record that is older at the provider than in the cache is reported and left as it is.

    Args:
        walk: begins a full walk; where the profile names no `lookup` and somebody is extra, a second one.
        comparison: with the cache.
        client: looks extra customers up.
        max_deleted_share: the greatest share of the cached customers that may be deleted because the provider no
            longer shows them.

    Raises:
        ReconciliationRefused: if the provider's answers are not believed; nobody was deleted.
        ProviderError: one of its four kinds; nobody was deleted for whom it had not answered.
        LandingError: if the landing store cannot be read or written.
        CacheError: if the cache cannot be read or written.
        PublicationIncomplete: if the guard did not answer for everybody.
    """
    started = time.monotonic()
    first = walk()
    walked = _carry_out(first, comparison)
    found = extras.find(walked, comparison, share=max_deleted_share)
    verify: Verifier
    if client.profile.lookup:
        verify = ByLookup(client, witnesses=walked.seen.witnesses)
    else:
        verify = BySecondWalk(lambda: _carry_out(walk(), comparison.uncounted()))
    _settle(found, verify, comparison, started_at=walked.started_at)
    tally = comparison.tally
    return Reconciliation(
        as_of=comparison.due,
        check_only=comparison.publisher is None,
        at_provider=len(walked.seen),
        in_cache=stored.count(comparison.connection, keys=comparison.keys),
        quarantined=tally.quarantined,
        counts={kind: tally.counts[kind] for kind in Kind},
        samples=tally.samples,
        outcomes=tally.outcomes,
        seconds=time.monotonic() - started,
    )


def _carry_out(walk: FullWalk, comparison: Comparison) -> Walked:
    with closing(walk.parts) as parts:
        seen = comparison.add_parts(parts, landing=walk.landing, started_at=walk.started_at)
    # Read after the walk: whoever it left out was on the list by then.
    suppressions = Suppressions.load(walk.landing)
    return Walked(started_at=walk.started_at, end=walk.end, seen=seen, suppressions=suppressions)


def _settle(found: Sequence[Extra], verify: Verifier, comparison: Comparison, *, started_at: datetime) -> None:
    for first in range(0, len(found), _SETTLED_TOGETHER):
        verdicts = list(verify(found[first : first + _SETTLED_TOGETHER]))
        comparison.publish([verdict.gone for verdict in verdicts if verdict.gone])
        comparison.add([verdict.state for verdict in verdicts if verdict.state], started_at=started_at)
        for verdict in verdicts:
            comparison.tally.add(verdict.kind, verdict.extra.id)
