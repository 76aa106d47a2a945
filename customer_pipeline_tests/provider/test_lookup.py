"""One customer by its id, over real HTTP: there, absent, or an error that never names the id."""

import json
import logging
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from customer_pipeline import timestamps
from customer_pipeline.customers.identity import usable_id
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.errors import (
    ProviderError,
    ProviderMisbehaved,
    ProviderRejected,
    ProviderThrottled,
    ProviderUnavailable,
)
from customer_pipeline.provider.profile import ProfileError, load_profile
from customer_pipeline.sandbox.world import Settings
from customer_pipeline_tests.provider.wire import (
    JSON,
    Reply,
    Server,
    Sleeps,
    all_records_of_all_loggers,
    client,
    profile,
)
from customer_pipeline_tests.sandbox.running import RunningSandbox

LOOKUP: dict[str, Any] = {"path": "/customers/{id}"}
RECORD = {"id": "a", "updated_at": "2025-11-23T07:51:00Z"}


def reply(body: Any, status: int = 200, **headers: str) -> Reply:
    return Reply(status, headers={**JSON, **headers}, body=json.dumps(body).encode())


def failure(server: Server, customer_id: str = "a", **lookup: Any) -> ProviderError:
    with client(server.url, lookup={**LOOKUP, **lookup}) as opened, pytest.raises(ProviderError) as raised:
        opened.lookup(customer_id)
    return raised.value


def test_a_customer_that_is_there_comes_as_its_text_was_sent_with_the_time_of_the_question() -> None:
    body = b' {"id": "a",  "n": 1.50}\n'
    with Server(Reply(headers=JSON, body=body)) as server, client(server.url, lookup=LOOKUP) as opened:
        before = timestamps.now()
        found = opened.lookup("a")
    assert found.record == '{"id": "a",  "n": 1.50}'
    assert not found.absent
    assert before <= found.fetched_at <= timestamps.now()
    assert server.requests[0].target == "/customers/a"


@pytest.mark.parametrize("status", [404, 410])
def test_an_absent_customer_is_an_answer_and_is_asked_for_once(status: int) -> None:
    page = Reply(status, headers={"Content-Type": "text/html"}, body=b"<h1>none</h1>")
    with Server(page) as server, client(server.url, lookup=LOOKUP, retry={"attempts": 4}) as opened:
        assert opened.lookup("a").absent
    assert len(server.requests) == 1


def test_the_profile_says_which_statuses_mean_absent() -> None:
    with Server(Reply(204)) as server, client(server.url, lookup={**LOOKUP, "absent": [204]}) as opened:
        assert opened.lookup("a").absent
    with Server(reply({}, 404)) as server:
        assert isinstance(failure(server, absent=[410]), ProviderRejected)


def test_the_record_is_found_where_the_profile_says() -> None:
    lookup = {"path": "/customers?id={id}", "record": "items[0]", "no_record_is_absent": True}
    with Server([reply({"items": [RECORD]}), reply({"items": []})]) as server:
        with client(server.url, lookup=lookup) as opened:
            first, second = opened.lookup("a"), opened.lookup("a")
        assert json.loads(first.record or "") == RECORD
        assert second.absent
        assert server.requests[0].query == {"id": "a"}


@pytest.mark.parametrize(
    ("answer", "kind", "reason"),
    [
        (reply({}, 401), ProviderRejected, "credentials"),
        (reply({}, 403), ProviderRejected, "credentials"),
        (reply({}, 400), ProviderRejected, "rejects"),
        (reply({}, 429), ProviderThrottled, "throttles"),
        (reply({}, 500), ProviderUnavailable, "unavailable"),
        (Reply(204), ProviderMisbehaved, "add 204 to lookup.absent"),
        (Reply(headers={"Content-Type": "text/html"}, body=b"<h1>"), ProviderMisbehaved, "not JSON"),
        (Reply(headers=JSON, body=b'{"id": "a"'), ProviderMisbehaved, "not usable as JSON"),
        (reply(None), ProviderMisbehaved, "lookup.no_record_is_absent"),
        (reply([RECORD]), ProviderMisbehaved, "no object at '@'"),
        (reply({**RECORD, "id": "b"}), ProviderMisbehaved, "another customer"),
        (reply({"error": "no such customer"}), ProviderMisbehaved, "another customer"),
    ],
)
def test_what_is_no_answer_about_the_customer_is_an_error(
    answer: Reply, kind: type[ProviderError], reason: str
) -> None:
    with Server(answer) as server:
        error = failure(server)
    assert isinstance(error, kind)
    assert reason in str(error)


def test_a_record_of_another_customer_is_asked_for_once() -> None:
    with Server(reply({**RECORD, "id": "b"})) as server:
        assert not failure(server).transient
        assert len(server.requests) == 1


def test_neither_errors_nor_logs_name_the_customer() -> None:
    with (
        all_records_of_all_loggers() as logged,
        Server(reply({"error": "secret-id"}, 500)) as server,
        client(server.url, lookup=LOOKUP, retry={"attempts": 2}) as opened,
        pytest.raises(ProviderError) as raised,
    ):
        opened.lookup("secret-id")
    assert "/customers/{id}" in str(raised.value)
    assert "secret-id" not in str(raised.value)
    assert logged
    formatter = logging.Formatter()
    assert not [record for record in logged if "secret-id" in formatter.format(record)]


def test_transient_errors_are_tried_again() -> None:
    sleeps = Sleeps()
    with (
        Server([reply({}, 503), reply(RECORD)]) as server,
        client(server.url, sleeps=sleeps, lookup=LOOKUP, retry={"attempts": 2}) as opened,
    ):
        assert not opened.lookup("a").absent
    assert len(sleeps.seconds) == 1


@pytest.mark.parametrize("name", [".", ".."])
def test_an_id_that_would_be_a_step_in_the_path_is_not_asked_for(name: str) -> None:
    with Server(reply(RECORD)) as server, client(server.url, lookup=LOOKUP) as opened:
        assert not opened.can_look_up(name)
        with pytest.raises(ProviderRejected, match="cannot be looked up") as raised:
            opened.lookup(name)
        assert not raised.value.transient
        assert server.requests == []


@pytest.mark.parametrize(
    ("path", "name", "asked"),
    [
        ("/customers?id={id}", "..", "/customers?id=.."),
        ("/customers/c-{id}", ".", "/customers/c-."),
        ("/customers/{id}.json", "..", "/customers/...json"),
        ("/customers/{id}", "...", "/customers/..."),
        ("/customers/{id}.", ".", None),
        ("/.{id}/customer", ".", None),
    ],
)
def test_an_id_of_dots_is_asked_for_where_it_is_no_step_in_the_path(path: str, name: str, asked: str | None) -> None:
    record = {**RECORD, "id": name}
    with Server(reply(record)) as server, client(server.url, lookup={"path": path}) as opened:
        assert opened.can_look_up(name) is (asked is not None)
        if asked:
            assert json.loads(opened.lookup(name).record or "") == record
        assert [request.target for request in server.requests] == [asked] * bool(asked)


def test_without_a_lookup_in_the_profile_the_error_says_so() -> None:
    with client("http://127.0.0.1:9") as opened, pytest.raises(ProfileError, match="lookup"):
        opened.lookup("a")


@pytest.mark.parametrize(
    ("lookup", "expected"),
    [
        ({"path": "/customers"}, "lookup.path holds `{id}`"),
        ({"path": "/{style}/{id}"}, "lookup.path holds `{id}`"),
        ({"path": "/{id}?key=${KEY}"}, "lookup.path holds `{id}`"),
        ({"path": "/{id}", "absent": [401]}, "401 does not say"),
        ({"path": "/{id}", "absent": [500]}, "500 does not say"),
        ({"path": "/{id}", "record": "a["}, "record"),
    ],
)
def test_a_wrong_lookup_in_a_profile_is_refused(lookup: dict[str, Any], expected: str) -> None:
    with pytest.raises(ValueError, match="lookup") as raised:
        profile("http://127.0.0.1:9", lookup=lookup)
    assert expected in str(raised.value)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[RunningSandbox]:
    with RunningSandbox(Settings(customers=3, changes_per_minute=0)) as running:
        yield running


IDS = st.text(min_size=1, max_size=8).filter(lambda text: usable_id(text) is not None and text not in {".", ".."})


@given(name=IDS | st.sampled_from(["a/b", "../b", "a?b=c", "a#b", "%2F", "100%", "ä ö", "a+b", "..%2e", "a;b", "//"]))
def test_every_id_that_can_be_used_is_asked_for_as_it_is(sandbox: RunningSandbox, name: str) -> None:
    with client(sandbox.url, lookup={"path": "/none/cursor/customers/{id}"}) as opened:
        if opened.lookup(name).absent:
            sandbox.control("POST", "/customers", json={"id": name})
        assert json.loads(opened.lookup(name).record or "")["id"] == name


@pytest.mark.parametrize("name", [".", ".."])
def test_the_answer_of_another_url_is_not_taken_for_that_of_a_customer(sandbox: RunningSandbox, name: str) -> None:
    sandbox.control("POST", "/customers", json={"id": name})
    where = f"{sandbox.url}/none/cursor/customers"
    assert requests.get(f"{where}/{name}", timeout=5).status_code == 404, "though there is such a customer"
    # Escaped, it goes out as a bare step all the same, which any proxy may take away.
    escaped = requests.get(f"{where}/{name.replace('.', '%2E')}", timeout=5)
    assert escaped.request.url == f"{where}/{name}"

    with (
        client(sandbox.url, lookup={"path": "/none/cursor/customers/{id}"}) as opened,
        pytest.raises(ProviderRejected, match="cannot be looked up"),
    ):
        opened.lookup(name)


def test_the_shipped_profile_of_the_sandbox_finds_live_customers_and_neither_deleted_nor_vanished_ones(
    sandbox: RunningSandbox,
) -> None:
    for name in ("live", "deleted", "vanished"):
        sandbox.control("POST", "/customers", data=orjson.dumps({"id": name}))
    sandbox.control("DELETE", "/customers/deleted")
    sandbox.control("DELETE", "/customers/vanished", params={"hard": 1})
    environment = {"SANDBOX_URL": sandbox.url, "SANDBOX_TOKEN": "sandbox-token"}
    with ProviderClient(load_profile("sandbox"), environment) as opened:
        assert [opened.lookup(name).absent for name in ("live", "deleted", "vanished")] == [False, True, True]
        sandbox.fault("expired_token")
        with pytest.raises(ProviderRejected):
            opened.lookup("vanished")
        sandbox.clear()
