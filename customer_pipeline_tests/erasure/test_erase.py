"""Erasure on real stores: what goes, what stays, and what a crash or a run that is under way makes of it."""

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.erasure import ledger
from customer_pipeline.erasure.erase import ErasureUnfinished
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.storage import Storage
from customer_pipeline.steps import publication
from customer_pipeline_tests.cache.states import KEYS, deletion, live
from customer_pipeline_tests.erasure.world import VICTIM, WINDOWS, World, record, without
from customer_pipeline_tests.landing.conftest import Place


class Interrupted(Exception):  # noqa: N818
    pass


def at_step(number: int) -> Callable[[str], None]:
    """Interrupt before the step of that number."""
    counter = itertools.count()

    def before(_: str) -> None:
        if next(counter) == number:
            raise Interrupted

    return before


@pytest.mark.parametrize(
    ("place", "either", "known"),
    [("folder", "standalone", True), ("folder", "cluster", False), ("bucket", "standalone", False)],
    indirect=["place", "either"],
)
def test_an_erased_customer_is_nowhere_and_everybody_else_is_as_before(
    place: Place, either: Connection, *, known: bool
) -> None:
    world = World(place, either)
    world.begin()
    world.leave_behind()
    rows, facts, files, cache = world.rows(), world.facts(), place.files(), world.cache()
    assert len(world.traces()) > 10

    erased = world.erase(world.enter(), customer_id=VICTIM if known else None)

    assert world.traces() == []
    assert world.rows() == without(rows)
    assert world.facts() == facts
    untouched = [name for name, content in without(rows).items() if content == rows[name]]
    assert untouched
    assert {name: place.files()[name] for name in untouched} == {name: files[name] for name in untouched}
    assert world.cache().values == {key: value for key, value in cache.values.items() if f"{{{VICTIM}}}" not in key}
    assert world.cache().index == {name: score for name, score in cache.index.items() if name != VICTIM}
    for index in ("by_email", "by_phone"):
        assert getattr(world.cache(), index) == {entry for entry in getattr(cache, index) if entry[0] != VICTIM}
        assert VICTIM in {name for name, _ in getattr(cache, index)}
    assert erased.found == {
        "documents": 1,
        "index_entries": 3,
        "changes": 2,
        "raw_customers": 6,
        "customers": 2,
        "quarantined_customers": 2,
    }
    assert (erased.temporaries, erased.mentions, erased.other_keys) == (2, 1, [])


@pytest.mark.parametrize("name", ["{3F2504E0-4F89-11D3-9A0C-0305E82C3301}", "a}", "a}}", "x}:tombstone"])
def test_an_id_with_braces_is_found_by_its_hash_alone(world: World, name: str) -> None:
    Publisher(world.connection, keys=KEYS).publish([live(name, 1, 1)])
    assert world.erase(world.enter(name)).found == {"documents": 1, "index_entries": 3, "changes": 1}

    Publisher(world.connection, keys=KEYS).publish([deletion(name, 2, 2)])
    assert world.erase(world.enter(name)).found == {"tombstones": 1, "changes": 1}
    assert world.cache().values == {}


def test_a_replay_of_every_window_does_not_bring_the_customer_back(world: World) -> None:
    world.begin()
    world.erase(world.enter())
    cache = world.cache()

    for window in WINDOWS:
        normalized, published = world.process(window)
        assert normalized.conserved
        assert published.outcomes.total == published.normalized

    assert world.traces() == []
    assert world.cache() == cache


def test_records_that_arrive_again_are_counted_and_left_out_at_each_step(world: World) -> None:
    world.begin()
    world.erase(world.enter())
    records = [record("cus_a", 13), record(VICTIM, 13), record(VICTIM, 14)]
    world.land(WINDOWS[1], records)

    normalized, published = world.process(WINDOWS[1])

    assert (normalized.fetched, normalized.normalized, normalized.suppressed, normalized.duplicates) == (3, 1, 2, 0)
    assert normalized.conserved
    assert published.outcomes.suppressed == 0
    assert f"customer:{{{VICTIM}}}" not in world.cache().values


def test_what_was_normalized_before_the_erasure_is_not_published_after_it(world: World) -> None:
    world.begin()
    hash_ = world.enter()
    publisher = Publisher(world.connection, keys=KEYS)

    rows, outcomes = publication.publish_landed(WINDOWS[2], landing=world.landing, publisher=publisher)

    assert (rows, outcomes.total, outcomes.suppressed) == (2, 2, 1)
    world.erase(hash_)
    assert world.traces() == []


def test_a_tombstone_goes_too(world: World) -> None:
    Publisher(world.connection, keys=KEYS).publish([deletion(VICTIM, 1, 1), live("cus_a", 1, 1)])

    erased = world.erase(world.enter())

    assert erased.found == {"tombstones": 1, "changes": 1}
    assert list(world.cache().values) == ["customer:{cus_a}"]


def test_what_stands_in_one_index_or_the_stream_alone_is_found_by_the_hash(world: World) -> None:
    left: dict[str, Callable[[str], object]] = {
        KEYS.by_email: lambda key: world.connection.zadd(key, {f"an.older@address.example\n{VICTIM}": 0}),
        KEYS.by_phone: lambda key: world.connection.zadd(key, {f"+1\n{VICTIM}": 0}),
        KEYS.changes: lambda key: world.connection.xadd(key, {"id": VICTIM, "version": "v", "kind": "changed"}),
    }
    for number, (key, leave) in enumerate(left.items()):
        leave(key)
        assert world.traces()

        erased = world.erase(world.enter())

        assert world.traces() == [], key
        assert erased.found.total() == 1
        assert erased.passes == 3
        assert world.stores.ledger.lift(VICTIM, by="officer@desk"), number


def test_an_erasure_that_is_lifted_lets_the_customer_come_back(world: World) -> None:
    world.begin()
    hash_ = world.enter()
    world.erase(hash_)
    world.land(WINDOWS[1], [record(VICTIM, 13)])
    world.process(WINDOWS[1])
    assert f"customer:{{{VICTIM}}}" not in world.cache().values

    assert world.stores.ledger.lift(VICTIM, by="officer@desk") == [hash_]
    world.land(WINDOWS[1], [record(VICTIM, 13)])
    world.process(WINDOWS[1])

    assert f"customer:{{{VICTIM}}}" in world.cache().values
    with pytest.raises(ErasureUnfinished, match="was lifted"):
        world.erase(hash_)
    world.erase(world.enter())
    assert f"customer:{{{VICTIM}}}" not in world.cache().values


def test_an_interruption_at_any_step_is_made_up_for_by_a_repetition(world: World) -> None:
    world.begin()
    rows = without(world.rows())
    world.erase(world.enter())
    count = len(world.steps_of_erasure)
    assert count > 10
    for number in range(count):
        world.connection.flushall()
        assert world.stores.ledger.lift(VICTIM, by="officer@desk")
        world.begin()
        world.leave_behind()
        hash_ = world.enter()

        with pytest.raises(Interrupted):
            world.erase(hash_, before=at_step(number))
        assert world.stores.ledger.states()[hash_].holds
        world.erase(hash_)

        assert world.traces() == []
        assert world.rows() == rows
        assert world.stores.ledger.states()[hash_] is ledger.State.ERASED


class FailingOnce:
    """An operation of the file system whose call of that number fails."""

    def __init__(self, working: Callable[..., object], failing: int) -> None:
        self.working = working
        self.left = failing

    def __call__(self, *arguments: object) -> object:
        self.left -= 1
        if self.left == -1:
            raise OSError(5, "a disk that fails")
        return self.working(*arguments)


@pytest.mark.parametrize("operation", ["commit", "create_temporary", "stamp", "open"])
def test_a_store_that_fails_at_any_time_loses_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    """Each call of the operation fails once, until an erasure has none left that could."""
    world.begin()
    rows = world.rows()
    hash_ = world.enter()
    working = getattr(Storage, operation)
    for failing in itertools.count():
        failure = FailingOnce(working, failing)
        with monkeypatch.context() as patch:
            patch.setattr(Storage, operation, lambda *arguments, failure=failure: failure(*arguments))
            try:
                world.erase(hash_)
            except LandingError:
                kept = world.rows()
                assert all(without(rows)[name] == without(kept)[name] for name in rows)
            else:
                break
    assert failing > 2
    assert world.traces() == []
    assert world.rows() == without(rows)


def test_a_run_that_knew_the_list_from_before_is_waited_for_and_made_up_for(world: World) -> None:
    world.begin()
    hash_ = world.enter()
    runs = [{"before", "later"}, {"before", "later"}, {"later"}, {"later"}]
    late = WINDOWS[1]

    def wait(_: float) -> None:
        world.land(late, [record(VICTIM, 13), record("cus_d", 13)])
        Publisher(world.connection, keys=KEYS).publish([live(VICTIM, 9, 9)])
        world.place.put("_incomplete/of-the-run.parquet", b"killed")

    under_way = iter(runs)
    with pytest.raises(ErasureUnfinished, match="1 runs that began before the erasure are still under way"):
        world.erase(hash_, under_way=lambda: {"before"}, patience=timedelta(0), wait=wait)
    world.erase(hash_, under_way=lambda: next(under_way) - {"later"}, wait=wait)

    assert [trace for trace in world.traces() if not trace.startswith("_incomplete")] == []
    assert [row["id"] for row in world.rows()[f"raw_customers/{late.start.date()}/{late.key}.parquet"]] == ["cus_d"]


def test_who_publishes_the_customer_without_end_is_named_and_the_passes_are_bounded(world: World) -> None:
    hash_ = world.enter()

    def before(step: str) -> None:
        if "cache" in step:
            Publisher(world.connection, keys=KEYS).publish(_stubborn())

    with pytest.raises(ErasureUnfinished, match="look for a second pipeline"):
        world.erase(hash_, before=before)
    assert world.stores.ledger.states()[hash_] is ledger.State.ERASING


def _stubborn() -> list[State]:
    return [live(VICTIM, 1, 1)]


def test_a_window_that_is_landed_anew_during_its_rewriting_is_kept(world: World) -> None:
    world.begin()
    name = f"raw_customers/{WINDOWS[2].start.date()}/{WINDOWS[2].key}.parquet"
    landed: list[str] = []

    def before(step: str) -> None:
        if step == f"rewriting {name}" and not landed:
            landed.append(step)
            world.land(WINDOWS[2], [record("cus_new", 23), record(VICTIM, 23)])

    world.erase(world.enter(), before=before)

    assert [row["id"] for row in world.rows()[name]] == ["cus_new"]
    assert world.traces() == []


def test_two_erasures_at_once_lose_nothing(world: World) -> None:
    names = [VICTIM, "cus_a"]
    world.begin()
    rows = without(without(world.rows()), "cus_a")
    with ThreadPoolExecutor(2) as pool:
        hashes = list(pool.map(world.enter, names))
        list(pool.map(world.erase, hashes))

    assert [world.traces(name) for name in names] == [[], []]
    assert world.rows() == rows
    states = world.stores.ledger.states()
    assert {hash_: states[hash_] for hash_ in hashes} == dict.fromkeys(hashes, ledger.State.ERASED)


def test_a_damaged_file_is_no_proof(world: World) -> None:
    world.begin()
    world.place.put("customers/2026-11-23/2026-11-23T1450Z.parquet", b"damaged")

    with pytest.raises(LandingError, match=r"2026-11-23T1450Z\.parquet: not a whole Parquet file"):
        world.erase(world.enter())


def test_a_hash_that_nobody_entered_erases_nothing(world: World) -> None:
    world.begin()
    with pytest.raises(ErasureUnfinished, match="is in no ledger of this landing store"):
        world.erase("00000000-" + 32 * "0")


def test_another_key_of_the_pipeline_that_tells_of_the_customer_is_named(world: World) -> None:
    world.connection.set("customers:last_report", '{"sample": ["cus_victim"], "others": ["cus_victim_2"]}')
    world.connection.hset("customers:other", mapping={"cus_victim_2": "1"})

    erased = world.erase(world.enter(), customer_id=VICTIM)

    assert erased.other_keys == ["customers:last_report"]
