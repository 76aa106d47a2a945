"""The full walk of a reconciliation: what it sees, what it leaves behind, and until when changes are due."""

import os
import re
import time
from collections.abc import Generator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from customer_pipeline import timestamps
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.reconciliation import walking
from customer_pipeline.reconciliation.comparison import Comparison
from customer_pipeline.reconciliation.reconciling import FullWalk
from customer_pipeline.reconciliation.walking import Walking, due_at, full_walk
from customer_pipeline.snapshot.walking import walk_parts
from customer_pipeline.steps import datasets
from customer_pipeline.windows import Window
from customer_pipeline_tests.landing.damage import damage_a_page
from customer_pipeline_tests.reconciliation.scenes import KEYS, Scene, profile_of
from customer_pipeline_tests.sandbox.running import RunningSandbox


def client(provider: RunningSandbox, **changes: object) -> ProviderClient:
    return ProviderClient(profile_of(**changes), {"SANDBOX_URL": provider.url, "SANDBOX_TOKEN": "sandbox-token"})


def test_it_sees_everybody_once_who_changed_before_and_then_who_changed_meanwhile(
    provider: RunningSandbox, tmp_path: Path
) -> None:
    landing, counted = LandingStore(tmp_path.as_uri()), Walking()
    with client(provider, lookback="1s") as opened:
        walk = full_walk([opened], landing=landing, walking=counted)
        provider.control("PUT", "/customers/cus_00001", json={"status": "edited before it was read"})
        seen = []
        for part in walk.parts:
            batches = walk.landing.read(datasets.RAW_CUSTOMERS, part, columns=["id"])
            seen.append({name for batch in batches for name in batch["id"].to_pylist()})
            assert walk.landing.describe(datasets.CUSTOMERS, part)
    assert "cus_00001" not in seen[0]
    assert "cus_00001" in seen[-1]
    assert set().union(*seen) == {one["id"] for one in provider.truth()}
    assert walk.started_at <= timestamps.now()
    assert (counted.walks, counted.parts) == (1, len(seen))
    assert counted.rows >= 60
    said = rf"{counted.rows} customers read in \d s, [\d,]+ a second; part {len(seen)} of walk 1"
    assert re.fullmatch(said, str(counted))


def test_what_was_compared_does_not_stay_in_the_landing_store(provider: RunningSandbox, tmp_path: Path) -> None:
    landing = LandingStore(tmp_path.as_uri())
    with client(provider) as opened:
        walk = full_walk([opened], landing=landing, walking=Walking())
        for _ in walk.parts:
            assert len(walk.landing.landed(datasets.RAW_CUSTOMERS)) == 1
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.fixture
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(walking, "walk_parts", partial(walk_parts, most_rows=10))


@pytest.mark.usefixtures("_small_parts")
def test_a_walk_that_fails_leaves_nothing_behind(provider: RunningSandbox, tmp_path: Path) -> None:
    landing = LandingStore(tmp_path.as_uri())
    with client(provider) as first, client(provider) as second:
        walk = full_walk([first, second], landing=landing, walking=Walking())
        next(walk.parts)
        assert landing.snapshots()
        provider.control("POST", "/faults/error_503")
        with pytest.raises(ProviderError):
            list(walk.parts)
    assert not list(tmp_path.rglob("*.parquet"))


@pytest.mark.usefixtures("_small_parts")
def test_a_walk_that_nobody_wants_to_end_leaves_nothing_behind(provider: RunningSandbox, tmp_path: Path) -> None:
    with client(provider) as first, client(provider) as second:
        walk = full_walk([first, second], landing=LandingStore(tmp_path.as_uri()), walking=Walking())
        with closing(walk.parts) as parts:
            next(parts)
            assert list(tmp_path.rglob("*.parquet"))
    assert not list(tmp_path.rglob("*.parquet"))


def test_a_walk_removes_what_a_killed_one_left_and_nothing_of_one_that_lives(
    provider: RunningSandbox, tmp_path: Path
) -> None:
    landing = LandingStore(tmp_path.as_uri())
    with client(provider) as opened:
        killed = full_walk([opened], landing=landing, walking=Walking())
        next(killed.parts)
        yesterday = time.time() - timedelta(days=1, minutes=1).total_seconds()
        for path in tmp_path.rglob("*.parquet"):
            os.utime(path, (yesterday, yesterday))
        living = full_walk([opened], landing=landing, walking=Walking())
        assert landing.snapshots() == []
        part = next(living.parts)
        for _ in full_walk([opened], landing=landing, walking=Walking()).parts:
            pass
        assert landing.snapshots() == [living.end]
        assert sum(batch.num_rows for batch in living.landing.read(datasets.CUSTOMERS, part)) > 50
        for _ in living.parts:
            pass
    assert landing.snapshots() == []


@pytest.mark.parametrize("dataset", [datasets.RAW_CUSTOMERS, datasets.CUSTOMERS])
def test_a_part_that_is_damaged_before_it_was_compared_makes_the_run_try_again(
    scene: Scene, tmp_path: Path, dataset: str
) -> None:
    def damaged(walk: FullWalk) -> Generator[Window]:
        with closing(walk.parts) as parts:
            for part in parts:
                damage_a_page(walk.landing, dataset, part, column="id")
                yield part

    comparison = Comparison(scene.connection, keys=KEYS, publisher=scene.publisher, due=timestamps.now())
    with client(scene.sandbox) as opened:
        walk = full_walk([opened], landing=LandingStore((tmp_path / "own").as_uri()), walking=Walking())
        with closing(damaged(walk)) as parts, pytest.raises(LandingError, match="damaged") as caught:
            comparison.add_parts(parts, landing=walk.landing, started_at=walk.started_at)
    assert caught.value.transient


def test_a_provider_that_cannot_be_walked_as_a_whole_is_named(provider: RunningSandbox, tmp_path: Path) -> None:
    with (
        client(provider, snapshot={"enabled": False}) as opened,
        pytest.raises(ProfileError, match=r"snapshot\.enabled"),
    ):
        full_walk([opened], landing=LandingStore(tmp_path.as_uri()), walking=Walking())


@pytest.mark.parametrize(("minute", "due"), [(10, 0), (15, 0), (19, 0), (20, 10)])
def test_what_changed_before_the_last_window_but_one_less_the_lookback_is_due(minute: int, due: int) -> None:
    at = datetime(2026, 11, 25, 4, minute, tzinfo=UTC)
    expected = datetime(2026, 11, 25, 4, due, tzinfo=UTC) - timedelta(minutes=5)
    assert due_at(at, profile_of()) == expected
