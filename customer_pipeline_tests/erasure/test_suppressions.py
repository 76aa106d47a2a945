import time

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline.customers import schemas
from customer_pipeline.erasure.ledger import FOLDER, Ledger, State, digest
from customer_pipeline.erasure.suppressions import Sieve, Suppressions
from customer_pipeline.landing.errors import LandingError
from customer_pipeline_tests.erasure.world import AS_OF
from customer_pipeline_tests.landing.conftest import Place

IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


def rows(*names: str | None) -> pa.RecordBatch:
    columns = [
        pa.array(names, pa.string()),
        pa.nulls(len(names), schemas.INSTANT),
        pa.array([0] * len(names), pa.int64()).cast(schemas.INSTANT),
        pa.array(["{}"] * len(names), pa.string()),
    ]
    return pa.record_batch(columns, schema=schemas.RAW)


def test_whoever_is_being_erased_or_is_erased_is_suppressed_until_that_is_lifted(place: Place) -> None:
    ledger = Ledger(place.store().notes)
    ledger.enter("erasing", by="me")
    ledger.add(ledger.enter("erased", by="me"), State.ERASED, by="me")
    ledger.enter("lifted", by="me")
    ledger.lift("lifted", by="me")

    loaded = Suppressions.load(place.store())

    assert loaded.count == 2
    assert loaded.holds(["erasing", "erased", "lifted", "other", None, "Erased"]).tolist() == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]


def test_the_list_is_the_same_for_the_parts_of_a_snapshot(folder: Place) -> None:
    Ledger(folder.store().notes).enter("cus_1", by="me")

    assert Suppressions.load(folder.store().snapshot(AS_OF)).holds(["cus_1"]).all()


def test_a_list_whose_salt_is_lost_lets_nothing_be_published(folder: Place) -> None:
    hash_ = Ledger(folder.store().notes).enter("cus_1", by="me")
    folder.put(f"{FOLDER}/entries/ffffffff-{hash_[9:]}/000001-erased-{16 * '0'}.json", b"{}")

    with pytest.raises(LandingError, match="the salt of erased customers is missing"):
        Suppressions.load(folder.store())


def test_the_sieve_counts_what_it_leaves_out_and_keeps_the_order(folder: Place) -> None:
    Ledger(folder.store().notes).enter("b", by="me")
    sieve = Sieve(Suppressions.load(folder.store()))

    assert sieve(rows("a", "b", None, "b", "c")) == rows("a", None, "c")
    assert sieve(rows("d")) == rows("d")
    assert sieve.suppressed == 2


def test_an_empty_list_does_not_touch_the_rows(folder: Place) -> None:
    sieve, batch = Sieve(Suppressions.load(folder.store())), rows("a", None)

    assert sieve(batch) is batch


@given(names=st.lists(IDS, max_size=8, unique=True), erased=st.sets(st.integers(0, 7)))
def test_exactly_the_erased_are_held(names: list[str], erased: set[int]) -> None:
    chosen = {name for number, name in enumerate(names) if number in erased}
    salts = [b"one", b"another"]
    held = Suppressions(
        {salt: frozenset(digest(salt, name) for name in list(chosen)[part::2]) for part, salt in enumerate(salts)}
    )

    assert held.holds(names).tolist() == [name in chosen for name in names]


def test_a_million_ids_are_looked_at_in_seconds() -> None:
    held = Suppressions({b"salt": frozenset([b"none"])})
    names = [f"cus_{number}" for number in range(1_000_000)]
    started = time.process_time()

    assert not held.holds(names).any()
    assert time.process_time() - started < 10
