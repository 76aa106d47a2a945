"""What retention decides, and what it removes from a real folder and a real bucket."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline import timestamps
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.naming import BEGINNING, COMPLETION, ByPart
from customer_pipeline.landing.retention import (
    Report,
    Snapshot,
    Tally,
    abandoned_snapshots,
    outdated,
    outdated_snapshots,
    remove_abandoned,
    retain,
)
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.windows import WINDOW_LENGTH, Window, subtract
from customer_pipeline_tests.landing.conftest import Place
from customer_pipeline_tests.landing.rows import SCHEMA, table

DATASETS = ("raw", "typed", "rejected")
MONTH = timedelta(days=30)
DAY = timedelta(days=1)
START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)


def window(number: int, length: int = 1) -> Window:
    return Window(START + number * WINDOW_LENGTH, START + (number + length) * WINDOW_LENGTH)


# At this time windows 0 to 3 have had their time.
NOW = window(3).end + MONTH


def land(store: LandingStore, *windows: Window, datasets: Sequence[str] = DATASETS) -> None:
    for one in windows:
        for dataset in datasets:
            with store.open_writer(dataset, one, SCHEMA) as writer:
                writer.write(table(3))


def retained(place: Place, *published: Window, now: datetime = NOW, dry_run: bool = False) -> Report:
    return retain(
        place.store(),
        datasets=DATASETS,
        retained_for=MONTH,
        now=now,
        published=published,
        dry_run=dry_run,
    )


def landed(place: Place) -> dict[str, list[Window]]:
    return {dataset: place.store().landed(dataset) for dataset in DATASETS}


def test_a_window_goes_once_its_end_has_reached_the_limit_and_all_of_it_is_published() -> None:
    half = Window(window(2).start, window(2).start + WINDOW_LENGTH / 2)
    decision = outdated(
        map(window, range(7)), before=window(4).end, published=[window(0, 2), half, window(3), window(4, 9)]
    )
    assert decision.removable == (window(0), window(1), window(3), window(4))
    assert decision.unpublished == (window(2),)
    assert decision.in_use == ()


def test_what_a_run_works_on_is_kept() -> None:
    decision = outdated(map(window, range(4)), before=NOW, published=[window(0, 3)], in_use=[window(1), window(3)])
    assert decision.removable == (window(0), window(2))
    assert (decision.in_use, decision.unpublished) == ((window(1),), (window(3),))


numbers = st.integers(0, 30)
ranges = st.lists(st.builds(window, numbers, st.integers(1, 6)), max_size=5)


@given(st.sets(numbers), ranges, ranges, numbers)
def test_every_old_window_goes_or_has_its_reason_to_stay(
    present: set[int], published: list[Window], in_use: list[Window], limit: int
) -> None:
    windows = {window(number) for number in present}
    before = window(limit).start
    decision = outdated(windows, before=before, published=published, in_use=in_use)
    parts = [decision.removable, decision.unpublished, decision.in_use]
    assert sorted(one for part in parts for one in part) == sorted(one for one in windows if one.end <= before)
    for one in decision.removable:
        assert not subtract(one, published)
        assert subtract(one, in_use) == [one]
    assert all(subtract(one, published) for one in decision.unpublished)
    assert all(subtract(one, in_use) != [one] for one in decision.in_use)


def snapshot(days: int, *, complete: bool, landed_days: int | None = None) -> Snapshot:
    landed_at = NOW - (days if landed_days is None else landed_days) * DAY
    return Snapshot(as_of=NOW - days * DAY, complete=complete, landed_at=landed_at)


@pytest.mark.parametrize(
    ("snapshots", "gone"),
    [
        ([], []),
        ([snapshot(90, complete=True)], []),
        ([snapshot(90, complete=True), snapshot(60, complete=True)], [90]),
        ([snapshot(90, complete=True), snapshot(10, complete=True)], [90]),
        ([snapshot(20, complete=True), snapshot(10, complete=True)], []),
        ([snapshot(90, complete=True), snapshot(60, complete=False), snapshot(20, complete=False)], [60]),
        ([snapshot(60, complete=False), snapshot(90, complete=False)], [90, 60]),
        ([snapshot(30, complete=False), snapshot(29, complete=False)], [30]),
        # resumed after a month
        ([snapshot(60, complete=False, landed_days=0)], []),
    ],
)
def test_old_snapshots_go_but_the_newest_complete_one_and_one_under_way(
    snapshots: list[Snapshot], gone: list[int]
) -> None:
    assert outdated_snapshots(snapshots, before=NOW - MONTH, now=NOW) == [NOW - days * DAY for days in gone]


def test_what_a_reconciliation_left_is_abandoned_once_nothing_was_added_for_a_day() -> None:
    def of_reconciliation(days: int, *, landed_days: float) -> Snapshot:
        return Snapshot(as_of=NOW - days * DAY, complete=False, landed_at=NOW - landed_days * DAY, of_load=False)

    snapshots = [
        of_reconciliation(1, landed_days=1),
        of_reconciliation(2, landed_days=0.9),
        of_reconciliation(3, landed_days=2.9),
        snapshot(90, complete=False),
        snapshot(80, complete=True),
    ]
    assert abandoned_snapshots(snapshots, now=NOW) == [NOW - 3 * DAY, NOW - DAY]


def test_what_a_killed_reconciliation_left_is_swept_after_a_day_and_loads_stay(place: Place) -> None:
    store = place.store()
    killed, begun, complete = (NOW - days * DAY for days in (3, 2, 1))
    land(store, window(0))
    for as_of in (killed, begun, complete):
        land(store.snapshot(as_of), Window(as_of - DAY, as_of))
    land(store.snapshot(begun), Window(begun - DAY, begun), datasets=[BEGINNING])
    land(store.snapshot(complete), Window(complete - DAY, complete), datasets=[COMPLETION])
    before = place.files()

    assert remove_abandoned(store, now=timestamps.now() + DAY / 2) == []
    assert place.files() == before
    assert remove_abandoned(store, now=timestamps.now() + DAY) == [killed]

    assert store.snapshots() == [begun, complete]
    home = f"{ByPart(killed).home}/"
    assert place.files() == {name: file for name, file in before.items() if not name.startswith(home)}


def test_retention_sweeps_what_killed_reconciliations_left_and_counts_it_apart(place: Place) -> None:
    killed = NOW - 3 * DAY
    land(place.store().snapshot(killed), Window(killed - DAY, killed))
    dry = retained(place, window(0, 9), dry_run=True)
    assert place.store().snapshots() == [killed]
    wet = retained(place, window(0, 9))

    assert place.files() == {}
    assert dry.removed == wet.removed
    assert (wet.snapshots, wet.abandoned) == (dry.snapshots, dry.abandoned) == ((), (killed,))
    assert wet.removed["snapshots/raw"].files == 1


def test_old_published_windows_are_removed_and_counted(place: Place) -> None:
    land(place.store(), *map(window, range(6)))
    land(place.store(), window(4), datasets=["other"])
    sizes = {name: len(contents) for name, contents in place.files().items()}
    report = retained(place, window(0, 2), window(3, 9))
    kept = [window(2), window(4), window(5)]
    assert landed(place) == dict.fromkeys(DATASETS, kept)
    assert {name for name in sizes if name.startswith("other")} <= place.files().keys()
    assert report.removed == {
        dataset: Tally(
            3,
            sum(
                size
                for name, size in sizes.items()
                if name.startswith(dataset) and any(window(number).key in name for number in (0, 1, 3))
            ),
        )
        for dataset in DATASETS
    }
    assert {dataset: tally.files for dataset, tally in report.left.items()} == dict.fromkeys(DATASETS, 3)
    assert sum(tally.bytes for tally in report.left.values()) == sum(
        len(contents) for name, contents in place.files().items() if not name.startswith("other")
    )
    assert (report.windows, report.oldest, report.unpublished) == (3, window(2), (window(2),))
    assert (report.dry_run, report.before, report.in_use, report.snapshots) == (False, NOW - MONTH, (), ())
    # again: nothing is left to do
    again = retained(place, window(0, 2), window(3, 9))
    assert (again.removed, again.windows, again.left) == ({}, 0, report.left)


def test_a_dry_run_reports_the_same_and_removes_nothing(place: Place) -> None:
    land(place.store(), *map(window, range(6)))
    for days in (90, 60):
        land(place.store().snapshot(NOW - days * DAY), window(0, 20), datasets=["raw", COMPLETION])
    before = place.files()
    dry = retained(place, window(0, 9), dry_run=True)
    assert place.files() == before
    wet = retained(place, window(0, 9))
    assert dry.dry_run
    assert not wet.dry_run
    assert (dry.removed, dry.left, dry.windows, dry.oldest) == (wet.removed, wet.left, wet.windows, wet.oldest)
    assert dry.snapshots == wet.snapshots == (NOW - 90 * DAY,)
    assert dry.removed["snapshots/raw"].files == 1


def test_without_a_coverage_nothing_is_removed(place: Place) -> None:
    land(place.store(), *map(window, range(3)))
    land(place.store().snapshot(NOW - 90 * DAY), window(0, 20))
    before = place.files()
    report = retained(place, now=NOW + 1000 * DAY)
    assert place.files() == before
    assert (report.windows, report.snapshots, report.unpublished) == (0, (), (window(0, 3),))


def test_a_coverage_that_was_lost_and_began_anew_keeps_what_it_lacks(place: Place) -> None:
    land(place.store(), *map(window, range(3)))
    assert retained(place, window(2, 50)).windows == 1
    assert landed(place)["raw"] == [window(0), window(1)]


def test_files_that_retention_does_not_know_as_its_own_stay(place: Place) -> None:
    land(place.store(), window(0))
    foreign = {
        f"raw/2026-11-23/{window(0).key}.parquet.bak",
        f"raw/elsewhere/{window(0).key}.parquet",
        "raw/2026-11-23/notes.txt",
        "raw/2020-01-01T0000Z.parquet",
        "snapshots/yesterday/raw/part.parquet",
        "snapshots/2020-01-01T000000.000000Z/raw/notes.txt",
        "snapshots/2020-01-01T000000.000000Z/Raw Data/notes.txt",
    }
    for name in foreign:
        place.put(name, b"not ours")
    assert retained(place, window(0, 9)).windows == 1
    assert place.files().keys() == foreign


def test_the_last_part_of_a_window_to_go_is_what_the_others_are_made_from(
    folder: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(folder.store(), window(0), window(1))
    removed: list[str] = []
    remove = LandingStore.remove

    def interrupted(store: LandingStore, dataset: str, one: Window) -> None:
        if len(removed) == 2:
            raise LandingError("interrupted; try again", transient=True)
        removed.append(dataset)
        remove(store, dataset, one)

    with monkeypatch.context() as patch:
        patch.setattr(LandingStore, "remove", interrupted)
        with pytest.raises(LandingError, match="interrupted"):
            retained(folder, window(0, 9))
    assert removed == ["rejected", "typed"]
    assert landed(folder) == {"raw": [window(0), window(1)], "typed": [window(1)], "rejected": [window(1)]}
    assert retained(folder, window(0, 9)).windows == 2
    assert folder.files() == {}


def test_a_snapshot_that_a_newer_one_replaces_goes_with_all_of_its_parts(place: Place) -> None:
    store = place.store()
    old, newest, begun = (NOW - days * DAY for days in (90, 40, 2))
    for as_of in (old, newest, begun):
        parts = store.snapshot(as_of)
        land(parts, Window(as_of - 2 * DAY, as_of - DAY), Window(as_of - DAY, as_of))
        land(parts, Window(as_of - 2 * DAY, as_of), datasets=[BEGINNING])
        if as_of != begun:
            land(parts, Window(as_of - 2 * DAY, as_of), datasets=[COMPLETION])
    report = retained(place, window(0, 9))
    assert (report.snapshots, report.abandoned) == ((old,), ())
    assert {dataset: tally.files for dataset, tally in report.removed.items()} == {
        "snapshots/beginning": 1,
        "snapshots/completion": 1,
        "snapshots/raw": 2,
        "snapshots/rejected": 2,
        "snapshots/typed": 2,
    }
    assert store.snapshots() == [newest, begun]
    assert len(store.snapshot(newest).landed("raw")) == 2
    assert store.snapshot(newest).landed(COMPLETION)


def test_a_snapshot_ceases_to_be_complete_before_a_part_of_it_goes(
    folder: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, newest = NOW - 90 * DAY, NOW - DAY
    for as_of in (old, newest):
        land(folder.store().snapshot(as_of), Window(as_of - DAY, as_of), datasets=["another", COMPLETION])
    removed: list[str] = []
    remove = LandingStore.remove

    def watched(store: LandingStore, dataset: str, one: Window) -> None:
        removed.append(dataset)
        remove(store, dataset, one)

    monkeypatch.setattr(LandingStore, "remove", watched)
    assert retained(folder, window(0, 9)).snapshots == (old,)
    assert removed == [COMPLETION, "another"]


def test_no_empty_folder_stays_on_a_disk(folder: Place) -> None:
    land(folder.store(), window(0), window(144))
    retained(folder, window(0, 9))
    folders = Path(url2pathname(urlsplit(folder.uri).path)).glob("raw/*")
    assert [path.name for path in folders] == [str(window(144).start.date())]
    land(folder.store(), window(0))
    assert folder.store().landed("raw") == [window(0), window(144)]


def test_what_cannot_be_removed_is_an_error_that_names_the_file(folder: Place) -> None:
    folder.put("raw/2026-11-23/2026-11-23T0750Z.parquet/inner", b"")
    with pytest.raises(LandingError, match=r"raw/2026-11-23/2026-11-23T0750Z\.parquet: "):
        folder.store().remove("raw", window(0))


def test_a_listing_tells_when_and_how_large_without_opening(place: Place) -> None:
    before = timestamps.now() - timedelta(seconds=2)
    land(place.store(), window(1), window(0), datasets=["raw"])
    first, second = place.store().files("raw")
    assert (first.window, second.window) == (window(0), window(1))
    assert first.bytes == len(place.files()[f"raw/2026-11-23/{window(0).key}.parquet"])
    assert before <= first.at <= timestamps.now() + timedelta(seconds=2)
