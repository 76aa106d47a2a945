"""The form of the freshness, without a server."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline.cache.freshness import Freshness
from customer_pipeline.windows import WINDOW_LENGTH, Window

FIRST = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)


@settings(max_examples=100)
@given(
    st.integers(0, 50),
    st.integers(0, 50),
    st.lists(st.tuples(st.integers(0, 100), st.integers(1, 9)), max_size=4),
    st.timedeltas(timedelta(0), timedelta(days=1)),
)
def test_what_was_dumped_is_parsed(as_of: int, latest: int, gaps: list[tuple[int, int]], published: timedelta) -> None:
    freshness = Freshness(
        FIRST + as_of * WINDOW_LENGTH,
        FIRST + latest * WINDOW_LENGTH,
        tuple(Window(FIRST + at * WINDOW_LENGTH, FIRST + (at + length) * WINDOW_LENGTH) for at, length in gaps),
        FIRST + published,
    )
    assert Freshness.parse(freshness.dump()) == freshness
    assert freshness.looked_until >= freshness.latest
    assert (freshness.stale_since is None) == (not gaps)


def test_the_cache_is_stale_since_the_first_missing_window_was_due() -> None:
    gap = Window(FIRST + WINDOW_LENGTH, FIRST + 5 * WINDOW_LENGTH)
    freshness = Freshness(gap.start, gap.start, (gap,), FIRST)
    assert freshness.stale_since == gap.start + WINDOW_LENGTH
    assert freshness.looked_until == gap.end


@pytest.mark.parametrize(
    "text", [b"", b"null", b"[]", b"{}", b"1", b'{"as_of":1,"latest":1,"gaps":[],"published_at":1}']
)
def test_anything_else_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        Freshness.parse(text)
