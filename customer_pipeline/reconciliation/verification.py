"""Whether a customer whom a walk did not see is gone: asked for one by one, or by a second walk."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from customer_pipeline.cache.codec import State, encode
from customer_pipeline.customers import schemas
from customer_pipeline.customers.normalize import Normalizer
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.lookup import Lookup
from customer_pipeline.reconciliation.errors import LookupNotTrusted
from customer_pipeline.reconciliation.extras import Extra, Walked
from customer_pipeline.reconciliation.kinds import Kind


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the provider says of an extra customer when it is asked again.

    Attributes:
        extra: the customer.
        gone: the deletion to publish; None where the customer is there.
        state: the state that it has at the provider; None where that was not asked for, or is not usable.
        is_open: whether the customer cannot be asked for: it stays as it is.
    """

    extra: Extra
    gone: State | None = None
    state: State | None = None
    is_open: bool = False

    @property
    def kind(self) -> Kind:
        """What became of the customer."""
        if self.is_open:
            return Kind.NOT_LOOKED_UP
        return Kind.EXTRA if self.gone else Kind.MISSED_BY_WALK


Verifier = Callable[[Sequence[Extra]], Iterator[Verdict]]


class ByLookup:
    """Asks for customers one by one at the provider's lookup endpoint.

    Args:
        client: asks the provider.
        witnesses: customers that the walk saw alive; the lookup is believed once it finds one of them.
    """

    def __init__(self, client: ProviderClient, *, witnesses: Sequence[str]) -> None:
        self._client = client
        self._witnesses = [witness for witness in witnesses if client.can_look_up(witness)]
        self._trusted = False
        self._normalizer = Normalizer(client.profile)

    def __call__(self, extras: Sequence[Extra]) -> Iterator[Verdict]:
        """Yield a verdict on each.

        Raises:
            ProviderError: one of its four kinds; there is no verdict on the rest.
            LookupNotTrusted: if it finds none of the witnesses either.
        """
        for extra in extras:
            if not self._client.can_look_up(extra.id):
                yield Verdict(extra=extra, is_open=True)
                continue
            found = self._client.lookup(extra.id)
            if found.absent:
                self._require_trust()
                yield Verdict(extra=extra, gone=extra.gone(found.fetched_at))
            else:
                yield self._verdict(extra, found)

    def _verdict(self, extra: Extra, found: Lookup) -> Verdict:
        states = self._states(found)
        if states and states[0].document is None:
            # What the provider states itself wins over what was observed, but never loses to the document it is about.
            return Verdict(extra=extra, gone=max(states[0], extra.gone(found.fetched_at), key=_version))
        return Verdict(extra=extra, state=states[0] if states else None)

    def _states(self, found: Lookup) -> list[State]:
        raw = pa.record_batch(
            [
                pa.nulls(1, pa.string()),
                pa.nulls(1, schemas.INSTANT),
                pa.array([found.fetched_at], schemas.INSTANT),
                pa.array([found.record], pa.string()),
            ],
            schema=schemas.RAW,
        )
        difference = max(found.clock_difference or timedelta(0), timedelta(0))
        ahead = difference + self._client.profile.future_margin
        return encode(self._normalizer(raw, ahead=ahead).customers)

    def _require_trust(self) -> None:
        if not self._trusted and self._witnesses:
            self._trusted = any(not self._client.lookup(witness).absent for witness in self._witnesses)
            if not self._trusted:
                raise LookupNotTrusted(witnesses=len(self._witnesses))


class BySecondWalk:
    """Walks the provider once more, when the first customer is asked for.

    Args:
        walk: makes the walk, and compares what it finds as the first was.
    """

    def __init__(self, walk: Callable[[], Walked]) -> None:
        self._walk = walk
        self._second: Walked | None = None

    def __call__(self, extras: Sequence[Extra]) -> Iterator[Verdict]:
        """Yield a verdict on each."""
        self._second = self._second or self._walk()
        seen = self._second.seen.holds([extra.id for extra in extras]).tolist()
        for extra, is_seen in zip(extras, seen, strict=True):
            yield Verdict(extra=extra, gone=None if is_seen else extra.gone(self._second.started_at))


def _version(state: State) -> str:
    return state.version
