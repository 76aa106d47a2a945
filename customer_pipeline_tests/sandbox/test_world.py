"""The world changes as time passes, the same way for the same seed, and goes on after a restart."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from customer_pipeline import timestamps
from customer_pipeline.sandbox import world as world_module
from customer_pipeline.sandbox.population import SECOND, first_customers
from customer_pipeline.sandbox.store import Bounds, Place, Row, Sort, Store
from customer_pipeline.sandbox.world import Settings, World

START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)
DAY = timedelta(days=1)


class Clock:
    def __init__(self, present: datetime = START) -> None:
        self.present = present

    def __call__(self) -> datetime:
        return self.present


def build(clock: Clock, path: str = ":memory:", *, seed: int = 1, rate: float = 30.0, customers: int = 300) -> World:
    return World(Store(path), Settings(customers=customers, seed=seed, changes_per_minute=rate), clock=clock)


def rows(world: World) -> list[Row]:
    return world.store.page(Bounds(), sort=Sort.NONE, place=Place(), size=100_000)


def after(minutes: float, *, seed: int = 1, steps: int = 1) -> list[Row]:
    clock = Clock()
    world = build(clock, seed=seed)
    for _ in range(steps):
        clock.present += timedelta(minutes=minutes) / steps
        world.advance()
    found = rows(world)
    world.store.close()
    return found


def test_the_same_seed_gives_the_same_world_however_often_it_is_asked() -> None:
    assert after(20) == after(20) == after(20, steps=64)


def test_another_seed_gives_another_world() -> None:
    assert after(0) != after(0, seed=2)
    assert after(20)[300:] != after(20, seed=2)[300:]


def test_a_third_of_the_first_customers_changed_in_the_last_day_and_all_in_the_last_month() -> None:
    world = build(Clock(), customers=2000)
    ages = [START - timestamps.from_epoch_microseconds(row.updated_at) for row in rows(world)]
    world.store.close()
    assert 600 < sum(age < DAY for age in ages) < 800
    assert timedelta(0) < min(ages)
    assert 29 * DAY < max(ages) < 30 * DAY


def test_an_import_gives_many_customers_the_same_instant_but_never_more_than_forty() -> None:
    world = build(Clock(), customers=2000)
    shared = Counter(row.updated_at for row in rows(world)).most_common(4)
    world.store.close()
    assert [count for _, count in shared] == [40, 40, 40, 1]


def test_time_brings_new_customers_edits_and_deletions() -> None:
    before, later = after(0), after(60)
    changed = [(old, new) for old, new in zip(before, later, strict=False) if old != new]
    assert len(later) > 400
    assert any(new.deleted and not old.deleted for old, new in changed)
    assert any(new.body != old.body for old, new in changed)
    assert all(new.updated_at >= timestamps.epoch_microseconds(START) for _, new in changed)
    assert all(row.updated_at <= timestamps.epoch_microseconds(START + timedelta(minutes=60)) for row in later)


def test_the_rate_is_that_of_the_settings() -> None:
    clock = Clock()
    world = build(clock, rate=30)
    clock.present += timedelta(minutes=100)
    world.advance()
    changes = world.changes
    world.store.close()
    assert 2800 < changes < 3500


def test_a_customer_is_sometimes_edited_twice_within_one_tick() -> None:
    clock = Clock()
    world = build(clock, customers=50)
    doubles = 0
    before = {row.id: row for row in rows(world)}
    for _ in range(1200):
        clock.present += timedelta(milliseconds=150)
        world.advance()
        present = {row.id: row for row in rows(world)} if world.changes else before
        twice = [row for name, row in present.items() if name in before and row.updated_at == before[name].updated_at]
        again = [row for row in twice if row.body != before[row.id].body]
        assert all(row.updated_at % SECOND == 0 for row in again)
        doubles += len(again)
        before = present
    world.store.close()
    assert doubles >= 3


def test_no_change_shows_up_long_after_its_updated_at() -> None:
    clock = Clock()
    world = build(clock, rate=6, customers=40)
    before = {row.id: row for row in rows(world)}
    for number in range(3000):
        if number % 20 == 10:
            world.pause()
        if number % 20 == 13:
            world.resume()
        clock.present += timedelta(seconds=3)
        world.advance()
        present = {row.id: row for row in rows(world)}
        for name, row in present.items():
            if before.get(name) != row:
                lateness = clock.present - timestamps.from_epoch_microseconds(row.updated_at)
                assert timedelta(0) <= lateness < timedelta(seconds=5)
        before = present
    assert world.changes > 100
    world.store.close()


def test_the_second_of_two_edits_is_not_made_after_a_pause() -> None:
    clock = Clock()
    world = build(clock, customers=40)
    while not (world.store.needed("last_edited") and world._is_echo(world.changes + 1)):
        clock.present += timedelta(milliseconds=50)
        world.advance()
    world.pause()
    before = rows(world)
    resumed = clock.present = clock.present + timedelta(hours=1)
    world.resume()
    clock.present += timedelta(seconds=10)
    world.advance()
    changed = [row for row in rows(world) if row not in before]
    world.store.close()
    assert changed
    assert all(row.updated_at >= timestamps.epoch_microseconds(resumed) for row in changed)


def test_time_never_moves_a_customer_back() -> None:
    clock = Clock()
    world = build(clock, customers=20)
    ahead = timestamps.epoch_microseconds(START + DAY)
    for row in rows(world):
        world.store.update(replace(row, updated_at=ahead))
    clock.present += timedelta(minutes=10)
    world.advance()
    changed = rows(world)[:20]
    world.store.close()
    assert {row.deleted for row in changed} == {True, False}
    assert {row.updated_at for row in changed} == {ahead}


def test_nothing_changes_while_paused() -> None:
    clock = Clock()
    world = build(clock)
    world.resume()
    world.pause()
    before = rows(world)
    clock.present += timedelta(hours=1)
    world.advance()
    assert rows(world) == before
    world.resume()
    world.advance()
    assert rows(world) == before
    clock.present += timedelta(minutes=1)
    world.advance()
    assert rows(world) != before
    world.store.close()


def test_a_restart_continues_where_the_world_stood(tmp_path: Path) -> None:
    clock = Clock()
    path = str(tmp_path / "state.db")
    for _ in range(4):
        clock.present += timedelta(minutes=5)
        world = build(clock, path, seed=1)
        found = rows(world)
        world.store.close()
    # the first five minutes passed before the first start
    assert found[299].updated_at > after(0)[299].updated_at
    clock.present -= timedelta(minutes=20)
    whole_clock = Clock(START + timedelta(minutes=5))
    whole = build(whole_clock)
    whole_clock.present += timedelta(minutes=15)
    whole.advance()
    assert found == rows(whole)
    whole.store.close()


@pytest.mark.parametrize("why", ["paused", "without a rate"])
def test_what_stood_still_before_a_restart_is_not_made_up_for(tmp_path: Path, why: str) -> None:
    path = str(tmp_path / "state.db")
    clock = Clock()
    world = build(clock, path, rate=30 if why == "paused" else 0)
    world.pause()
    if why != "paused":
        world.resume()
    before = rows(world)
    clock.present += timedelta(hours=1)
    world.store.close()
    world = build(clock, path, rate=30)
    world.resume()
    assert rows(world) == before
    clock.present += timedelta(minutes=1)
    world.advance()
    changed = [row for row in rows(world) if row not in before]
    world.store.close()
    assert changed
    assert min(row.updated_at for row in changed) > timestamps.epoch_microseconds(START + timedelta(minutes=59))


def test_a_restart_keeps_the_seed_of_the_state(tmp_path: Path) -> None:
    path = str(tmp_path / "state.db")
    clock = Clock()
    found = []
    for seed in (1, 2):
        world = build(clock, path, seed=seed)
        clock.present += timedelta(minutes=5)
        world.advance()
        found.append(rows(world))
        world.store.close()
    assert found[0] == after(5)
    assert found[1] == after(10)


def test_a_world_killed_while_it_begins_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "state.db")

    def interrupted(**arguments: int) -> object:
        yield from itertools.islice(complete(**arguments), 10)
        raise KeyboardInterrupt

    complete = first_customers
    monkeypatch.setattr(world_module, "first_customers", interrupted)
    with pytest.raises(KeyboardInterrupt):
        build(Clock(), path)
    monkeypatch.undo()
    world = build(Clock(), path)
    assert rows(world) == after(0)
    world.store.close()


def test_after_a_very_long_sleep_only_the_last_changes_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world_module, "_LARGEST_BACKLOG", 60)
    clock = Clock()
    world = build(clock)
    clock.present += 30 * DAY
    world.advance()
    assert 40 < world.changes < 90
    newest = [row.updated_at for row in rows(world) if row.updated_at > timestamps.epoch_microseconds(START)]
    assert min(newest) >= timestamps.epoch_microseconds(clock.present - timedelta(minutes=2, seconds=1))
    world.store.close()


def test_without_a_rate_and_without_customers_nothing_happens() -> None:
    clock = Clock()
    still = build(clock, rate=0)
    empty = build(clock, customers=0)
    clock.present += timedelta(hours=1)
    still.advance()
    still.pause()
    still.resume()
    assert still.changes == 0
    empty.advance()
    assert {row.id for row in rows(empty)} >= {"cus_00001", "cus_00002"}
    still.store.close()
    empty.store.close()


def test_the_start_can_lie_in_the_past() -> None:
    settings = Settings(customers=10, start=START - DAY, changes_per_minute=1)
    world = World(Store(":memory:"), settings, clock=Clock())
    assert 1300 < world.changes < 1600
    world.store.close()


def test_records_made_by_hand_are_left_alone_by_time() -> None:
    clock = Clock()
    world = build(clock, customers=1)
    world.store.insert([Row(0, "~2", 0, 0, deleted=False, verbatim=True, body=b"[]")])
    clock.present += timedelta(minutes=20)
    world.advance()
    assert next(row for row in rows(world) if row.id == "~2").body == b"[]"
    world.store.close()


def test_a_state_file_of_something_else_is_named() -> None:
    store = Store(":memory:")
    store.set("seed", 1)
    with pytest.raises(LookupError, match="next_due"):
        World(store, Settings(), clock=Clock())
    store.close()
