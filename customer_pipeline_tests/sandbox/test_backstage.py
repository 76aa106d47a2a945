"""The control endpoints, over real HTTP: the truth, and changes by hand."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest

from customer_pipeline import timestamps
from customer_pipeline.sandbox.world import Settings
from customer_pipeline_tests.sandbox.running import RunningSandbox, until, walk


@pytest.fixture
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(Settings(customers=30, changes_per_minute=0)) as sandbox:
        yield sandbox


def status_of(sandbox: RunningSandbox, method: str, path: str, **arguments: Any) -> int:
    return sandbox.session.request(method, f"{sandbox.url}/_sandbox{path}", timeout=5, **arguments).status_code


def listed(sandbox: RunningSandbox, **query: Any) -> list[Any]:
    return walk(sandbox, "cursor", sort="updated_at", **query)


def test_the_truth_is_every_customer_with_its_exact_instants(sandbox: RunningSandbox) -> None:
    truth = sandbox.truth()
    assert [customer["seq"] for customer in truth] == list(range(1, 31))
    assert [customer["record"] for customer in truth] == walk(sandbox, "cursor", sort="none")
    for customer in truth:
        assert timestamps.parse_instant(customer["updated_at"]) > timestamps.parse_instant(customer["created_at"])
        assert customer["record"]["updated_at"] == customer["updated_at"]


def test_the_truth_can_be_continued(sandbox: RunningSandbox) -> None:
    lines = sandbox.control("GET", "/customers", params={"cursor": 28}).text.splitlines()
    assert len(lines) == 2


def test_the_truth_spans_many_batches() -> None:
    with RunningSandbox(Settings(customers=2345, changes_per_minute=0)) as sandbox:
        assert len({customer["id"] for customer in sandbox.truth()}) == 2345


def test_the_state_counts(sandbox: RunningSandbox) -> None:
    sandbox.control("DELETE", "/customers/cus_00001")
    dead = sum(customer["deleted"] for customer in sandbox.truth())
    state = sandbox.control("GET", "/state").json()
    assert abs(timestamps.parse_instant(state.pop("now")) - timestamps.now()) < timedelta(seconds=5)
    assert state == {"customers": 30, "deleted": dead, "changes": 0, "paused": False, "faults": []}


def test_changes_stop_and_go_on() -> None:
    with RunningSandbox(Settings(customers=50, changes_per_minute=6000)) as sandbox:
        until(lambda: sandbox.control("GET", "/state").json()["changes"] > 0)
        assert sandbox.control("POST", "/pause").json()["paused"] is True
        assert sandbox.truth() == sandbox.truth()
        stopped = sandbox.control("GET", "/state").json()["changes"]
        assert sandbox.control("POST", "/resume").json()["paused"] is False
        until(lambda: sandbox.control("GET", "/state").json()["changes"] > stopped)


def test_an_edit_is_a_merge_patch_at_the_present(sandbox: RunningSandbox) -> None:
    before = sandbox.control("PUT", "/customers/cus_00007", json={"contact": {"phone": None}, "tags": ["a"]}).json()
    after = sandbox.control("PUT", "/customers/cus_00007", json={"contact": {"fax": {"no": 1}}, "id": "other"}).json()
    assert after["updated_at"] > before["updated_at"]
    assert abs(timestamps.parse_instant(after["updated_at"]) - timestamps.now()) < timedelta(seconds=5)
    record = after["record"]
    assert (record["id"], record["tags"]) == ("cus_00007", ["a"])
    assert "phone" not in record["contact"]
    assert record["contact"]["fax"] == {"no": 1}
    assert listed(sandbox)[-1] == record


@pytest.mark.parametrize("place", ["query", "patch"])
def test_an_edit_can_be_given_an_instant(sandbox: RunningSandbox, place: str) -> None:
    instant = "2020-01-02T03:04:05.123456Z"
    given: dict[str, Any] = {"params": {"updated_at": instant}, "json": {}}
    if place == "patch":
        given = {"json": {"updated_at": instant}}
    edited = sandbox.control("PUT", "/customers/cus_00007", **given).json()
    assert edited["updated_at"] == instant
    assert listed(sandbox)[0]["id"] == "cus_00007"


def test_a_deletion_leaves_a_tombstone_and_can_be_undone(sandbox: RunningSandbox) -> None:
    sandbox.control("DELETE", "/customers/cus_00007")
    assert listed(sandbox)[-1]["id"] == "cus_00007"
    assert listed(sandbox)[-1]["deleted"] is True
    sandbox.control("PUT", "/customers/cus_00007", json={"deleted": False})
    assert listed(sandbox)[-1]["deleted"] is False


def test_a_hard_deletion_leaves_nothing_and_gives_no_number_twice(sandbox: RunningSandbox) -> None:
    sandbox.control("DELETE", "/customers/cus_00030", params={"hard": 1})
    assert len(listed(sandbox)) == len(sandbox.truth()) == 29
    assert sandbox.get("/none/cursor/customers/cus_00030").status_code == 404
    assert sandbox.control("POST", "/customers", json={"id": "new"}).json()["seq"] == 31


def test_a_new_customer_is_one_like_any_other(sandbox: RunningSandbox) -> None:
    created = sandbox.control("POST", "/customers", json={"id": "c1", "name": "N"})
    assert created.status_code == 201
    assert listed(sandbox)[-1] == created.json()["record"]
    assert created.json()["record"].keys() == {"id", "name", "deleted", "created_at", "updated_at"}
    epoch = sandbox.get("/none/cursor/customers/c1", datetime_form="epoch_ms").json()["updated_at"]
    assert isinstance(epoch, int)


def test_a_new_customer_keeps_a_plausible_instant(sandbox: RunningSandbox) -> None:
    record = {"id": "c1", "updated_at": "2019-11-23T08:50:00+01:00", "deleted": True}
    created = sandbox.control("POST", "/customers", json=record).json()
    assert (created["updated_at"], created["verbatim"]) == ("2019-11-23T07:50:00.000000Z", False)
    assert created["record"]["deleted"] is True


@pytest.mark.parametrize(
    "record",
    [
        {"name": "nobody"},
        {"id": 17},
        {"id": "", "updated_at": None},
        {"id": "p", "updated_at": "yesterday"},
        {"id": "p", "updated_at": "0202-11-23T07:50:00Z"},
        {"id": "p", "updated_at": "2999-11-23T07:50:00Z"},
        {"id": "p", "updated_at": 1_700_000_000},
        ["not", "an", "object"],
        "text",
        None,
    ],
)
def test_poison_is_served_exactly_as_given_where_the_list_has_now(sandbox: RunningSandbox, record: Any) -> None:
    since = timestamps.format_instant(timestamps.now() - timedelta(seconds=1))
    created = sandbox.control("POST", "/customers", data=orjson.dumps(record))
    assert created.json()["verbatim"] is True
    assert listed(sandbox, updated_from=since) == [record]


def test_poison_can_be_given_a_place(sandbox: RunningSandbox) -> None:
    place = "2018-01-01T00:00:00Z"
    sandbox.control("POST", "/customers", json={"id": "p", "updated_at": "soon"}, params={"updated_at": place})
    assert listed(sandbox, updated_to="2018-01-01T00:00:01Z") == [{"id": "p", "updated_at": "soon"}]


def test_an_edit_cures_poison(sandbox: RunningSandbox) -> None:
    sandbox.control("POST", "/customers", json={"id": "p", "updated_at": "soon", "name": "N"})
    cured = sandbox.control("PUT", "/customers/p", json={"status": "well"}).json()
    assert cured["verbatim"] is False
    assert cured["record"] == {
        "id": "p",
        "name": "N",
        "status": "well",
        "deleted": False,
        "created_at": cured["created_at"],
        "updated_at": cured["updated_at"],
    }


def test_poison_that_is_no_object_becomes_one_when_cured(sandbox: RunningSandbox) -> None:
    name = sandbox.control("POST", "/customers", json=[1]).json()["id"]
    assert sandbox.control("PUT", f"/customers/{name}", json={"a": {"b": 1}}).json()["record"]["a"] == {"b": 1}


def test_what_makes_no_sense_is_refused(sandbox: RunningSandbox) -> None:
    assert status_of(sandbox, "PUT", "/customers/none", json={}) == 404
    assert status_of(sandbox, "DELETE", "/customers/none") == 404
    assert status_of(sandbox, "POST", "/customers", json={"id": "cus_00001"}) == 409
    assert status_of(sandbox, "POST", "/customers", data="{") == 400
    assert status_of(sandbox, "PUT", "/customers/cus_00001", json=[]) == 400
    assert status_of(sandbox, "PUT", "/customers/cus_00001", json={"updated_at": "soon"}) == 400
    assert status_of(sandbox, "GET", "/customers?cursor=x") == 400
    assert status_of(sandbox, "PATCH", "/customers/cus_00001", json={}) == 405


def test_two_sandboxes_of_one_seed_and_start_serve_the_same() -> None:
    start = timestamps.now().replace(microsecond=0) - timedelta(hours=1)
    settings = Settings(customers=200, seed=7, start=start, changes_per_minute=5)
    with RunningSandbox(settings) as one, RunningSandbox(settings) as other:
        assert one.control("POST", "/pause").json()["changes"] > 200
        other.control("POST", "/pause")
        early = timestamps.format_instant(timestamps.now() - timedelta(minutes=1))
        assert [c for c in one.truth() if c["updated_at"] < early] == [
            c for c in other.truth() if c["updated_at"] < early
        ]


def test_the_default_world_has_thousands_of_customers_and_a_change_every_other_second() -> None:
    assert (Settings().customers, Settings().changes_per_minute) == (5000, 30.0)
