"""The full walk in parts: nothing is lost whatever changes meanwhile, and what has landed is not asked for again."""

import json
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, event, given, note, settings
from hypothesis import strategies as st

from customer_pipeline.erasure.ledger import Ledger
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.profile import Profile
from customer_pipeline.provider.walk import Walk
from customer_pipeline.snapshot.walking import Part, walk_parts
from customer_pipeline.steps.datasets import RAW_CUSTOMERS
from customer_pipeline.windows import Window, contiguous
from customer_pipeline_tests.provider.simulated import Behaviour, Row, SimulatedProvider, instant, microseconds
from customer_pipeline_tests.provider.test_walk_property import END, START, Example, providers

BEGINNING = START - timedelta(days=3)


class SimulatedClient:
    """The one client of a simulated provider."""

    def __init__(self, profile: Profile, provider: SimulatedProvider) -> None:
        self.profile = profile
        self._provider: Any = provider
        self.ended = False

    def walk_exactly(self, window: Window) -> Walk:
        return Walk(self._provider, self.profile.model_copy(update={"lookback": timedelta(0)}), window, generous=True)

    def end_soon(self) -> None:
        self.ended = True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts")


def store_in(folder: Path) -> LandingStore:
    return LandingStore(Path(tempfile.mkdtemp(dir=folder)).as_uri()).snapshot(END)


def landed_ids(landing: LandingStore) -> set[str]:
    return {
        json.loads(text)["id"]
        for part in landing.landed(RAW_CUSTOMERS)
        for batch in landing.read(RAW_CUSTOMERS, part)
        for text in batch["record"].to_pylist()
    }


def walk(whole: Window, client: Any, landing: LandingStore, most_rows: int) -> list[Part]:
    return list(walk_parts(whole, clients=[client], landing=landing, most_rows=most_rows))


@given(example=providers(), most_rows=st.sampled_from([1, 2, 5]), interrupted_after=st.integers(0, 3))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_row_is_lost_whatever_changes_during_the_walk(
    folder: Path, example: Example, most_rows: int, interrupted_after: int
) -> None:
    profile, provider, before = example
    note(f"{provider.behaviour} {profile.list.query} {profile.pagination}")
    whole = Window(BEGINNING, min(END, instant(provider.now)))
    landing = store_in(folder)
    client: Any = SimulatedClient(profile, provider)
    try:
        for number, _ in enumerate(walk_parts(whole, clients=[client], landing=landing, most_rows=most_rows)):
            if number == interrupted_after:
                break
        known = landing.landed(RAW_CUSTOMERS)
        parts = walk(whole, client, landing, most_rows)
    except ProviderMisbehaved as error:
        if not provider.touched:
            raise
        event(f"refused: {error.reason}")
        return
    event(f"{profile.pagination.order}, bounded={profile.list.bounded}, {min(len(parts), 5)} parts")
    assert [part.window for part in parts if part.walk is None] == known
    assert contiguous(part.window for part in parts) == [whole]
    found = landed_ids(landing)
    for row in before.values():
        # What changes at the end of the walk is of the next window, however roughly its time is shown.
        in_time = microseconds(whole.start) <= provider.shown(row) and row.at < microseconds(whole.end)
        if in_time and not row.hidden:
            assert row.id in found or row.id in provider.touched, f"{row} was lost"


def test_a_damaged_part_is_read_again(folder: Path) -> None:
    profile, provider, whole = quiet_provider()
    landing, client = store_in(folder), SimulatedClient(profile, provider)
    parts = walk(whole, client, landing, most_rows=2)
    damaged = Path(landing.uri_of(RAW_CUSTOMERS, parts[0].window).removeprefix("file://"))
    damaged.write_bytes(b"no Parquet")

    again = walk(whole, client, landing, most_rows=2)

    assert len(parts) > 2
    assert sum(part.walk is None for part in again) == len(parts) - 1
    assert len(landed_ids(landing)) == 6


def test_what_has_landed_is_not_asked_for_again(folder: Path) -> None:
    profile, provider, whole = quiet_provider()
    landing, client = store_in(folder), SimulatedClient(profile, provider)
    parts = walk(whole, client, landing, most_rows=2)
    requests = provider.traffic.requests

    again = walk(whole, client, landing, most_rows=2)

    assert provider.traffic.requests == requests
    assert [part.window for part in again] == sorted(part.window for part in parts)


def test_a_part_that_has_landed_says_how_many_records_of_erased_customers_it_left_out(folder: Path) -> None:
    profile, provider, whole = quiet_provider()
    landing, client = store_in(folder), SimulatedClient(profile, provider)
    Ledger(landing.notes).enter("3", by="me")
    parts = walk(whole, client, landing, most_rows=2)

    again = walk(whole, client, landing, most_rows=2)

    assert 0 < sum(part.suppressed > 0 for part in parts) < len(parts)
    assert {part.window: part.suppressed for part in again} == {part.window: part.suppressed for part in parts}
    assert all(part.walk is None for part in again)
    assert len(landed_ids(landing)) == 5


def quiet_provider() -> tuple[Profile, SimulatedProvider, Window]:
    """Return a provider of six customers, a minute apart, sorted by time, two on a page."""
    content = {
        "name": "quiet",
        "base_url": "http://provider.test",
        "list": {"path": "customers", "records": "items", "query": {"since": "{since}", "until": "{until}"}},
        "pagination": {"style": "cursor", "cursor": "cursor", "order": "ascending", "size_param": "size", "size": 2},
        "fields": {"id": "id", "updated_at": "at"},
    }
    rows = {str(number): Row(str(number), microseconds(START + timedelta(minutes=number))) for number in range(6)}
    behaviour = Behaviour(sort="ascending", style="cursor", cursor="keyset")
    provider = SimulatedProvider(behaviour, rows, microseconds(END), lambda _: None)
    return Profile.model_validate(content), provider, Window(BEGINNING, END)
