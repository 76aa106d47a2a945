"""A real provider and a real cache that differ in every way: afterwards they agree, and the report says how not."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import cast

import orjson
import pytest
import redis

from benchmarks.before import Before
from customer_pipeline import timestamps
from customer_pipeline.cache import stored
from customer_pipeline.cache.codec import State
from customer_pipeline.cache.connection import Connection, connect
from customer_pipeline.cache.entries import Entry
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.publisher import Outcomes, Publisher
from customer_pipeline.erasure.ledger import Ledger
from customer_pipeline.provider.errors import ProviderMisbehaved, ProviderUnavailable
from customer_pipeline.reconciliation.errors import LookupNotTrusted, TooManyExtras
from customer_pipeline.reconciliation.kinds import Kind
from customer_pipeline.reconciliation.report import Reconciliation
from customer_pipeline.sandbox.world import Settings
from customer_pipeline.steps import publication
from customer_pipeline_tests.cache.states import told
from customer_pipeline_tests.reconciliation.conftest import CUSTOMERS
from customer_pipeline_tests.reconciliation.scenes import KEYS, Scene, profile_of
from customer_pipeline_tests.sandbox.running import RunningSandbox
from customer_pipeline_tests.servers import ValkeyServer

FOUND_BY = ("email", "phone")
NO_LOOKUP = profile_of(lookup=None)


def found(report: Reconciliation) -> dict[str, int]:
    return {kind.value: count for kind, count in report.counts.items() if count}


def test_a_cache_that_agrees_is_left_as_it_is(either_scene: Scene) -> None:
    assert either_scene.agrees()
    before = {key: either_scene.connection.get(key) for key in either_scene.connection.scan_iter(match="customer:*")}
    report = either_scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS}
    assert (report.agrees, report.differences, report.outcomes) == (True, 0, Outcomes())
    assert (report.at_provider, report.in_cache, report.quarantined) == (CUSTOMERS, CUSTOMERS, 0)
    after = {key: either_scene.connection.get(key) for key in either_scene.connection.scan_iter(match="customer:*")}
    assert after == before


def test_what_is_missing_stale_or_different_is_found_and_published(either_scene: Scene) -> None:
    scene, connection = either_scene, either_scene.connection
    connection.delete(KEYS.document("cus_00001"))
    connection.zrem(KEYS.by_updated_at, "cus_00001")
    scene.edit("cus_00002", status="edited")
    corrupted = cast("bytes", connection.get(KEYS.document("cus_00003"))).replace(b'"name":', b'"nama":')
    connection.set(KEYS.document("cus_00003"), corrupted)
    connection.zrem(KEYS.by_updated_at, "cus_00004")
    connection.zadd(KEYS.by_updated_at, {"cus_00005": 7, "nobody": 1})
    scene.create("new")

    checked = scene.reconcile(check_only=True)
    assert found(checked) == {"agrees": 55, "missing": 2, "stale": 1, "different": 1, "misindexed": 3}
    assert not checked.agrees
    assert checked.outcomes == Outcomes()
    assert connection.get(KEYS.document("cus_00001")) is None
    assert set(checked.samples[Kind.MISSING]) == {"cus_00001", "new"}
    assert checked.samples[Kind.STALE] == ("cus_00002",)
    assert checked.samples[Kind.DIFFERENT] == ("cus_00003",)
    assert set(checked.samples[Kind.MISINDEXED]) == {"cus_00004", "cus_00005", "nobody"}

    report = scene.reconcile()
    assert found(report) == found(checked)
    assert report.agrees
    assert report.outcomes.applied == 4
    assert scene.agrees()
    assert found(scene.reconcile(check_only=True)) == {"agrees": CUSTOMERS + 1}


def test_what_the_indexes_by_value_lack_or_have_wrongly_is_found_and_mended(either_scene: Scene) -> None:
    scene, connection = either_scene, either_scene.connection
    email, phone = (orjson.loads(cast("bytes", connection.get(KEYS.document("cus_00001"))))[name] for name in FOUND_BY)
    assert connection.zrem(KEYS.by_email, f"{email}\ncus_00001") == 1
    assert connection.zrem(KEYS.by_phone, f"{phone}\ncus_00001") == 1
    connection.zadd(KEYS.by_email, {"an.older@address.example\ncus_00002": 0, "of@nobody.example\nnobody": 0})
    connection.zadd(KEYS.by_phone, {"+1\nnobody": 0, "no entry": 0})
    overwritten = cast("bytes", connection.get(KEYS.document("cus_00003"))).replace(b'"email":"', b'"email":"x')
    connection.set(KEYS.document("cus_00003"), overwritten)
    connection.delete(KEYS.document("cus_00004"))

    checked = scene.reconcile(check_only=True)
    assert found(checked) == {"agrees": 57, "missing": 1, "different": 1, "misindexed": 4}
    assert set(checked.samples[Kind.MISINDEXED]) == {"cus_00001", "cus_00002", "nobody", ""}
    assert connection.zscore(KEYS.by_email, f"{email}\ncus_00001") is None
    assert connection.zscore(KEYS.by_phone, "+1\nnobody") == 0

    report = scene.reconcile()
    assert found(report) == found(checked)
    assert scene.agrees()
    assert found(scene.reconcile(check_only=True)) == {"agrees": CUSTOMERS}


@pytest.mark.parametrize("index", KEYS.by_value)
def test_an_index_that_was_lost_is_built_again(either_scene: Scene, index: str) -> None:
    listed = either_scene.connection.zcard(index)
    either_scene.connection.delete(index)
    checked = either_scene.reconcile(check_only=True)
    assert 0 < checked.counts[Kind.MISINDEXED] == listed
    assert found(either_scene.reconcile()) == found(checked)
    assert either_scene.agrees()


def test_what_an_earlier_release_has_published_since_the_indexes_were_built_is_mended(scene: Scene) -> None:
    scene.create("new", contact={"email": "new@example.com"})
    scene.edit("cus_00001", contact={"email": "newer@example.com", "phone": "+41446681802"})
    scene.delete("cus_00002", hard=False)
    assert Before(scene.connection).publish(scene.states().values()) == Outcomes(
        applied=2, deleted=1, unchanged=CUSTOMERS - 2
    )
    checked = scene.reconcile(check_only=True)
    assert found(checked) == {"agrees": CUSTOMERS - 1, "misindexed": 3}
    scene.reconcile()
    assert scene.agrees()
    assert found(scene.reconcile(check_only=True)) == {"agrees": CUSTOMERS + 1}


def test_changes_that_a_killed_process_left_untold_are_told_by_a_reconciliation(
    either_scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene, connection = either_scene, either_scene.connection
    erased = "cus_00003"
    for name in ("cus_00001", erased):
        scene.edit(name, status="edited")
    scene.delete("cus_00002", hard=False)
    before = len(told(connection))
    with monkeypatch.context() as patch:
        patch.setattr(scene.publisher, "announce", lambda _: None)
        scene.publisher.publish(scene.states().values())
    Ledger(scene.landing.notes).enter(erased, by="officer@desk")
    scene.reconcile(check_only=True)
    is_cluster = isinstance(connection, redis.RedisCluster)
    assert len(told(connection)) - before == (0 if is_cluster else 3)

    assert found(scene.reconcile()) == {"agrees": CUSTOMERS - 1}

    new = {(one.id, one.kind) for one in told(connection)[before:]}
    assert new == {("cus_00001", "changed"), ("cus_00002", "deleted")} | (
        set() if is_cluster else {(erased, "changed")}
    )
    assert connection.exists(KEYS.unannounced("cus_00001")) == 0
    assert connection.exists(KEYS.unannounced(erased)) == int(is_cluster)


def test_a_customer_whose_address_changes_during_the_sweep_is_no_difference(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    false_entries = stored.false_entries

    def meanwhile(connection: Connection, entries: Sequence[Entry], *, index: str, keys: CacheKeys) -> list[Entry]:
        scene.edit("cus_00001", contact={"email": f"at.{index.partition(':')[2]}@example.com"})
        scene.publisher.publish(scene.states().values())
        return false_entries(connection, entries, index=index, keys=keys)

    monkeypatch.setattr(stored, "false_entries", meanwhile)
    assert found(scene.reconcile()) == {"agrees": CUSTOMERS}
    assert scene.agrees()


def test_a_newer_state_in_the_cache_agrees_and_stays(scene: Scene) -> None:
    def a_live_window_is_faster() -> None:
        scene.edit("cus_00001", status="edited meanwhile")
        scene.delete("cus_00002", hard=False)
        scene.publisher.publish(scene.states().values())

    scene.meanwhile = a_live_window_is_faster
    report = scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS, "ahead": 2}, "the two were compared once more when they had changed"
    assert report.differences == 0
    assert scene.agrees()


def test_what_is_too_young_for_the_published_windows_is_no_difference_but_published(scene: Scene) -> None:
    due = timestamps.now()
    scene.edit("cus_00001", status="young")
    scene.create("young")
    assert found(scene.reconcile(due=due, check_only=True)) == {"agrees": CUSTOMERS - 1, "awaited": 2}
    assert scene.reconcile(due=due).differences == 0
    assert scene.agrees()


@pytest.mark.parametrize("stated_as", ["tombstone", "event", "nothing"])
def test_deletions_are_found_however_they_are_stated(
    provider: RunningSandbox, either: Connection, tmp_path: Path, stated_as: str
) -> None:
    event = {"deleted": {"path": "event", "values": ["customer.deleted"]}}
    scene = Scene(provider, either, tmp_path, profile=profile_of(**event if stated_as == "event" else {}))
    scene.reconcile()
    for name in ("cus_00001", "cus_00002", "cus_00003"):
        scene.delete(name, hard=stated_as != "tombstone")
        if stated_as == "event":
            scene.create(name, event="customer.deleted")
    checked = scene.reconcile(check_only=True)
    assert found(checked) == {"agrees": CUSTOMERS - 3, "extra" if stated_as == "nothing" else "stale": 3}
    report = scene.reconcile()
    assert report.outcomes == Outcomes(deleted=3)
    assert scene.agrees()
    assert len(scene.cached()) == CUSTOMERS - 3
    assert scene.tombstone("cus_00001")
    again = scene.reconcile(check_only=True)
    assert found(again) == {"agrees": CUSTOMERS - 3 * (stated_as == "nothing")}


def test_a_deletion_that_the_provider_states_is_remembered_although_nobody_had_the_customer(scene: Scene) -> None:
    scene.create("gone", deleted=True)
    report = scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS + 1}
    assert report.outcomes == Outcomes(deleted=1)
    assert scene.tombstone("gone")
    assert scene.reconcile().outcomes == Outcomes()


def test_an_erased_customer_who_is_still_in_the_cache_is_left_to_the_erasure_and_not_shown(each_scene: Scene) -> None:
    scene, erased = each_scene, ["cus_00001", "cus_00002"]
    for name in erased:
        Ledger(scene.landing.notes).enter(name, by="officer@desk")
    document = scene.connection.get(KEYS.document("cus_00001"))
    scene.connection.delete(KEYS.document("cus_00002"))
    scene.connection.zadd(KEYS.by_email, {"false@example.com\ncus_00001": 0})

    report = scene.reconcile()

    assert found(report) == {"agrees": CUSTOMERS - 2}
    assert [ids for ids in report.samples.values() if ids] == []
    assert report.outcomes == Outcomes()
    assert scene.connection.get(KEYS.document("cus_00001")) == document


def test_an_inferred_deletion_has_the_stored_version_and_the_time_of_the_observation(each_scene: Scene) -> None:
    scene = each_scene
    stored = cast("bytes", scene.connection.get(KEYS.document("cus_00001"))).decode()[12:39]
    scene.delete("cus_00001", hard=True)
    before = timestamps.format_instant(timestamps.now())
    report = scene.reconcile()
    after = timestamps.format_instant(timestamps.now())
    assert found(report) == {"agrees": CUSTOMERS - 1, "extra": 1}
    assert report.samples[Kind.EXTRA] == ("cus_00001",)
    updated_at, observed_at = scene.tombstone("cus_00001").split("/")
    assert updated_at == stored
    assert before <= observed_at <= after
    assert scene.walks == (1 if scene.profile.lookup else 2)
    assert scene.agrees()


def test_a_customer_that_the_provider_shows_again_comes_back(each_scene: Scene) -> None:
    each_scene.delete("cus_00001", hard=True)
    each_scene.reconcile()
    each_scene.create("cus_00001")
    assert found(each_scene.reconcile())["missing"] == 1
    assert each_scene.agrees()


def test_only_what_is_checked_deletes_nobody(each_scene: Scene) -> None:
    each_scene.delete("cus_00001", hard=True)
    report = each_scene.reconcile(check_only=True)
    assert found(report)["extra"] == 1
    assert not report.agrees
    assert len(each_scene.cached()) == CUSTOMERS


def test_a_customer_whose_record_became_unusable_is_at_the_provider_and_stays(each_scene: Scene) -> None:
    each_scene.delete("cus_00001", hard=True)
    each_scene.sandbox.control(
        "POST", "/customers", params={"updated_at": "2026-11-01T00:00:00Z"}, json={"id": "cus_00001", "updated_at": "?"}
    )
    report = each_scene.reconcile()
    assert found(report) == {"agrees": CUSTOMERS - 1}
    assert report.quarantined == 1
    assert len(each_scene.cached()) == CUSTOMERS


@pytest.mark.parametrize("fault", ["half_200", "empty_200"])
def test_a_provider_that_answers_with_half_or_none_of_its_customers_empties_nothing(
    each_scene: Scene, fault: str
) -> None:
    each_scene.sandbox.fault(fault)
    for check_only in (True, False):
        with pytest.raises(TooManyExtras) as raised:
            each_scene.reconcile(check_only=check_only)
        assert not raised.value.transient
        assert "customers in the cache are not at the provider" in raised.value.reason
        assert (raised.value.extra, raised.value.allowed) == (30 if fault == "half_200" else 60, 20)
        assert len(each_scene.cached()) == CUSTOMERS
    assert each_scene.walks == 2


def test_a_small_cache_is_not_emptied_by_a_provider_that_answers_with_none_either(
    connection: Connection, tmp_path: Path
) -> None:
    with RunningSandbox(Settings(customers=8, changes_per_minute=0)) as provider:
        scene = Scene(provider, connection, tmp_path, profile=NO_LOOKUP)
        scene.reconcile()
        provider.fault("empty_200")
        with pytest.raises(TooManyExtras, match="8 of 8"):
            scene.reconcile()
        provider.clear()
        for number in range(1, 5):
            scene.delete(f"cus_0000{number}", hard=True)
        assert scene.reconcile().outcomes == Outcomes(deleted=4)
        assert scene.agrees()


def test_a_provider_that_shows_every_other_customer_is_asked_for_the_others_one_by_one(scene: Scene) -> None:
    scene.sandbox.fault("half_200")
    report = scene.reconcile(max_deleted_share=0.5)
    assert found(report) == {"agrees": CUSTOMERS, "missed_by_walk": 30}
    assert report.agrees
    assert len(report.samples[Kind.MISSED_BY_WALK]) == 20
    assert len(scene.cached()) == CUSTOMERS


def test_a_provider_that_pages_twice_over_the_same_customers_is_an_error(
    connection: Connection, provider: RunningSandbox, tmp_path: Path
) -> None:
    pagination = {"style": "page_number", "page_param": "page", "size_param": "per_page", "size": 20}
    scene = Scene(provider, connection, tmp_path, profile=profile_of(pagination=pagination))
    scene.reconcile()
    provider.fault("page_repeats")
    with pytest.raises(ProviderMisbehaved, match="page that it has returned before"):
        scene.reconcile()
    assert len(scene.cached()) == CUSTOMERS


def test_a_person_may_let_more_customers_go(each_scene: Scene) -> None:
    for number in range(1, 31):
        each_scene.delete(f"cus_{number:05}", hard=True)
    with pytest.raises(TooManyExtras, match=r"30 of 60 .* found 30; at most 20"):
        each_scene.reconcile()
    report = each_scene.reconcile(max_deleted_share=0.6)
    assert report.outcomes == Outcomes(deleted=30)
    assert len(report.samples[Kind.EXTRA]) == 20
    assert each_scene.agrees()


def test_a_lookup_that_finds_nobody_is_not_believed(
    connection: Connection, provider: RunningSandbox, tmp_path: Path
) -> None:
    misspelt = profile_of(lookup={"path": "/bearer/page_number/customer/{id}"})
    scene = Scene(provider, connection, tmp_path, profile=misspelt)
    scene.reconcile()
    scene.delete("cus_00001", hard=True)
    with pytest.raises(LookupNotTrusted, match="just shown"):
        scene.reconcile()
    assert len(scene.cached()) == CUSTOMERS


@pytest.mark.parametrize("name", [".", ".."])
def test_a_customer_who_cannot_be_looked_up_stays_and_hinders_nobody_elses_deletion(scene: Scene, name: str) -> None:
    document = orjson.loads(cast("bytes", scene.connection.get(KEYS.document("cus_00003"))))
    version = "2026-11-01T00:00:00.000000Z/2026-11-01T00:00:00.000000Z"
    scene.connection.set(KEYS.document(name), orjson.dumps({**document, "id": name, "version": version}))
    scene.connection.zadd(KEYS.by_updated_at, {name: 1})
    scene.delete("cus_00001", hard=True)

    report = scene.reconcile()

    assert found(report) == {"agrees": CUSTOMERS - 1, "extra": 1, "not_looked_up": 1}
    assert report.samples[Kind.NOT_LOOKED_UP] == (name,)
    assert report.outcomes == Outcomes(deleted=1)
    assert "cannot be looked up" in report.said
    assert scene.connection.exists(KEYS.document(name))


def test_a_provider_that_fails_between_walk_and_lookup_deletes_nobody(scene: Scene) -> None:
    scene.delete("cus_00001", hard=True)
    scene.delete("cus_00002", hard=True)
    scene.meanwhile = lambda: scene.sandbox.fault("error_503", after=2)
    with pytest.raises(ProviderUnavailable) as raised:
        scene.reconcile()
    assert "cus_" not in str(raised.value)
    assert len(scene.cached()) == CUSTOMERS


def test_a_customer_that_is_created_or_edited_during_the_walk_is_never_deleted(each_scene: Scene) -> None:
    """Created: a live window was faster than the walk. Edited: it moved behind the walk's end before it was read."""
    scene = each_scene

    def changed() -> None:
        if scene.walks == 1:
            scene.create("created")
            scene.publisher.publish([scene.states()["created"]])
        scene.edit("cus_00001", status=f"edited in walk {scene.walks}")

    scene.before = changed
    scene.delete("cus_00002", hard=True)
    report = scene.reconcile()
    assert found(report)["extra"] == 1
    assert scene.agrees()
    assert {"created", "cus_00001"} <= set(scene.cached())


class Overtaken(Publisher):
    """Lets somebody else publish first, once there is a deletion."""

    def __init__(self, connection: Connection, others: Iterable[State]) -> None:
        super().__init__(connection, keys=KEYS)
        self.faster = Publisher(connection, keys=KEYS)
        self.others = others

    def publish(self, states: Iterable[State]) -> Outcomes:
        states = list(states)
        if any(state.document is None for state in states):
            self.faster.publish(self.others)
        return super().publish(states)


def test_a_live_publication_wins_over_the_inferred_deletion_if_it_is_newer(each_scene: Scene) -> None:
    scene = each_scene
    scene.delete("cus_00001", hard=True)
    scene.delete("cus_00002", hard=True)

    def recreated() -> Iterator[State]:
        scene.create("cus_00001")
        yield scene.states()["cus_00001"]

    report = scene.reconcile(publisher=Overtaken(scene.connection, recreated()))
    assert found(report)["extra"] == 2
    assert report.outcomes == Outcomes(deleted=1, stale=1)
    assert scene.agrees()
    assert len(scene.cached()) == CUSTOMERS - 1


def test_a_live_publication_after_the_inferred_deletion_wins_if_it_is_newer(each_scene: Scene) -> None:
    older = each_scene.states(timestamps.now() - timedelta(minutes=1))["cus_00001"]
    each_scene.delete("cus_00001", hard=True)
    each_scene.reconcile()
    assert each_scene.publisher.publish([older]) == Outcomes(stale=1)
    each_scene.create("cus_00001")
    assert each_scene.publisher.publish([each_scene.states()["cus_00001"]]) == Outcomes(applied=1)
    assert each_scene.agrees()


def test_whom_the_guard_does_not_answer_for_is_an_error(scene: Scene) -> None:
    class Forgetful(Publisher):
        def publish(self, states: Iterable[State]) -> Outcomes:
            return super().publish(list(states)[1:])

    scene.create("new")
    with pytest.raises(publication.PublicationIncomplete, match="1 customers were sent and 0 answered"):
        scene.reconcile(publisher=Forgetful(scene.connection, keys=KEYS))


def test_an_empty_cache_is_filled(provider: RunningSandbox, valkey: ValkeyServer, tmp_path: Path) -> None:
    scene = Scene(provider, connect(valkey.url), tmp_path)
    provider.control("DELETE", "/customers/cus_00001")
    report = scene.reconcile()
    assert found(report) == {"missing": CUSTOMERS - 1, "agrees": 1}
    assert report.outcomes == Outcomes(applied=CUSTOMERS - 1, deleted=1)
    assert scene.agrees()
