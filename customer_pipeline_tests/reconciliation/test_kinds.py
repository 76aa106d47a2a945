"""The kinds, state by state, and that they foretell what the guard does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.cache.stored import Stored, read_beside
from customer_pipeline.reconciliation.kinds import Kind, is_untold, kind_of
from customer_pipeline.timestamps import format_instant
from customer_pipeline_tests.cache.states import KEYS, deletion, instant, live
from customer_pipeline_tests.servers import ValkeyServer

FORETOLD = {
    Kind.AGREES: {Outcomes(unchanged=1)},
    Kind.MISINDEXED: {Outcomes(unchanged=1)},
    Kind.AHEAD: {Outcomes(stale=1)},
    Kind.OLDER_AT_PROVIDER: {Outcomes(stale=1)},
    Kind.MISSING: {Outcomes(applied=1)},
    Kind.STALE: {Outcomes(applied=1), Outcomes(deleted=1)},
    Kind.DIFFERENT: {Outcomes(applied=1), Outcomes(deleted=1)},
}


def held(*states: State, indexed: bool = True) -> Stored:
    """What is stored after the states were published, told without the guard."""
    document = next((state for state in states if state.document is not None), None)
    tombstone = next((state.version.encode() for state in states if state.document is None), None)
    score = float(document.updated_ms) if document and indexed else None
    return Stored(document.document if document else None, tombstone, score)


def span(since: int, until: int) -> dict[str, str]:
    return {"since": format_instant(instant(since)), "until": format_instant(instant(until))}


@pytest.mark.parametrize(
    ("state", "stored", "kind"),
    [
        (live("a", 1, 5), held(), Kind.MISSING),
        (live("a", 1, 5), held(live("a", 1, 3)), Kind.AGREES),
        (live("a", 1, 5), held(live("a", 1, 7)), Kind.AGREES),
        (live("a", 1, 5), held(live("a", 1, 5), indexed=False), Kind.MISINDEXED),
        (live("a", 1, 5), held(live("a", 1, 5))._replace(is_found=False), Kind.MISINDEXED),
        (live("a", 1, 5), held(live("a", 1, 7, "other"))._replace(is_found=False), Kind.AHEAD),
        (live("a", 1, 5), held(live("a", 0, 9)), Kind.STALE),
        (live("a", 1, 5), held(live("a", 2, 3)), Kind.OLDER_AT_PROVIDER),
        (live("a", 1, 5), held(live("a", 2, 4)), Kind.AHEAD),
        (live("a", 1, 5), held(live("a", 2, 8)), Kind.AHEAD),
        (live("a", 1, 5), held(live("a", 2, 9)), Kind.OLDER_AT_PROVIDER),
        (live("a", 1, 5), held(live("a", 1, 3, "other")), Kind.DIFFERENT),
        (live("a", 1, 5), held(live("a", 1, 5, "other")), Kind.DIFFERENT),
        (live("a", 1, 5), held(live("a", 1, 7, "other")), Kind.AHEAD),
        (live("a", 1, 5), Stored(b'{"id":"a"}', None, None), Kind.DIFFERENT),
        (live("a", 1, 5), held(deletion("a", 0, 9)), Kind.MISSING),
        (live("a", 1, 5), held(deletion("a", 1, 3)), Kind.MISSING),
        (live("a", 1, 5), held(deletion("a", 1, 7)), Kind.AHEAD),
        (live("a", 1, 5), held(deletion("a", 1, 9)), Kind.OLDER_AT_PROVIDER),
        (live("a", 1, 5), held(deletion("a", 2, 3)), Kind.OLDER_AT_PROVIDER),
        (live("a", 1, 5), Stored(None, b"?", None), Kind.MISSING),
        (deletion("a", 1, 5), held(), Kind.AGREES),
        (deletion("a", 1, 5), Stored(None, None, 1.0), Kind.MISINDEXED),
        (deletion("a", 1, 5), held(deletion("a", 1, 3)), Kind.AGREES),
        (deletion("a", 1, 5), held(live("a", 0, 9)), Kind.STALE),
        (deletion("a", 1, 5), held(live("a", 1, 3)), Kind.DIFFERENT),
        (deletion("a", 1, 5), held(live("a", 1, 7)), Kind.AHEAD),
        (deletion("a", 1, 5), held(live("a", 2, 3)), Kind.OLDER_AT_PROVIDER),
    ],
)
def test_every_pair_of_states_has_its_kind(state: State, stored: Stored, kind: Kind) -> None:
    """The walk began at 4; now it is 8."""
    assert kind_of(state, stored, **span(4, 8)) is kind


@pytest.mark.parametrize(
    ("state", "stored", "untold"),
    [
        (deletion("a", 1, 5), held(), True),
        (deletion("a", 1, 5), held(deletion("a", 0, 9)), True),
        (deletion("a", 1, 5), Stored(None, b"?", None), True),
        (deletion("a", 1, 5), held(deletion("a", 1, 3)), False),
        (deletion("a", 1, 5), held(deletion("a", 2, 3)), False),
        (deletion("a", 1, 5), held(live("a", 0, 3)), False),
        (live("a", 1, 5), held(), False),
    ],
)
def test_a_deletion_that_the_cache_does_not_remember_is_untold(state: State, stored: Stored, *, untold: bool) -> None:
    assert is_untold(state, stored) is untold


@pytest.fixture(scope="module")
def client(valkey_server: ValkeyServer) -> Connection:
    return connect(valkey_server.url)


STATES = st.builds(
    lambda updated, fetched, content: (
        deletion("a", updated, fetched) if content is None else live("a", updated, fetched, content)
    ),
    st.integers(0, 2),
    st.integers(0, 3),
    st.sampled_from([None, "x", "y"]),
)


@given(before=st.lists(STATES, max_size=3), state=STATES)
def test_the_kind_foretells_what_the_guard_does(client: Connection, before: list[State], state: State) -> None:
    client.delete(*(KEYS.document("a"), KEYS.tombstone("a"), KEYS.by_updated_at))
    publisher = Publisher(client, keys=KEYS)
    publisher.publish(before)
    (stored,) = read_beside(client, [state], keys=KEYS)
    kind, untold = kind_of(state, stored, **span(1, 2)), is_untold(state, stored)
    outcome = publisher.publish([state])
    if state.document is None and stored.document is None:
        assert kind is Kind.AGREES
        assert untold == (outcome == Outcomes(deleted=1))
    else:
        assert not untold
        assert outcome in FORETOLD[kind]
