"""A preview and then what it previewed, on a real cache; the counts are the same and the first leaves no trace."""

from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from customer_pipeline import preview, timestamps
from customer_pipeline.cache.errors import CacheRejected
from customer_pipeline.erasure.ledger import Ledger
from customer_pipeline.landing.errors import NotLanded
from customer_pipeline.preview.report import Change, Report
from customer_pipeline.provider.errors import ProviderUnavailable
from customer_pipeline.provider.profile import load_profile
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor, split
from customer_pipeline_tests.cache.conftest import ValkeyCluster
from customer_pipeline_tests.preview.conftest import FIRST, PROFILE, WINDOWS, House, make_house
from customer_pipeline_tests.servers import SandboxServer, ValkeyServer

EMAIL = "ada@example.com"


def at(seconds: float) -> str:
    return timestamps.format_instant(FIRST.start + timedelta(seconds=seconds))


def record(customer: str, second: int, **members: object) -> dict[str, object]:
    return {"id": customer, "at": at(second), **members}


records = st.builds(
    lambda name, second, status, gone: record(name, second, status=status, gone=gone),
    st.sampled_from("abcdef"),
    st.integers(0, 4),
    st.sampled_from(["x", "y"]),
    st.booleans(),
)
landings = st.tuples(st.sampled_from(WINDOWS), st.lists(records, max_size=8), st.integers(0, 3))


@given(earlier=st.lists(landings, max_size=3), later=st.lists(landings, max_size=3), corrected=st.booleans())
@settings(max_examples=25)
def test_a_preview_says_what_the_publication_does_and_leaves_no_trace(
    valkey_server: ValkeyServer,
    earlier: list[tuple[Any, list[object], int]],
    later: list[tuple[Any, list[object], int]],
    corrected: bool,  # noqa: FBT001 -- drawn
) -> None:
    with valkey_server.client() as client, TemporaryDirectory() as folder:
        client.flushall()
        house = make_house(Path(folder), valkey_server.url)
        for window in WINDOWS:
            house.land(window, [])
        for window, landed, fetched in earlier:
            house.land(window, landed, fetched=fetched)
            house.publish([window])
        for window, landed, fetched in later:
            house.land(window, landed, fetched=fetched)
        if corrected:
            fields = PROFILE.fields.model_copy(update={"status": "other"})
            house = house.with_profile(PROFILE.model_copy(update={"fields": fields}))
        before, documents = house.bytes(), house.documents()

        report = house.preview(WINDOWS, sample=100)

        assert house.bytes() == before
        assert [each.outcomes for each in report.windows] == house.publish(WINDOWS)
        assert [each.window for each in report.windows] == WINDOWS
        differ = changes(documents, house.documents())
        assert {one.id: one.change for one in report.sample} == differ
        assert len(differ) <= report.changed <= report.customers


def changes(before: dict[str, Any], after: dict[str, Any]) -> dict[str, Change]:
    found = {}
    for name in {**before, **after}:
        if before.get(name) != after.get(name):
            only_one = Change.ADDED if name not in before else Change.REMOVED
            found[name] = Change.CHANGED if name in before and name in after else only_one
    return found


def test_a_preview_of_the_provider_says_what_the_backfill_does(
    tmp_path: Path, valkey: ValkeyServer, sandbox: SandboxServer
) -> None:
    end = floor(timestamps.now())
    windows = list(split(end - 36 * WINDOW_LENGTH, end))
    house = make_house(
        tmp_path,
        valkey.url,
        profile=load_profile("sandbox"),
        SANDBOX_URL=sandbox.url,
        SANDBOX_TOKEN=SandboxServer.TOKEN,
    )
    house.ingest(windows[:24])
    house.publish(windows[:24])
    edited = timestamps.format_instant(windows[24].start + timedelta(minutes=3))
    first, second, *_ = [
        name
        for name, customer in sandbox.truth().items()
        if not customer["deleted"]
        and windows[0].start <= datetime.fromisoformat(str(customer["updated_at"])) < windows[22].end
    ]
    sandbox.control("PUT", f"customers/{first}", body={"status": "blocked", "updated_at": edited})
    sandbox.control("PUT", f"customers/{second}", body={"deleted": True, "updated_at": edited})
    before = house.bytes()

    report = house.preview(windows, replay=False, sample=1000)

    assert house.bytes() == before
    house.ingest(windows)
    assert [each.outcomes for each in report.windows] == house.publish(windows)
    assert report.outcomes.deleted >= 1
    assert report.outcomes.unchanged > 0
    kinds = {one.id: one.change for one in report.sample}
    assert kinds[first] is Change.CHANGED
    assert kinds[second] is Change.REMOVED
    assert "status" in {each.field for one in report.sample if one.id == first for each in one.fields}


def test_the_cache_may_be_a_cluster(tmp_path: Path, valkey_cluster: ValkeyCluster) -> None:
    house = make_house(tmp_path, valkey_cluster.url)
    house.land(WINDOWS[0], [record(f"c{number}", 1, status="x") for number in range(300)])
    house.publish(WINDOWS[:1])
    house.land(WINDOWS[1], [record(f"c{number}", 1 + number % 2, status="y") for number in range(301)], fetched=-601)
    before = house.bytes()

    report = house.preview(WINDOWS[:2])

    assert house.bytes() == before
    assert [each.outcomes for each in report.windows] == house.publish(WINDOWS[:2])
    assert (report.customers, report.changed) == (301, 151)
    assert [one.change for one in report.sample] == [Change.CHANGED] * 5


def test_values_are_shown_to_those_who_ask_for_them_alone(house: House) -> None:
    house.land(FIRST, [record("a", 1, email=EMAIL, name="Ada")])
    house.publish([FIRST])
    house.land(FIRST, [record("a", 2, email="new@example.com"), record("b", 2, email="b@example.com", name="Bea")])

    discreet, open_hearted = house.preview([FIRST]), house.preview([FIRST], show_values=True)

    said = preview.text(discreet) + orjson.dumps(discreet.as_json()).decode()
    for value in (EMAIL, "Ada", "new@example.com", "Bea"):
        assert value not in said
    assert "email changed: text of 15 -> text of 15" in said
    assert "name removed: text of 3 -> null" in said
    said = preview.text(open_hearted)
    assert f'email changed: "{EMAIL}" -> "new@example.com"' in said
    assert 'name removed: "Ada" -> null' in said


def test_customers_that_differ_come_into_the_sample_before_new_ones(house: House) -> None:
    house.land(FIRST, [record("old", 1, status="x"), record("dead", 1)])
    house.publish([FIRST])
    new = [record(f"n{number}", 2) for number in range(9)]
    house.land(FIRST, [*new, record("dead", 2, gone=True), record("old", 2, status="y")])

    report = house.preview([FIRST], sample=3)

    assert [one.id for one in report.sample] == ["old", "dead", "n0"]
    assert (report.customers, report.changed) == (11, 11)
    assert house.preview([FIRST], sample=0).sample == ()


def test_the_windows_are_published_oldest_first_whatever_their_order(house: House) -> None:
    house.land(WINDOWS[0], [record("a", 1, status="x")])
    house.land(WINDOWS[1], [record("a", 2, status="y")])

    report = house.preview([WINDOWS[1], WINDOWS[0]])

    assert [each.outcomes.applied for each in report.windows] == [1, 1]


def test_what_cannot_be_previewed_is_an_error_of_its_own_kind(house: House, valkey: ValkeyServer) -> None:
    with pytest.raises(NotLanded, match="raw_customers"):
        house.preview([FIRST])
    with pytest.raises(ProviderUnavailable):
        house.preview([FIRST], replay=False)
    house.land(FIRST, [record("a", 1)])
    with valkey.client() as client:
        client.lpush("customer:{a}", "not a document")
    with pytest.raises(CacheRejected, match="another type"):
        house.preview([FIRST])


@pytest.mark.parametrize("key", ["by_updated_at", "by_email", "by_phone", "changes"])
def test_an_index_or_a_stream_of_another_type_is_what_the_publication_would_meet(
    house: House, valkey: ValkeyServer, key: str
) -> None:
    house.land(FIRST, [record("a", 1)])
    with valkey.client() as client:
        client.set(f"customers:{key}", "of somebody else")
    with pytest.raises(CacheRejected, match="another type"):
        house.preview([FIRST])


def test_a_preview_of_no_window_says_so(house: House) -> None:
    report = house.preview([])

    assert report == Report(replay=True, windows=(), customers=0, changed=0, sample=(), with_values=False)


def test_a_long_preview_says_how_far_it_is(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customer_pipeline.preview.running._SECONDS_BETWEEN_LINES", 0.0)
    for window in WINDOWS:
        house.land(window, [])
    said: list[str] = []

    preview.run(
        house.settings, WINDOWS, replay=True, sample=5, show_values=False, environ=house.environ, say=said.append
    )

    assert said == [f"previewed {number} of 3 windows" for number in (1, 2, 3)]


def test_a_preview_leaves_erased_customers_out_as_the_publication_does(house: House) -> None:
    house.land(WINDOWS[0], [record("a", 1), record("b", 2)])
    Ledger(house.landing.notes).enter("a", by="officer@desk")

    report = house.preview([WINDOWS[0]])
    previewed = report.outcomes

    assert (report.fetched, report.suppressed) == (2, 1)
    assert previewed.total == previewed.applied == 1
    assert house.publish([WINDOWS[0]]) == [previewed]
    assert set(house.documents()) == {"b"}


def test_a_preview_of_the_provider_counts_the_records_of_erased_customers(
    tmp_path: Path, valkey: ValkeyServer, sandbox: SandboxServer
) -> None:
    window = Window(floor(timestamps.now()) - WINDOW_LENGTH, floor(timestamps.now()))
    house = make_house(
        tmp_path,
        valkey.url,
        profile=load_profile("sandbox"),
        SANDBOX_URL=sandbox.url,
        SANDBOX_TOKEN=SandboxServer.TOKEN,
    )
    erased, other, *_ = [name for name, customer in sandbox.truth().items() if not customer["deleted"]]
    edited = timestamps.format_instant(window.start + timedelta(minutes=3))
    for name in (erased, other):
        sandbox.control("PUT", f"customers/{name}", body={"status": "blocked", "updated_at": edited})
    before = house.preview([window], replay=False)
    Ledger(house.landing.notes).enter(erased, by="officer@desk")

    report = house.preview([window], replay=False)

    assert (before.suppressed, report.suppressed) == (0, 1)
    assert report.fetched == before.fetched
    assert report.outcomes.applied == before.outcomes.applied - 1
