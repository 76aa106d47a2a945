"""How many customers may be deleted because the provider no longer shows them, and who is found to be one of them."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.erasure.suppressions import Suppressions
from customer_pipeline.reconciliation import extras
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.errors import TooManyExtras
from customer_pipeline.reconciliation.extras import Walked, allowed
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.seen import CustomersSeen
from customer_pipeline_tests.cache.states import KEYS, instant, live, version


@pytest.mark.parametrize(
    ("cached", "share", "expected"),
    [(0, 0.01, 0), (1, 0.01, 0), (8, 0.01, 4), (40, 0.01, 20), (2000, 0.01, 20), (5000, 0.01, 50), (5000, 0.0, 20)],
)
def test_a_share_of_the_cache_or_twenty_is_allowed_but_of_a_small_one_half(
    cached: int, share: float, expected: int
) -> None:
    assert allowed(cached, share=share) == expected


@given(cached=st.integers(0, 10**7), share=st.floats(0, 0.5))
def test_no_more_than_half_is_allowed_unless_somebody_says_so(cached: int, share: float) -> None:
    assert allowed(cached, share=share) <= cached / 2
    assert allowed(cached, share=1.0) == cached


def walked(*, started: int, end: int, seen: list[str]) -> Walked:
    known = CustomersSeen()
    known.add(seen)
    return Walked(started_at=instant(started), end=instant(end), seen=known, suppressions=Suppressions({}))


def comparison(connection: Connection, *, check_only: bool = False) -> Comparison:
    publisher = None if check_only else Publisher(connection, keys=KEYS)
    return Comparison(connection, keys=KEYS, publisher=publisher, due=datetime.max.replace(tzinfo=UTC))


def test_extra_is_who_was_fetched_before_the_walk_and_changed_before_its_end(either: Connection) -> None:
    states = [live("extra", 1, 9), live("fetched since", 1, 10), live("changed since", 5, 9), live("seen", 1, 2)]
    fillers = [live(f"c{number}", 1, 2) for number in range(3000)]
    Publisher(either, keys=KEYS).publish([*states, *fillers])
    walk = walked(started=10, end=5, seen=["seen", *(state.id for state in fillers)])
    with time_machine.travel(instant(20)):
        (found,) = extras.find(walk, comparison(either), share=0.01)
    assert (found.id, str(found.version)) == ("extra", version(1, 9))
    gone = found.gone(instant(20) + timedelta(0))
    assert (gone.version, gone.document) == (version(1, 20), None)
    assert gone.updated_ms == live("extra", 1, 9).updated_ms


def test_one_more_than_allowed_is_an_error_with_the_numbers(connection: Connection) -> None:
    Publisher(connection, keys=KEYS).publish([live(f"c{number}", 1, 2) for number in range(3000)])
    for extra, refused in ((30, False), (31, True)):
        walk = walked(started=10, end=5, seen=[f"c{number}" for number in range(extra, 3000)])
        if not refused:
            assert len(extras.find(walk, comparison(connection), share=0.01)) == 30
            continue
        with pytest.raises(TooManyExtras, match=r"31 of 3000 .* found 2969; at most 30") as raised:
            extras.find(walk, comparison(connection), share=0.01)
        assert raised.value.extra == 31


def test_entries_of_the_index_without_a_document_are_mended_unless_only_checking(either: Connection) -> None:
    Publisher(either, keys=KEYS).publish([live("a", 1, 2)])
    either.zadd(KEYS.by_updated_at, {"orphan": 1.0})
    for check_only, left in ((True, 2), (False, 1)):
        compared = comparison(either, check_only=check_only)
        assert extras.find(walked(started=10, end=5, seen=["a"]), compared, share=0.01) == []
        assert compared.tally.counts == {Kind.MISINDEXED: 1}
        assert either.zcard(KEYS.by_updated_at) == left
