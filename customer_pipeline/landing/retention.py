"""Retention: which landed windows and snapshots have had their time, and their removal.

What is decided is apart from what is removed. A window goes if all of it was published; one that is a gap stays,
however old it is, for it is what a replay would close the gap from. Everything here may be repeated at any time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from customer_pipeline.landing.naming import BEGINNING, COMPLETION, SNAPSHOTS
from customer_pipeline.landing.store import LandedFile, LandingStore
from customer_pipeline.windows import Window, contiguous, subtract

# A snapshot that got a part within this time is still under way.
_UNDER_WAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Tally:
    """How many files, and their bytes."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outdated:
    """The windows that are older than the limit, by what becomes of them; each oldest first.

    Attributes:
        removable: wholly published, and nobody works on them.
        unpublished: kept, because they are a gap, or a part of them is.
        in_use: kept, because a run works on them.
    """

    removable: tuple[Window, ...]
    unpublished: tuple[Window, ...]
    in_use: tuple[Window, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A landed snapshot.

    Attributes:
        as_of: which one.
        complete: whether all of it was landed.
        landed_at: when its newest file was.
        of_load: whether a load began it; otherwise a reconciliation did, which keeps nothing that it has compared.
    """

    as_of: datetime
    complete: bool
    landed_at: datetime
    of_load: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What retention removed, or would remove, and what it left.

    Attributes:
        dry_run: whether nothing was removed.
        before: the limit: what ended at or before it has had its time.
        removed: by dataset; those of snapshots have `snapshots/` before their name.
        left: by dataset, snapshots left out.
        windows: how many windows were removed.
        snapshots: which snapshots were removed, oldest first.
        abandoned: of which reconciliations the rest was removed, oldest first; they were killed.
        oldest: the oldest window that is left, None without any.
        unpublished: what has had its time and was kept because it was not published: ranges, oldest first.
        in_use: what has had its time and was kept because a run works on it: ranges, oldest first.
    """

    dry_run: bool
    before: datetime
    removed: Mapping[str, Tally]
    left: Mapping[str, Tally]
    windows: int
    snapshots: tuple[datetime, ...]
    abandoned: tuple[datetime, ...]
    oldest: Window | None
    unpublished: tuple[Window, ...]
    in_use: tuple[Window, ...]


def outdated(
    windows: Iterable[Window], *, before: datetime, published: Sequence[Window], in_use: Sequence[Window] = ()
) -> Outdated:
    """Return which of `windows` have had their time.

    Args:
        windows: those that were landed.
        before: the limit, which a window's end must have reached.
        published: the coverage; with an empty one nothing is removable.
        in_use: what runs work on at present.
    """
    removable, unpublished, used = [], [], []
    for window in sorted(windows):
        if window.end > before:
            continue
        if subtract(window, published):
            unpublished.append(window)
        elif subtract(window, in_use) != [window]:
            used.append(window)
        else:
            removable.append(window)
    return Outdated(removable=tuple(removable), unpublished=tuple(unpublished), in_use=tuple(used))


def outdated_snapshots(snapshots: Iterable[Snapshot], *, before: datetime, now: datetime) -> list[datetime]:
    """Return which snapshots have had their time, oldest first.

    The newest complete one never has: the cache is loaded from it when the provider cannot be asked. Neither has an
    incomplete one to which parts are still being added.
    """
    found = sorted(snapshots, key=lambda snapshot: snapshot.as_of)
    newest = max((snapshot.as_of for snapshot in found if snapshot.complete), default=None)
    return [
        snapshot.as_of
        for snapshot in found
        if snapshot.as_of <= before
        and snapshot.as_of != newest
        and (snapshot.complete or snapshot.landed_at <= now - _UNDER_WAY)
    ]


def abandoned_snapshots(snapshots: Iterable[Snapshot], *, now: datetime) -> list[datetime]:
    """Return of which reconciliations something is left that no run works on any more, oldest first."""
    return sorted(
        snapshot.as_of for snapshot in snapshots if not snapshot.of_load and snapshot.landed_at <= now - _UNDER_WAY
    )


def remove_abandoned(landing: LandingStore, *, now: datetime) -> list[datetime]:
    """Remove what reconciliations left behind that were killed, and return of which, oldest first.

    Raises:
        LandingError: if the store cannot be read, or a file not be removed.
    """
    found = abandoned_snapshots(_snapshots(landing), now=now)
    for as_of in found:
        for _ in _remove_snapshot(landing, as_of, dry_run=False):
            pass
    return found


def retain(
    landing: LandingStore,
    *,
    datasets: Sequence[str],
    retained_for: timedelta,
    now: datetime,
    published: Sequence[Window],
    in_use: Sequence[Window] = (),
    dry_run: bool = False,
) -> Report:
    """Remove what has had its time, oldest first, and return what was removed and what is left.

    Of a window the datasets go in the opposite order of `datasets`: interrupted in the middle, it leaves what the
    others can be made from again, and the next time removes that too. Files of other names are not touched.

    Args:
        landing: the store.
        datasets: those by window, in the order in which they come into being.
        retained_for: for how long after its end a window is kept.
        now: the present.
        published: the coverage; an empty one says nothing, so nothing is removed.
        in_use: what runs work on at present, and keep.
        dry_run: whether to remove nothing and report what would be removed.

    Raises:
        LandingError: if the store cannot be read, or a file not be removed.
    """
    before = now - retained_for
    files = {dataset: {file.window: file for file in landing.files(dataset)} for dataset in datasets}
    windows = {window for by_window in files.values() for window in by_window}
    decision = outdated(windows, before=before, published=published, in_use=in_use)
    removed: dict[str, Tally] = {}
    for window in decision.removable:
        for dataset in reversed(datasets):
            if file := files[dataset].get(window):
                _remove(landing, dataset, file, dry_run=dry_run)
                removed[dataset] = removed.get(dataset, Tally()) + Tally(1, file.bytes)
    snapshots = list(_snapshots(landing)) if published else []
    abandoned = abandoned_snapshots(snapshots, now=now)
    replaced = [one for one in outdated_snapshots(snapshots, before=before, now=now) if one not in abandoned]
    for as_of in [*replaced, *abandoned]:
        for dataset, tally in _remove_snapshot(landing, as_of, dry_run=dry_run):
            removed[dataset] = removed.get(dataset, Tally()) + tally
    gone = set(decision.removable)
    left = {dataset: [file for window, file in files[dataset].items() if window not in gone] for dataset in datasets}
    return Report(
        dry_run=dry_run,
        before=before,
        removed=removed,
        left={dataset: Tally(len(kept), sum(file.bytes for file in kept)) for dataset, kept in left.items()},
        windows=len(decision.removable),
        snapshots=tuple(replaced),
        abandoned=tuple(abandoned),
        oldest=min(windows - gone, default=None),
        unpublished=tuple(contiguous(decision.unpublished)),
        in_use=tuple(contiguous(decision.in_use)),
    )


def _snapshots(landing: LandingStore) -> Iterable[Snapshot]:
    for as_of in landing.snapshots():
        store = landing.snapshot(as_of)
        by_dataset = {dataset: store.files(dataset) for dataset in landing.datasets(as_of)}
        landed = [file.at for files in by_dataset.values() for file in files]
        if landed:
            complete = bool(by_dataset.get(COMPLETION))
            of_load = complete or bool(by_dataset.get(BEGINNING))
            yield Snapshot(as_of=as_of, complete=complete, landed_at=max(landed), of_load=of_load)


def _remove_snapshot(landing: LandingStore, as_of: datetime, *, dry_run: bool) -> Iterable[tuple[str, Tally]]:
    """Remove a snapshot; what says that it is complete goes first, since a part of it is not."""
    store = landing.snapshot(as_of)
    for dataset in sorted(landing.datasets(as_of), key=lambda name: (name != COMPLETION, name)):
        for file in store.files(dataset):
            _remove(store, dataset, file, dry_run=dry_run)
            yield f"{SNAPSHOTS}/{dataset}", Tally(1, file.bytes)


def _remove(landing: LandingStore, dataset: str, file: LandedFile, *, dry_run: bool) -> None:
    if not dry_run:
        landing.remove(dataset, file.window)
