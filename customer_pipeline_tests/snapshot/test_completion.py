"""The load as a whole, from a real sandbox into a real Valkey: interrupted, or with the cache lost meanwhile."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from customer_pipeline.cache.connection import connect
from customer_pipeline.cache.coverage import Coverage
from customer_pipeline.cache.keys import CacheKeys
from customer_pipeline.cache.loads import Loads
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.erasure.erase import Erasure, Stores
from customer_pipeline.erasure.ledger import Ledger
from customer_pipeline.landing.errors import LandingError
from customer_pipeline.landing.naming import BEGINNING, COMPLETION
from customer_pipeline.landing.store import LandingStore
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderError, ProviderMisbehaved
from customer_pipeline.provider.profile import Profile, load_profile
from customer_pipeline.snapshot import loading
from customer_pipeline.snapshot.completion import CacheLoader
from customer_pipeline.snapshot.errors import LoadRefused
from customer_pipeline.snapshot.loading import Loaded, Progress, whole_of
from customer_pipeline.snapshot.walking import walk_parts
from customer_pipeline.steps import datasets, ingestion, normalization, publication
from customer_pipeline.timestamps import format_instant, now, parse_instant
from customer_pipeline.windows import Window, floor
from customer_pipeline_tests.landing.damage import damage_a_page, path_of
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

KEYS = CacheKeys()


class Deployment:
    """What a load needs, all of it real."""

    def __init__(self, folder: Path, sandbox: SandboxServer, valkey: ValkeyServer) -> None:
        self.sandbox, self.valkey = sandbox, valkey
        self.landing = LandingStore(folder.as_uri())
        self.connection = connect(valkey.url)
        self.start = floor(now()) - timedelta(hours=3)
        self.coverage = Coverage(self.connection, keys=KEYS, start=self.start)
        self.loads = Loads(self.connection, keys=KEYS)
        self.publisher = Publisher(self.connection, keys=KEYS)
        content = load_profile("sandbox").model_dump()
        content |= {"retry": {"attempts": 1}, "lookback": timedelta(minutes=1)}
        content["pagination"] |= {"size": 50}
        self.profile = Profile.model_validate(content)

    def client(self) -> ProviderClient:
        environment = {"SANDBOX_URL": self.sandbox.url, "SANDBOX_TOKEN": SandboxServer.TOKEN}
        return ProviderClient(self.profile, environment)

    def loader(self, said: Callable[[Progress], object] = lambda _: None) -> CacheLoader:
        return CacheLoader(
            landing=self.landing,
            publisher=self.publisher,
            coverage=self.coverage,
            loads=self.loads,
            start=self.start,
            said=said,
        )

    def load(self, said: Callable[[Progress], object] = lambda _: None, *, clients: int = 2) -> Loaded:
        opened = [self.client() for _ in range(clients)]
        try:
            return self.loader(said).from_provider(opened, accept=lambda _: None)
        finally:
            for each in opened:
                each.close()

    def whole(self, at: datetime) -> Window:
        with self.client() as client:
            return whole_of(client, landing=self.landing, now=at)

    def ids(self) -> set[str]:
        with self.valkey.client() as client:
            keys = [key.decode() for key in client.scan_iter("customer:{*}", count=10_000)]
        return {key.removeprefix("customer:{").removesuffix("}") for key in keys if key.endswith("}")}

    def known(self, *, until: datetime | None) -> int:
        """Return how many customers the provider has, deleted ones too, that were updated before an instant."""
        assert until is not None
        return sum(parse_instant(line["updated_at"]) < until for line in self.sandbox.truth().values())

    def living(self, *, until: datetime) -> set[str]:
        """Return who lives at the provider, as far as it was updated before an instant."""
        truth = self.sandbox.truth().values()
        return {line["id"] for line in truth if parse_instant(line["updated_at"]) < until and not line["deleted"]}


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "walk_parts", partial(walk_parts, most_rows=100))


@pytest.fixture
def deployment(tmp_path: Path, sandbox: SandboxServer, valkey: ValkeyServer) -> Deployment:
    return Deployment(tmp_path, sandbox, valkey)


def test_the_whole_provider_is_in_the_cache_and_windows_go_on_from_there(deployment: Deployment) -> None:
    lines: list[Progress] = []

    loaded = deployment.load(lines.append)

    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)
    assert len(deployment.ids()) > 400
    assert loaded.parts == len(lines) > 4
    assert lines[-1].customers == loaded.normalized == loaded.outcomes.total
    assert deployment.coverage.read() == [Window(deployment.start, floor(loaded.as_of))]
    load = deployment.loads.read()
    assert (load.complete_until, load.source, load.under_way) == (loaded.as_of, "provider", None)
    assert deployment.landing.snapshot(loaded.as_of).landed(COMPLETION)


class Killed(BaseException):
    """The end of a process."""


@pytest.mark.parametrize("after", [1, 2, 4])
def test_an_interrupted_load_goes_on_where_it_stopped(deployment: Deployment, after: int) -> None:
    def kill(progress: Progress) -> None:
        if progress.parts == after:
            raise Killed

    with pytest.raises(Killed):
        deployment.load(kill)
    assert deployment.loads.read().as_of is None
    assert deployment.coverage.read() == []

    loaded = deployment.load()

    assert loaded.resumed >= after
    assert loaded.resumed < loaded.parts
    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)


def test_a_load_that_the_provider_cuts_off_goes_on_where_it_stopped(deployment: Deployment) -> None:
    def fail(progress: Progress) -> None:
        if progress.parts == 2:
            deployment.sandbox.control("POST", "faults/error_503")

    with pytest.raises(ProviderError):
        deployment.load(fail, clients=1)
    deployment.sandbox.control("DELETE", "faults")

    loaded = deployment.load()

    assert loaded.resumed >= 2
    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)


def interrupted(deployment: Deployment, *, after: int = 3) -> tuple[LandingStore, Window]:
    """Load until some parts are published; return where they are, and the one that was published last."""
    newest: list[Window] = []

    def kill(progress: Progress) -> None:
        newest.append(progress.newest)
        if progress.parts == after:
            raise Killed

    with pytest.raises(Killed):
        deployment.load(kill)
    (as_of,) = deployment.landing.snapshots()
    return deployment.landing.snapshot(as_of), newest[-1]


def test_a_part_whose_rows_are_damaged_costs_one_more_try_and_is_read_again_alone(deployment: Deployment) -> None:
    store, part = interrupted(deployment)
    damage_a_page(store, datasets.RAW_CUSTOMERS, part, column="record")
    known = len(store.landed(datasets.RAW_CUSTOMERS))

    with pytest.raises(LandingError, match="damaged, so it was removed") as caught:
        deployment.load()
    assert caught.value.transient
    assert part not in store.landed(datasets.RAW_CUSTOMERS)
    loaded = deployment.load()

    assert loaded.resumed == known - 1
    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)


@pytest.mark.parametrize("dataset", [datasets.CUSTOMERS, datasets.QUARANTINED_CUSTOMERS])
def test_what_was_made_from_a_part_is_made_again_when_it_is_damaged(deployment: Deployment, dataset: str) -> None:
    store, part = interrupted(deployment)
    if dataset == datasets.CUSTOMERS:
        damage_a_page(store, dataset, part, column="name")
    else:
        path_of(store, dataset, part).write_bytes(b"damaged")
    known = len(store.landed(datasets.RAW_CUSTOMERS))

    loaded = deployment.load()

    assert loaded.resumed == known
    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)
    for each in datasets.LANDED:
        assert sum(batch.num_rows for batch in store.read(each, part)) == store.require(each, part).rows


def test_a_cache_that_is_lost_beside_a_damaged_part_costs_one_more_try(deployment: Deployment) -> None:
    def harm(progress: Progress) -> None:
        if progress.parts == 3:
            with deployment.valkey.client() as client:
                client.flushall()
            (as_of,) = deployment.landing.snapshots()
            damage_a_page(deployment.landing.snapshot(as_of), datasets.CUSTOMERS, progress.newest, column="name")

    with pytest.raises(LandingError, match="damaged, so it was removed") as caught:
        deployment.load(harm)
    assert caught.value.transient
    loaded = deployment.load()

    assert loaded.resumed == loaded.parts
    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)


@pytest.mark.parametrize("note", [BEGINNING, COMPLETION])
def test_a_damaged_note_about_a_load_hinders_no_other(deployment: Deployment, note: str) -> None:
    if note == BEGINNING:
        store, _ = interrupted(deployment)
    else:
        loaded = deployment.load()
        assert loaded.as_of is not None
        store = deployment.landing.snapshot(loaded.as_of)
    (whole,) = store.landed(note)
    path_of(store, note, whole).write_bytes(b"damaged")

    assert deployment.load().resumed == 0


def test_the_parts_of_a_reconciliation_are_taken_for_no_load(deployment: Deployment) -> None:
    loaded = deployment.load()
    walked = Window(deployment.profile.snapshot.earliest, now() - deployment.profile.lookback)
    with deployment.client() as client:
        next(walk_parts(walked, clients=[client], landing=deployment.landing.snapshot(walked.end), most_rows=100))
    assert deployment.landing.snapshots() == [loaded.as_of, walked.end]

    again = deployment.loader().from_landing(deployment.profile, fit=lambda _: True)

    assert (again.parts, again.as_of) == (loaded.parts, loaded.as_of)
    assert deployment.whole(now()).end > walked.end


def test_what_is_damaged_is_left_out_of_what_is_loaded_from_landing(deployment: Deployment) -> None:
    loaded = deployment.load()
    assert loaded.as_of is not None
    store = deployment.landing.snapshot(loaded.as_of)
    part = max(store.landed(datasets.RAW_CUSTOMERS), key=lambda one: store.require(datasets.RAW_CUSTOMERS, one).rows)
    damage_a_page(store, datasets.RAW_CUSTOMERS, part, column="record")
    with deployment.valkey.client() as client:
        client.flushall()

    again = deployment.loader().from_landing(deployment.profile, fit=lambda _: True)

    assert (again.as_of, again.parts) == (None, loaded.parts - 1)
    assert deployment.ids()
    assert deployment.loads.read().as_of is None
    assert deployment.coverage.read() == []


def test_a_walk_by_another_profile_is_not_gone_on_with(deployment: Deployment) -> None:
    def kill(_: Progress) -> None:
        raise Killed

    with pytest.raises(Killed):
        deployment.load(kill)
    deployment.profile = deployment.profile.model_copy(update={"phone_region": "DE"})

    assert deployment.load().resumed == 0


def test_a_walk_of_another_provider_is_not_gone_on_with(deployment: Deployment, tmp_path: Path) -> None:
    interrupted(deployment)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with SandboxServer(elsewhere, "--customers", "400", "--changes-per-minute", "0", "--seed", "9") as other:
        deployment.sandbox = other

        assert deployment.load().resumed == 0


@pytest.mark.parametrize("fault", ["half_200", "empty_200"])
def test_what_was_not_believed_is_not_gone_on_with(deployment: Deployment, fault: str) -> None:
    deployment.load()
    with deployment.valkey.client() as client:
        client.flushall()
    deployment.sandbox.control("POST", f"faults/{fault}")
    with pytest.raises(LoadRefused):
        deployment.load()
    deployment.sandbox.control("DELETE", "faults")

    loaded = deployment.load()

    assert loaded.as_of is not None
    assert (loaded.resumed, loaded.customers) == (0, deployment.known(until=loaded.as_of))
    assert deployment.ids() == deployment.living(until=loaded.as_of)


def test_a_provider_that_pages_twice_over_the_same_customers_loads_nothing_and_loses_nobody(
    deployment: Deployment,
) -> None:
    deployment.load()
    before = deployment.ids()
    content = deployment.profile.model_dump()
    del content["pagination"]["order"]
    deployment.profile = Profile.model_validate(content)
    deployment.sandbox.control("POST", "faults/page_repeats")
    with pytest.raises(ProviderMisbehaved, match="a page that it has returned before"):
        deployment.load()
    deployment.sandbox.control("DELETE", "faults")

    assert deployment.ids() == before
    loaded = deployment.load()
    assert loaded.customers == deployment.known(until=loaded.as_of)


def add_an_old_one(deployment: Deployment, part: Window, _: Path) -> str:
    """Let the provider have one more customer who was updated in a part that has landed."""
    at = format_instant(part.start + (part.end - part.start) / 2)
    deployment.sandbox.control("POST", "customers", body={"id": "backdated"}, updated_at=at)
    return "backdated"


def erase_one(deployment: Deployment, part: Window, folder: Path) -> str:
    """Erase a customer of a part that has landed."""
    (as_of,) = deployment.landing.snapshots()
    store = deployment.landing.snapshot(as_of)
    victim = str(next(store.read(datasets.CUSTOMERS, part, columns=["id"]))["id"][0])
    stores = Stores(
        landing_uri=folder.as_uri(), connection=deployment.connection, keys=KEYS, mapping=deployment.profile
    )
    hash_ = stores.ledger.enter(victim, by="me")
    Erasure(stores, hash_, customer_id=victim).run(under_way=set, wait=lambda _: None, by="me")
    return victim


@pytest.mark.parametrize("change", [add_an_old_one, erase_one])
def test_what_has_changed_behind_an_interrupted_walk_costs_one_more_try(
    deployment: Deployment, change: Callable[[Deployment, Window, Path], str], tmp_path: Path
) -> None:
    _, part = interrupted(deployment)
    changed = change(deployment, part, tmp_path)
    try:
        with pytest.raises(ProviderMisbehaved, match="the next try walks them all anew"):
            deployment.load()

        loaded = deployment.load()

        assert loaded.resumed == 0
        assert loaded.as_of is not None
        assert (changed in deployment.ids()) == (change is add_an_old_one)
        assert deployment.ids() | {changed} == deployment.living(until=loaded.as_of) | {changed}
    finally:
        if change is add_an_old_one:
            deployment.sandbox.control("DELETE", f"customers/{changed}", hard="1")


def test_customers_that_pages_repeat_are_counted_once(deployment: Deployment) -> None:
    for size in (190, 20):
        content = deployment.profile.model_dump()
        content["pagination"] |= {"size": size}
        deployment.profile = Profile.model_validate(content)

        loaded = deployment.load()

        assert loaded.customers == deployment.known(until=loaded.as_of)


def test_a_walk_that_stopped_long_ago_is_begun_anew(deployment: Deployment) -> None:
    def kill(_: Progress) -> None:
        raise Killed

    with pytest.raises(Killed):
        deployment.load(kill)
    (as_of,) = deployment.landing.snapshots()

    soon = deployment.whole(as_of + timedelta(hours=23))
    late = deployment.whole(as_of + timedelta(hours=25))

    assert soon.end == as_of
    assert late.end == as_of + timedelta(hours=25) - deployment.profile.lookback


def test_a_cache_that_is_lost_in_the_middle_gets_everything_again(deployment: Deployment) -> None:
    def flush(progress: Progress) -> None:
        if progress.parts == 3:
            with deployment.valkey.client() as client:
                client.flushall()

    loaded = deployment.load(flush)

    assert loaded.as_of is not None
    assert deployment.ids() == deployment.living(until=loaded.as_of)
    assert deployment.loads.read().complete_until == loaded.as_of


def test_what_is_not_to_be_believed_is_no_load(deployment: Deployment) -> None:
    def refuse(_: Loaded) -> None:
        raise ValueError("too many are quarantined")

    with deployment.client() as client, pytest.raises(ValueError, match="too many"):
        deployment.loader().from_provider([client], accept=refuse)

    assert deployment.loads.read().as_of is None
    assert deployment.coverage.read() == []


def test_a_provider_that_states_more_than_it_gives_is_refused(
    deployment: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading.RecordsSeen, "count", 1)

    with pytest.raises(ProviderMisbehaved, match="1 records were found, and the provider states"):
        deployment.load()

    assert deployment.loads.read().as_of is None


def test_a_newer_state_that_a_window_published_meanwhile_stays(deployment: Deployment) -> None:
    edited = min(deployment.living(until=now()))

    def publish_a_window(progress: Progress) -> None:
        if progress.parts != 1:
            return
        window = Window(floor(now()) - timedelta(minutes=10), floor(now()))
        at = format_instant(window.end - timedelta(seconds=1))
        deployment.sandbox.control("PUT", f"customers/{edited}", body={"company": {"name": "Newer"}}, updated_at=at)
        with deployment.client() as client:
            ingestion.ingest(window, client=client, landing=deployment.landing)
        normalization.normalize(window, profile=deployment.profile, landing=deployment.landing)
        publication.publish_landed(window, landing=deployment.landing, publisher=deployment.publisher)

    deployment.load(publish_a_window)

    with deployment.valkey.client() as client:
        document: dict[str, Any] = json.loads(client.get(KEYS.document(edited)) or b"{}")
    assert document["company"] == "Newer"


def test_what_has_landed_is_loaded_without_asking_the_provider(deployment: Deployment) -> None:
    loaded = deployment.load()
    assert loaded.as_of is not None
    before = deployment.ids()
    with deployment.valkey.client() as client:
        client.flushall()
    deployment.sandbox.control("POST", "faults/down")

    again = deployment.loader().from_landing(deployment.profile, fit=lambda _: True)

    assert deployment.ids() == before
    assert again.as_of == loaded.as_of
    assert deployment.coverage.read() == [Window(deployment.start, floor(loaded.as_of))]
    load = deployment.loads.read()
    assert (load.complete_until, load.source) == (loaded.as_of, "landing")
    assert load.replayed_at


def test_without_a_whole_snapshot_what_has_landed_does_not_count_as_a_load(deployment: Deployment) -> None:
    def kill(progress: Progress) -> None:
        if progress.parts == 2:
            raise Killed

    with pytest.raises(Killed):
        deployment.load(kill)
    with deployment.valkey.client() as client:
        client.flushall()

    loaded = deployment.loader().from_landing(deployment.profile, fit=lambda _: True)

    assert loaded.as_of is None
    assert deployment.ids()
    load = deployment.loads.read()
    assert load.as_of is None
    assert load.replayed_at
    assert deployment.coverage.read() == []


def test_an_erased_customer_is_not_loaded_and_the_rest_counts_as_everything(deployment: Deployment) -> None:
    erased = min(deployment.living(until=now() - timedelta(minutes=5)))
    Ledger(deployment.landing.notes).enter(erased, by="me")

    loaded = deployment.load()

    assert loaded.as_of is not None
    assert loaded.suppressed >= 1
    assert deployment.ids() == deployment.living(until=loaded.as_of) - {erased}
    store = deployment.landing.snapshot(loaded.as_of)
    landed = {
        id_
        for part in store.landed(datasets.RAW_CUSTOMERS)
        for batch in store.read(datasets.RAW_CUSTOMERS, part, columns=["id"])
        for id_ in batch["id"].to_pylist()
    }
    assert erased not in landed


@pytest.mark.parametrize("sent", [{}, {"digits": 0}, {"format": "%Y-%m-%dT%H:%M"}])
def test_an_edit_behind_the_end_of_the_walk_is_no_reason_to_refuse_it(
    deployment: Deployment, sent: dict[str, object]
) -> None:
    """The provider states it among those that it has, when it is not told the end, or only roughly."""
    content = deployment.profile.model_dump()
    content["list"]["datetimes"] |= sent
    if not sent:
        del content["list"]["query"]["updated_to"]
    deployment.profile = Profile.model_validate(content)
    edited = max(deployment.living(until=now() - timedelta(minutes=5)))
    at = now() - deployment.profile.lookback + timedelta(seconds=1)
    deployment.sandbox.control("PUT", f"customers/{edited}", body={}, updated_at=format_instant(at))

    loaded = deployment.load()

    assert loaded.as_of is not None
    assert deployment.living(until=loaded.as_of) - deployment.ids() == set()
