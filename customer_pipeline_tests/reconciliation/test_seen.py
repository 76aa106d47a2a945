"""The set of ids that takes eight bytes for each."""

from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.reconciliation.seen import Seen

IDS = st.lists(st.text(max_size=4), max_size=30)


@given(batches=st.lists(IDS, max_size=6), asked=IDS)
def test_it_holds_what_was_added_and_nothing_else(batches: list[list[str]], asked: list[str]) -> None:
    seen = Seen()
    for batch in batches:
        seen.add(batch)
    added = {name for batch in batches for name in batch}
    assert seen.holds(asked).tolist() == [name in added for name in asked]
    assert len(seen) == len(added)


def test_it_stays_small_while_it_grows() -> None:
    seen = Seen()
    for start in range(0, 100_000, 1000):
        seen.add([f"cus_{number}" for number in range(start, start + 1000)])
        assert len(seen._parts) <= 8
    assert len(seen) == 100_000
    assert sum(part.nbytes for part in seen._parts) == 800_000
    assert not seen.holds([f"cus_{number}" for number in range(100_000, 101_000)]).any()


def test_two_sets_hash_by_different_keys() -> None:
    assert Seen()._hashed(["a"]) != Seen()._hashed(["a"])


def test_the_last_three_who_were_seen_alive_are_its_witnesses() -> None:
    seen = Seen()
    assert not seen.witnesses
    seen.testify(["a", "b", "c", "d"])
    seen.testify([])
    seen.testify(["e"])
    assert seen.witnesses == ("e", "b", "c")
