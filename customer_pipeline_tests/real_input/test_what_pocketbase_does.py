"""What PocketBase really does where a walk could lose records: the reasons for each line of its profile.

When one of these fails after an upgrade, PocketBase has changed: look at the profile's comments again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import requests

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderRejected
from customer_pipeline.provider.profile import load_profile
from customer_pipeline.windows import Window
from customer_pipeline_tests.real_input.pocketbase import RECORDS, PocketBaseServer, written

START = datetime(2025, 11, 20, 12, 30, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))
COLLECTION = "/api/collections/customers"


def at(number: int) -> datetime:
    return START + timedelta(milliseconds=500) * number


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PocketBaseServer]:
    with PocketBaseServer(tmp_path_factory.mktemp("pocketbase")) as server:
        server.create_collection(["surname"])
        yield server


@pytest.fixture
def server(running: PocketBaseServer) -> PocketBaseServer:
    """1,300 records, one every half second from 12:30 on: the last hundred lie in the next window."""
    running.api.delete(f"{running.url}{COLLECTION}/truncate", timeout=30).raise_for_status()
    running.insert({"surname": f"n{number}", "updated": written(at(number))} for number in range(1300))
    return running


def found(server: PocketBaseServer, filter_: str) -> int:
    return int(server.call("GET", RECORDS, filter=filter_, perPage=1)["totalItems"])


def listed(server: PocketBaseServer, token: str) -> requests.Response:
    return requests.get(server.url + RECORDS, headers={"Authorization": f"Bearer {token}"}, timeout=30)


def test_a_wrong_token_is_403_while_the_list_rule_is_locked(server: PocketBaseServer) -> None:
    environment = {**server.environment, "POCKETBASE_TOKEN": "wrong"}
    assert listed(server, "wrong").status_code == 403
    with (
        ProviderClient(load_profile("pocketbase"), environment) as client,
        pytest.raises(ProviderRejected) as caught,
    ):
        list(client.walk(WINDOW))
    assert caught.value.request.status == 403
    assert caught.value.request.attempts == 1


def test_a_wrong_token_is_200_without_records_under_a_list_rule(server: PocketBaseServer) -> None:
    """A rule filters: who holds no valid token is a guest who may see nothing. No client can tell that from quiet."""
    server.call("PATCH", COLLECTION, {"listRule": '@request.auth.id != ""'})
    try:
        answer = listed(server, "wrong")
        assert answer.status_code == 200
        assert answer.json()["items"] == []
        assert len(listed(server, server.token).json()["items"]) > 0
    finally:
        server.call("PATCH", COLLECTION, {"listRule": None})


@pytest.mark.parametrize(
    ("since", "expected"),
    [
        ("2025-11-20 12:39:00.000Z", 220),
        ("2025-11-20 12:39:00.000000Z", 220),
        ("2025-11-20 12:39:00.500000Z", 219),
        ("2025-11-20T12:39:00.000Z", 0),
        ("2025-11-20 13:39:00.000+01:00", 0),
        ("1763642340", 1300),
        ("nonsense", 0),
    ],
)
def test_times_in_a_filter_are_compared_as_text(server: PocketBaseServer, since: str, expected: int) -> None:
    """Only the stored form is right; every other is answered with 200 and the wrong records."""
    assert found(server, f"updated >= '{since}'") == expected


def test_six_digits_bound_a_window_exactly_as_the_three_stored_ones(server: PocketBaseServer) -> None:
    """A record on the boundary belongs to the later window alone: `Z` sorts after every digit."""
    bound = "2025-11-20 12:40:00.000000Z"
    assert found(server, f"updated < '{bound}'") == 1200
    assert found(server, f"updated >= '{bound}'") == 100


def test_a_misspelt_field_is_400_but_a_misspelt_parameter_is_ignored(server: PocketBaseServer) -> None:
    answer = server.api.get(server.url + RECORDS, params={"filter": "updatedat >= '2025'"}, timeout=30)
    assert answer.status_code == 400
    assert server.call("GET", RECORDS, filters="updated >= '2100'")["totalItems"] == 1300


def test_a_page_larger_than_1000_is_shortened_without_a_word(server: PocketBaseServer) -> None:
    assert len(server.call("GET", RECORDS, perPage=5000)["items"]) == 1000
    assert len(server.call("GET", RECORDS, perPage=1000)["items"]) == 1000


def test_without_a_count_the_totals_are_minus_one_and_the_page_after_the_last_is_empty(
    server: PocketBaseServer,
) -> None:
    body = server.call("GET", RECORDS, perPage=1000, page=3, skipTotal=1)
    assert (body["totalItems"], body["totalPages"], body["items"]) == (-1, -1, [])


def test_page_numbers_lose_records_that_nobody_edited(server: PocketBaseServer) -> None:
    """Ten records of the first page are edited before the second is asked for: ten others are never shown."""
    query: dict[str, str | int] = {
        "filter": "updated < '2025-11-20 12:40:00.000Z'",
        "sort": "updated,id",
        "perPage": 100,
    }
    first = server.call("GET", RECORDS, **query)["items"]
    for record in first[:10]:
        server.call("PATCH", f"{RECORDS}/{record['id']}", {"updated": "2025-11-20 12:50:00.000Z"})
    seen = {record["surname"] for record in first}
    for page in range(2, 14):
        seen |= {record["surname"] for record in server.call("GET", RECORDS, page=page, **query)["items"]}
    assert {f"n{number}" for number in range(1200)} - seen == {f"n{number}" for number in range(100, 110)}


@pytest.mark.parametrize("size", [500, 50])
def test_the_shipped_profile_loses_none_of_them(server: PocketBaseServer, size: int) -> None:
    """After every page that arrives ten of its records are edited, which shifts everything behind them."""
    profile = load_profile("pocketbase")
    profile = profile.model_copy(update={"pagination": profile.pagination.model_copy(update={"size": size})})
    records = {row["id"]: row["surname"] for row in server.rows() if row["updated"] < "2025-11-20 12:40:00.000Z"}
    seen: set[str] = set()
    with ProviderClient(profile, server.environment) as client:
        walk = client.walk(WINDOW)
        for page in walk:
            ids = [id_ for id_ in page.ids if id_ is not None]
            seen |= {records[id_] for id_ in ids}
            for id_ in ids[:10]:
                server.call("PATCH", f"{RECORDS}/{id_}", {"updated": "2025-11-20 12:50:00.000Z"})
    assert seen == set(records.values())
    assert len(seen) == 1200


def test_more_records_of_one_instant_than_a_page_holds_are_not_lost_either(running: PocketBaseServer) -> None:
    """Values do not help within one instant: the walk reads it by page number, again until two readings agree."""
    running.api.delete(f"{running.url}{COLLECTION}/truncate", timeout=30).raise_for_status()
    running.insert({"surname": f"n{number}", "updated": written(at(7))} for number in range(300))
    profile = load_profile("pocketbase")
    profile = profile.model_copy(update={"pagination": profile.pagination.model_copy(update={"size": 40})})
    seen: set[str] = set()
    with ProviderClient(profile, running.environment) as client:
        walk = client.walk(WINDOW)
        for page in walk:
            ids = [id_ for id_ in page.ids if id_ is not None]
            seen |= set(ids)
            for id_ in ids[:10]:
                running.call("PATCH", f"{RECORDS}/{id_}", {"updated": "2025-11-20 12:50:00.000Z"})
    assert len(seen) == 300
    assert walk.stats.passes > 1


def test_a_customer_is_found_by_its_id_and_one_that_was_removed_is_absent(server: PocketBaseServer) -> None:
    kept, removed = (item["id"] for item in server.call("GET", RECORDS, perPage=2)["items"])
    server.api.delete(f"{server.url}{RECORDS}/{removed}", timeout=30).raise_for_status()
    with ProviderClient(load_profile("pocketbase"), server.environment) as client:
        assert [client.lookup(id_).absent for id_ in (kept, removed, "a/b")] == [False, True, True]


def test_a_wrong_token_does_not_make_a_customer_absent_while_the_view_rule_is_locked(server: PocketBaseServer) -> None:
    environment = {**server.environment, "POCKETBASE_TOKEN": "wrong"}
    there = server.call("GET", RECORDS, perPage=1)["items"][0]["id"]
    with ProviderClient(load_profile("pocketbase"), environment) as client, pytest.raises(ProviderRejected):
        client.lookup(there)
