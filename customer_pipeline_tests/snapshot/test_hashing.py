"""The set of texts that takes eight bytes for each."""

from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.snapshot.hashing import HashedTexts

TEXTS = st.lists(st.text(max_size=4), max_size=30)


@given(batches=st.lists(TEXTS, max_size=6), asked=TEXTS)
def test_it_holds_what_was_added_and_nothing_else(batches: list[list[str]], asked: list[str]) -> None:
    seen = HashedTexts()
    for batch in batches:
        seen.add(batch)
    added = {name for batch in batches for name in batch}
    assert seen.holds(asked).tolist() == [name in added for name in asked]
    assert len(seen) == len(added)


def test_it_stays_small_while_it_grows() -> None:
    seen = HashedTexts()
    for start in range(0, 100_000, 1000):
        seen.add([f"cus_{number}" for number in range(start, start + 1000)])
        assert len(seen._parts) <= 8
    assert len(seen) == 100_000
    assert sum(part.nbytes for part in seen._parts) == 800_000
    assert not seen.holds([f"cus_{number}" for number in range(100_000, 101_000)]).any()


def test_two_sets_hash_by_different_keys() -> None:
    assert HashedTexts()._hashed(["a"]) != HashedTexts()._hashed(["a"])
