"""Publication from a real landing store into a real Valkey; what the provider said is landed by hand."""

from collections.abc import Iterable
from datetime import UTC, timedelta

import orjson
import pyarrow as pa
import pytest
import time_machine

from customer_pipeline import timestamps
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.lookup import lookup
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.customers import schemas
from customer_pipeline.landing.errors import LandingError, NotLanded
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.profile import Profile
from customer_pipeline.steps import datasets, normalization, publication
from customer_pipeline_tests.servers import ValkeyServer
from customer_pipeline_tests.steps.records import FETCHED, PROFILE, WINDOW, at, land


def test_an_empty_window_is_normalized_and_published_and_a_window_never_fetched_is_not(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    with pytest.raises(NotLanded, match="raw_customers"):
        normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(NotLanded, match="customers"):
        publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert coverage.read() == []
    land(landing, [])
    assert normalization.normalize(WINDOW, profile=PROFILE, landing=landing).conserved
    report = publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
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
    assert normalization.normalize(WINDOW, profile=PROFILE, landing=landing).deletions == 1
    report = publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert report.outcomes == Outcomes(applied=1, deleted=1)
    assert report.freshness.as_of == WINDOW.end
    assert report.freshness.lag(WINDOW.end + timedelta(minutes=3)) == timedelta(minutes=3)
    with valkey.client() as client:
        assert client.exists("customer:{a}", "customer:{b}:tombstone") == 2
        assert client.exists("customer:{b}") == 0


def test_customers_are_found_by_address_and_number_as_they_are_normalized(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    email, phone = "Ada@B\u00dcCHER.example", "+41 44 668 18 00"
    land(landing, [{"id": "a", "at": at(1), "email": f" {email} ", "phone": phone}])
    fields = {**PROFILE.model_dump(mode="json")["fields"], "email": "email", "phone": "phone"}
    profile = Profile.model_validate({**PROFILE.model_dump(mode="json", exclude_unset=True), "fields": fields})
    normalization.normalize(WINDOW, profile=profile, landing=landing)
    publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    keys, connection = CacheKeys(), connect(valkey.url)
    assert lookup(connection, "Ada@b\u00fccher.example", index=keys.by_email, keys=keys) == ["a"]
    assert lookup(connection, "+41446681800", index=keys.by_phone, keys=keys) == ["a"]
    assert lookup(connection, email, index=keys.by_email, keys=keys) == []
    assert lookup(connection, phone, index=keys.by_phone, keys=keys) == []


def test_a_window_whose_customers_were_not_all_answered_for_is_not_covered(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    class Forgetful(Publisher):
        def publish(self, states: Iterable[State]) -> Outcomes:
            return super().publish(list(states)[1:])

    _, coverage = cache(valkey)
    land(landing, [{"id": "a", "at": at(1)}, {"id": "b", "at": at(2)}])
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(publication.PublicationIncomplete, match="2 customers were sent"):
        publication.publish(WINDOW, landing=landing, publisher=Forgetful(connect(valkey.url)), coverage=coverage)
    assert coverage.read() == []


def test_a_corrected_profile_replays_the_window_from_what_was_landed(
    landing: LandingStore, valkey: ValkeyServer
) -> None:
    publisher, coverage = cache(valkey)
    land(landing, [{"id": "a", "at": at(1), "status": "x", "state": "y"}])
    corrected = PROFILE.model_copy(update={"fields": PROFILE.fields.model_copy(update={"status": "state"})})
    for profile in (PROFILE, corrected):
        normalization.normalize(WINDOW, profile=profile, landing=landing)
        report = publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
        assert report.outcomes == Outcomes(applied=1)
    with valkey.client() as client:
        document = orjson.loads(client.get("customer:{a}") or b"{}")
    assert document["status"] == "y"
    assert document["version"] == f"{at(1)}/{timestamps.format_instant(FETCHED.astimezone(UTC))}"


def publish_deletion(landing: LandingStore, publisher: Publisher) -> None:
    """Publish that `a` was deleted a minute after its last change."""
    land(landing, [{"id": "a", "at": at(2), "gone": True}], fetched_at=FETCHED + timedelta(minutes=1))
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    _, outcomes = publication.publish_landed(WINDOW, landing=landing, publisher=publisher)
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
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    document, tombstone = "customer:{a}", "customer:{a}:tombstone"
    with valkey.client() as client:
        expires_at = timestamps.now() + timedelta(milliseconds=client.pttl(tombstone))
        assert abs(expires_at - (FETCHED + tombstone_ttl)) <= timedelta(minutes=5)

        # as long as it may be replayed, the tombstone is there and wins
        clock.move_to(FETCHED + publisher.replay_horizon - timedelta(minutes=1))
        assert timestamps.now() < expires_at
        report = publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
        assert report.outcomes == Outcomes(stale=1)
        assert coverage.read() == [WINDOW]

        # afterwards it is refused: while the tombstone is still there, and when it has expired
        covered = client.get("customers:coverage")
        for later in (publisher.replay_horizon + timedelta(minutes=1), tombstone_ttl + timedelta(days=1)):
            clock.move_to(FETCHED + later)
            if timestamps.now() > expires_at:
                client.pexpire(tombstone, 0)
            for publish in (
                lambda: publication.publish_landed(WINDOW, landing=landing, publisher=publisher),
                lambda: publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage),
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
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    with valkey.client() as client:
        client.pexpire("customer:{a}:tombstone", 0)
        _, outcomes = publication.publish_landed(WINDOW, landing=landing, publisher=publisher)
        assert outcomes == Outcomes(applied=1)
        assert client.exists("customer:{a}") == 1


def test_a_state_that_is_too_old_is_refused_however_new_the_others_of_its_window_are(
    landing: LandingStore, valkey: ValkeyServer, clock: time_machine.Traveller
) -> None:
    publisher, _ = cache(valkey)
    clock.move_to(FETCHED + publisher.replay_horizon + timedelta(minutes=1))
    texts = [orjson.dumps({"id": name, "at": at(1)}).decode() for name in "ab"]
    fetched = [timestamps.now(), FETCHED]
    with landing.open_writer(datasets.RAW_CUSTOMERS, WINDOW, schemas.RAW) as writer:
        nothing = pa.nulls(2, pa.string()), pa.nulls(2, schemas.INSTANT)
        rows = [*nothing, pa.array(fetched, schemas.INSTANT), pa.array(texts)]
        writer.write(pa.record_batch(rows, schema=schemas.RAW))
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    with pytest.raises(LandingError, match="could revive"):
        publication.publish_landed(WINDOW, landing=landing, publisher=publisher)
    with valkey.client() as client:
        assert client.exists("customer:{a}", "customer:{b}") == 0


def test_a_window_without_customers_is_published_however_old(
    landing: LandingStore, valkey: ValkeyServer, clock: time_machine.Traveller
) -> None:
    publisher, coverage = cache(valkey)
    land(landing, [])
    normalization.normalize(WINDOW, profile=PROFILE, landing=landing)
    clock.move_to(FETCHED + timedelta(days=1000))
    publication.publish(WINDOW, landing=landing, publisher=publisher, coverage=coverage)
    assert coverage.read() == [WINDOW]
