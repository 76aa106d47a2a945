"""What Datasette really does where a walk could lose records: the reasons for each line of its profile.

When one of these fails after an upgrade, Datasette has changed: look at the profile's comments again.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import ProviderRejected
from customer_pipeline.provider.profile import load_profile
from customer_pipeline.windows import Window
from customer_pipeline_tests.real_input.datasette import TOKEN, DatasetteServer, written
from customer_pipeline_tests.real_input.persons import Person

INSTANT = datetime(2025, 11, 20, 12, 30, tzinfo=UTC)
TABLE = "/crm/customers.json"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatasetteServer]:
    """250 records that were changed at one instant; the order of their keys is not the order they were stored in."""
    server = DatasetteServer(tmp_path_factory.mktemp("datasette"))
    template = Person({"rec_id": "", "surname": "white"}, INSTANT, "", None)
    server.load(replace(template, columns={**template.columns, "rec_id": f"rec-{number}"}) for number in range(250))
    with server:
        yield server


def get(server: DatasetteServer, *, token: str = TOKEN, **query: str | int) -> requests.Response:
    return requests.get(
        server.url + TABLE,
        params={"_shape": "objects", **query},
        headers={"Authorization": f"Bearer {token}"},
        timeout=30,
    )


def followed(server: DatasetteServer, **query: str | int) -> set[str]:
    """Return the ids that following `next_url` to its end gives."""
    ids: set[str] = set()
    url: str | None = server.url + TABLE
    parameters: dict[str, Any] | None = {"_shape": "objects", **query}
    while url is not None:
        body = requests.get(url, params=parameters, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30).json()
        ids |= {row["id"] for row in body["rows"]}
        url, parameters = body["next_url"], None
    return ids


def test_sorting_by_time_loses_records_that_share_an_instant(server: DatasetteServer) -> None:
    """The SQL of the first page sorts by `updated_at` alone, so SQLite breaks ties by rowid; that of the next pages
    sorts by `updated_at, id` and goes on after the last id of the first. The profile therefore sorts by nothing."""
    assert len(followed(server, _size=100)) == 250
    assert len(followed(server, _size=100, _sort="updated_at")) < 250


def test_a_cursor_that_means_nothing_starts_again_with_200(server: DatasetteServer) -> None:
    answer = get(server, _size=3, _next="no-cursor", _sort="updated_at")
    assert answer.status_code == 200
    assert [row["id"] for row in answer.json()["rows"]] == ["rec-0", "rec-1", "rec-10"]


@pytest.mark.parametrize("token", ["wrong", ""])
def test_a_wrong_token_is_403_with_a_page_of_html(server: DatasetteServer, token: str) -> None:
    answer = get(server, token=token)
    assert answer.status_code == 403
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_wrong_token_is_rejected_by_the_client_without_a_retry(server: DatasetteServer) -> None:
    environment = {**server.environment, "DATASETTE_TOKEN": "wrong"}
    with (
        ProviderClient(load_profile("datasette"), environment) as client,
        pytest.raises(ProviderRejected) as caught,
    ):
        list(client.walk(Window.from_key("2025-11-20T1230Z")))
    assert caught.value.request.status == 403
    assert caught.value.request.attempts == 1
    assert "wrong" not in str(caught.value)


def test_a_page_size_above_the_limit_is_400(server: DatasetteServer) -> None:
    assert get(server, _size=1001).status_code == 400
    assert get(server, _size=1000).status_code == 200


def test_a_misspelt_column_or_operator_is_answered_with_200(server: DatasetteServer) -> None:
    """SQLite reads an unknown column in double quotes as a text, and Datasette ignores an unknown operator."""
    since = written(INSTANT)
    assert get(server, updatedat__lt=since).json()["rows"] == []
    assert get(server, updated_at__since="2100-01-01", _size=1000).json()["filtered_table_rows_count"] == 250


def test_times_are_compared_as_text(server: DatasetteServer) -> None:
    """The wrong form leaves out records or adds some, with 200."""
    assert len(get(server, updated_at__gte=written(INSTANT), _size=1000).json()["rows"]) == 250
    assert get(server, updated_at__lt="2025-11-20 12:40:00.000Z").json()["rows"] == []
    assert get(server, updated_at__gte="1763642999").json()["filtered_table_rows_count"] == 250


def test_the_bare_array_has_its_next_link_in_the_header_and_no_total(server: DatasetteServer) -> None:
    answer = get(server, _shape="array", _size=100)
    assert isinstance(answer.json(), list)
    assert answer.links["next"]["url"].startswith(f"{server.url}{TABLE}?")
    assert "Link" not in get(server, _shape="array", _size=1000).headers


@pytest.mark.parametrize("name", ["datasette", "datasette-link-header"])
@pytest.mark.parametrize("size", [1000, 100, 7])
def test_the_shipped_profiles_walk_every_record_of_one_instant(server: DatasetteServer, name: str, size: int) -> None:
    profile = load_profile(name)
    profile = profile.model_copy(update={"pagination": profile.pagination.model_copy(update={"size": size})})
    with ProviderClient(profile, server.environment) as client:
        walk = client.walk(Window.from_key("2025-11-20T1230Z"))
        ids = [id_ for page in walk for id_ in page.ids]
        after = client.walk(Window.from_key("2025-11-20T1240Z"))
        looked_back = [id_ for page in after for id_ in page.ids]
    assert sorted(ids, key=str) == sorted(f"rec-{number}" for number in range(250))
    assert looked_back == [], "the window after the boundary asks from 12:35 on"
    assert walk.stats.pages == -(-250 // size)


@pytest.mark.parametrize("name", ["datasette", "datasette-link-header"])
def test_the_shipped_profiles_find_a_customer_and_no_other(server: DatasetteServer, name: str) -> None:
    with ProviderClient(load_profile(name), server.environment) as client:
        assert not client.lookup("rec-1").absent
        assert [client.lookup(id_).absent for id_ in ("rec-250", "rec-1 ", "rec%", "a/b")] == [True] * 4
    wrong = {**server.environment, "DATASETTE_TOKEN": "wrong"}
    with ProviderClient(load_profile(name), wrong) as client, pytest.raises(ProviderRejected):
        client.lookup("rec-1")
