"""The ledger on both kinds of landing store: what it remembers, and what writers at once make of it."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from customer_pipeline.erasure.ledger import FOLDER, HASH, Ledger, State
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.notes import Notes
from customer_pipeline.landing.storage import Storage
from customer_pipeline_tests.landing.conftest import Place


def ledger(place: Place) -> Ledger:
    return Ledger(place.store().notes)


def test_an_empty_store_has_no_entries(folder: Place) -> None:
    assert ledger(folder).states() == {}
    assert ledger(folder).lift("cus_1", by="me") == []
    assert folder.files() == {}


def test_the_audit_says_who_and_when_and_names_nobody(place: Place) -> None:
    hash_ = ledger(place).enter("cus_1", by="officer@desk")
    ledger(place).add(hash_, State.ERASED, by="the job")
    assert ledger(place).states() == {hash_: State.ERASED}
    assert ledger(place).lift("cus_1", by="other@desk") == [hash_]

    assert HASH.fullmatch(hash_)
    events = ledger(place).events(hash_)
    assert [(event.number, event.state, event.by) for event in events] == [
        (1, State.ERASING, "officer@desk"),
        (2, State.ERASED, "the job"),
        (3, State.LIFTED, "other@desk"),
    ]
    assert events[0].at < events[1].at < events[2].at
    assert ledger(place).states() == {hash_: State.LIFTED}
    for name, content in place.files().items():
        assert "cus_1" not in name
        assert b"cus_1" not in content


def test_a_customer_that_is_entered_again_keeps_the_hash(folder: Place) -> None:
    hash_ = ledger(folder).enter("cus_1", by="me")
    ledger(folder).lift("cus_1", by="me")

    assert ledger(folder).enter("cus_1", by="me") == hash_
    assert ledger(folder).enter("cus_2", by="me") != hash_
    assert ledger(folder).states()[hash_] is State.ERASING


def test_writers_at_once_lose_no_entry_even_where_each_makes_the_first_salt(folder: Place) -> None:
    names = [f"cus_{number}" for number in range(24)]
    with ThreadPoolExecutor(8) as pool:
        hashes = list(pool.map(lambda name: ledger(folder).enter(name, by="me"), names))

    assert set(ledger(folder).states()) == set(hashes)
    assert len(set(hashes)) == len(names)
    for name in names:
        (lifted,) = ledger(folder).lift(name, by="me")
        assert lifted in hashes


def test_two_salts_are_both_known_and_the_hashes_of_either_can_be_lifted(folder: Place) -> None:
    first = ledger(folder).enter("cus_1", by="me")
    (salt,) = folder.files(f"{FOLDER}/salts")
    kept = folder.files()[salt]
    notes = Notes(Storage(folder.uri))
    notes.write(f"{FOLDER}/salts/00000000.json", kept.replace(kept[12:20], b"00000000"))

    assert len(ledger(folder).hashes("cus_1")) == 2
    assert ledger(folder).enter("cus_1", by="me") == first
    assert ledger(folder).enter("cus_2", by="me").startswith("00000000-")
    assert ledger(folder).lift("cus_1", by="me") == [first]


def test_of_two_events_at_once_the_one_that_holds_counts(folder: Place) -> None:
    hash_ = ledger(folder).enter("cus_1", by="me")
    for state in (State.ERASED, State.LIFTED):
        folder.put(f"{FOLDER}/entries/{hash_}/000002-{state}-{16 * '0'}.json", b"{}")

    assert ledger(folder).states() == {hash_: State.ERASED}


def test_a_salt_that_is_missing_stops_and_is_named(folder: Place) -> None:
    hash_ = ledger(folder).enter("cus_1", by="me")

    with pytest.raises(LandingError, match=r"suppressions/salts/[0-9a-f]{8}\.json: the salt .* restore the file"):
        ledger(folder).salt_of(hash_, among={})


def test_files_that_are_no_entries_are_passed_over(folder: Place) -> None:
    hash_ = ledger(folder).enter("cus_1", by="me")
    folder.put(f"{FOLDER}/entries/{hash_}/000009-unknown-{16 * '0'}.json", b"{}")
    folder.put(f"{FOLDER}/entries/README", b"")
    folder.put(f"{FOLDER}/salts/.DS_Store", b"")

    assert ledger(folder).states() == {hash_: State.ERASING}
