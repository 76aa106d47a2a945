"""The three steps on a real landing store and a real Valkey; what the provider said is landed by hand."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pytest
import time_machine

from customer_pipeline import steps, timestamps
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.customers.newest import newest
from customer_pipeline.landing.errors import LandingError, NotLanded
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import Profile
from customer_pipeline.windows import Window
from customer_pipeline_tests.servers import ValkeyServer

WINDOW = Window.from_key("2026-11-23T1450Z")
FETCHED = WINDOW.end + timedelta(seconds=1)
PROFILE = Profile.model_validate(
    {
        "name": "by-hand",
        "base_url": "http://127.0.0.1:9",
        "list": {"path": "/customers"},
        "pagination": {"style": "page_number"},
        "fields": {"id": "id", "updated_at": "at", "status": "status"},
        "deleted": {"path": "gone"},
    }
)


@pytest.fixture(autouse=True)
def clock() -> Iterator[time_machine.Traveller]:
    """A clock that goes, from soon after the window's end."""
    with time_machine.travel(FETCHED + timedelta(minutes=1)) as traveller:
        yield traveller


@pytest.fixture
def landing(tmp_path: Path) -> LandingStore:
    return LandingStore(tmp_path.as_uri())


def land(landing: LandingStore, records: Iterable[object], *, fetched_at: datetime = FETCHED) -> None:
    texts = [record if isinstance(record, str) else orjson.dumps(record).decode() for record in records]
    nothing = [None] * len(texts)
    columns = [
        pa.array(nothing, pa.string()),
        pa.array(nothing, schemas.INSTANT),
        pa.array([fetched_at] * len(texts), schemas.INSTANT),
        pa.array(texts, pa.string()),
    ]
    with landing.open_writer(steps.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        writer.write(pa.record_batch(columns, schema=schemas.RAW))
        writer.facts["walked_at"] = timestamps.format_instant(timestamps.now())


def at(minutes: float) -> str:
    return timestamps.format_instant(WINDOW.start + timedelta(minutes=minutes))


def rows_of(landing: LandingStore, dataset: str) -> list[dict[str, object]]:
    return [row for batch in landing.read(dataset, WINDOW) for row in batch.to_pylist()]


def test_the_newest_state_of_a_customer_is_kept_and_every_record_is_accounted_for(landing: LandingStore) -> None:
    land(
        landing,
        [
            {"id": "a", "at": at(1), "status": "old"},
            {"id": "b", "at": at(2), "status": "only"},
            {"id": "a", "at": at(3), "status": "new"},
            {"id": "a", "at": at(2), "status": "middle"},
            {"id": None, "at": at(4)},
            "[1, 2]",
        ],
    )
    report = steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert {row["id"]: row["status"] for row in rows_of(landing, steps.CUSTOMERS)} == {"a": "new", "b": "only"}
    assert (report.fetched, report.normalized, report.duplicates, report.unique_ids) == (6, 2, 2, 2)
    assert dict(report.quarantined) == {"id_missing": 1, "not_an_object": 1}
    assert report.conserved


def test_an_implausible_state_does_not_displace_a_usable_one_of_the_same_customer(landing: LandingStore) -> None:
    land(landing, [{"id": "a", "at": at(1)}, {"id": "a", "at": "2999-01-01T00:00:00Z"}])
    report = steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert report.normalized == 1
    assert dict(report.quarantined) == {"updated_at_in_future": 1}


def test_a_provider_whose_clock_is_ahead_is_believed_by_as_much_as_was_measured(landing: LandingStore) -> None:
    ahead = timestamps.format_instant(FETCHED + PROFILE.future_margin + timedelta(seconds=50))
    land(landing, [{"id": "a", "at": ahead}])
    assert steps.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 0
    raw = list(landing.read(steps.RAW_CUSTOMERS, WINDOW))
    with landing.open_writer(steps.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        for batch in raw:
            writer.write(batch)
        writer.facts["clock_difference_seconds"] = 60.0
    assert steps.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 1


def test_a_provider_whose_clock_seems_behind_has_its_records_believed(landing: LandingStore) -> None:
    land(landing, [{"id": "a", "at": at(9)}])
    raw = list(landing.read(steps.RAW_CUSTOMERS, WINDOW))
    with landing.open_writer(steps.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        for batch in raw:
            writer.write(batch)
        writer.facts["clock_difference_seconds"] = -3600.0
    assert steps.normalize(WINDOW, profile=PROFILE, landing=landing).normalized == 1


def test_records_from_the_future_that_every_window_meets_do_not_count_as_a_wrong_profile(landing: LandingStore) -> None:
    dirty: list[object] = [{"id": str(number), "at": "2999-01-01T00:00:00Z"} for number in range(5)]
    land(landing, [*dirty, {"id": "a", "at": at(1)}])
    report = steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert (report.quarantined_total, report.recurring, report.normalized) == (5, 5, 1)
    query = {"since": "{since}", "until": "{until}"}
    told = PROFILE.model_copy(update={"list": PROFILE.list.model_copy(update={"query": query})})
    assert steps.normalize(WINDOW, profile=told, landing=landing).recurring == 0


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_a_window_that_is_ingested_anew_while_it_is_normalized_is_normalized_again(
    landing: LandingStore, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    land(landing, [{"id": "x", "at": at(1)}, {"id": "y", "at": at(2)}])

    def overtaken(*columns: Any) -> object:
        land(landing, [{"id": "y", "at": at(2)}, {"id": "z", "at": at(3)}, {"id": "x", "at": at(4)}][:rows])
        return newest(*columns)

    monkeypatch.setattr("customer_pipeline.steps.newest", overtaken)
    with pytest.raises(LandingError, match="replaced by another run") as raised:
        steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    assert raised.value.transient
    assert landing.describe(steps.CUSTOMERS, WINDOW) is None


def test_an_empty_window_is_normalized_and_published_and_a_window_never_fetched_is_not(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    with pytest.raises(NotLanded, match="raw_customers"):
        steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(NotLanded, match="customers"):
        steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert coverage.read() == []
    land(landing, [])
    assert steps.normalize(WINDOW, profile=PROFILE, landing=landing).conserved
    report = steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert report.outcomes.total == 0
    assert coverage.read() == [WINDOW]


def cache(valkey: ValkeyServer) -> tuple[Publisher, Coverage]:
    connection = connect(valkey.url)
    keys = CacheKeys()
    return Publisher(connection, keys=keys), Coverage(connection, keys=keys, start=WINDOW.start)


def test_a_window_is_covered_once_all_its_customers_were_answered_for(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    land(landing, [{"id": "a", "at": at(1)}, {"id": "b", "at": at(2), "gone": True}])
    assert steps.normalize(WINDOW, profile=PROFILE, landing=landing).deletions == 1
    report = steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert report.outcomes == Outcomes(applied=1, deleted=1)
    assert report.freshness.as_of == WINDOW.end
    assert steps.lag(report.freshness, WINDOW.end + timedelta(minutes=3)) == timedelta(minutes=3)
    with valkey.client() as client:
        assert client.exists("customer:{a}", "customer:{b}:tombstone") == 2
        assert client.exists("customer:{b}") == 0


def test_a_window_whose_customers_were_not_all_answered_for_is_not_covered(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    class Forgetful(Publisher):
        def publish(self, states: Iterable[State]) -> Outcomes:
            return super().publish(list(states)[1:])

    _, coverage = cache(valkey)
    land(landing, [{"id": "a", "at": at(1)}, {"id": "b", "at": at(2)}])
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(steps.PublicationIncomplete, match="2 customers were sent"):
        steps.publish(WINDOW, landing=landing, publisher=Forgetful(connect(valkey.url)), coverage=coverage)
    assert coverage.read() == []


def test_a_corrected_profile_replays_the_window_from_what_was_landed(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    land(landing, [{"id": "a", "at": at(1), "status": "x", "state": "y"}])
    corrected = PROFILE.model_copy(update={"fields": PROFILE.fields.model_copy(update={"status": "state"})})
    for profile in (PROFILE, corrected):
        steps.normalize(WINDOW, profile=profile, landing=landing)
        report = steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
        assert report.outcomes == Outcomes(applied=1)
    with valkey.client() as client:
        document = orjson.loads(client.get("customer:{a}") or b"{}")
    assert document["status"] == "y"
    assert document["version"] == f"{at(1)}/{timestamps.format_instant(FETCHED.astimezone(UTC))}"


def publish_deletion(landing: LandingStore, publisher: Publisher) -> None:
    """Publish that `a` was deleted a minute after its last change."""
    land(landing, [{"id": "a", "at": at(2), "gone": True}], fetched_at=FETCHED + timedelta(minutes=1))
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    _, outcomes = steps.publish_landed(WINDOW, landing=landing, publisher=publisher)
    assert outcomes == Outcomes(deleted=1)


@pytest.mark.parametrize("tombstone_ttl", [timedelta(days=400), timedelta(days=40)])
def test_nothing_that_is_older_than_a_tombstone_lives_can_revive_a_customer(
    landing: LandingStore, valkey: ValkeyServer, clock: time_machine.Traveller, tombstone_ttl: timedelta
) -> None:
    connection = connect(valkey.url)
    publisher = Publisher(connection, tombstone_ttl=tombstone_ttl)
    coverage = Coverage(connection, keys=CacheKeys(), start=WINDOW.start)
    publish_deletion(landing, publisher)
    # what is replayed: the customer, as it was fetched before
    land(landing, [{"id": "a", "at": at(1)}])
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    document, tombstone = "customer:{a}", "customer:{a}:tombstone"
    with valkey.client() as client:
        expires_at = timestamps.now() + timedelta(milliseconds=client.pttl(tombstone))
        assert abs(expires_at - (FETCHED + tombstone_ttl)) < timedelta(minutes=5)

        # as long as it may be replayed, the tombstone is there and wins
        clock.move_to(FETCHED + publisher.replay_horizon - timedelta(minutes=1))
        assert timestamps.now() < expires_at
        report = steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
        assert report.outcomes == Outcomes(stale=1)
        assert coverage.read() == [WINDOW]

        # afterwards it is refused: while the tombstone is still there, and when it has expired
        covered = client.get("customers:coverage")
        for later in (publisher.replay_horizon + timedelta(minutes=1), tombstone_ttl + timedelta(days=1)):
            clock.move_to(FETCHED + later)
            if timestamps.now() > expires_at:
                client.pexpire(tombstone, 0)
            for publish in (
                lambda: steps.publish_landed(WINDOW, landing=landing, publisher=publisher),
                lambda: steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage),
            ):
                with pytest.raises(LandingError, match="could revive a deleted customer; materialize") as refused:
                    publish()
                assert not refused.value.transient
                assert "fetched on 2026-11-23" in str(refused.value)
            assert client.exists(document) == 0
        assert client.exists(tombstone) == 0
        assert client.get("customers:coverage") == covered


def test_without_the_refusal_the_replay_would_revive_the_customer(landing: LandingStore, valkey: ValkeyServer) -> None:
    publisher, _ = cache(valkey)
    publish_deletion(landing, publisher)
    land(landing, [{"id": "a", "at": at(1)}])
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    with valkey.client() as client:
        client.pexpire("customer:{a}:tombstone", 0)
        _, outcomes = steps.publish_landed(WINDOW, landing=landing, publisher=publisher)
        assert outcomes == Outcomes(applied=1)
        assert client.exists("customer:{a}") == 1


def test_a_state_that_is_too_old_is_refused_however_new_the_others_of_its_window_are(
    landing: LandingStore, valkey: ValkeyServer, clock: time_machine.Traveller
) -> None:
    publisher, _ = cache(valkey)
    clock.move_to(FETCHED + publisher.replay_horizon + timedelta(minutes=1))
    texts = [orjson.dumps({"id": name, "at": at(1)}).decode() for name in "ab"]
    fetched = [timestamps.now(), FETCHED]
    with landing.open_writer(steps.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        nothing = pa.nulls(2, pa.string()), pa.nulls(2, schemas.INSTANT)
        rows = [*nothing, pa.array(fetched, schemas.INSTANT), pa.array(texts)]
        writer.write(pa.record_batch(rows, schema=schemas.RAW))
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(LandingError, match="could revive"):
        steps.publish_landed(WINDOW, landing=landing, publisher=publisher)
    with valkey.client() as client:
        assert client.exists("customer:{a}", "customer:{b}") == 0


def test_a_window_without_customers_is_published_however_old(
    landing: LandingStore, valkey: ValkeyServer, clock: time_machine.Traveller
) -> None:
    publisher, coverage = cache(valkey)
    land(landing, [])
    steps.normalize(WINDOW, profile=PROFILE, landing=landing)
    clock.move_to(FETCHED + timedelta(days=1000))
    steps.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert coverage.read() == [WINDOW]
