"""Every fault, over real HTTP."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import orjson
import pytest
import requests

from customer_pipeline import timestamps
from customer_pipeline.sandbox.faults import FAULTS
from customer_pipeline_tests.sandbox.running import QUIET, RunningSandbox, bearer, until, walk

LIST = "/none/cursor/customers"


@pytest.fixture
def changed() -> Iterator[RunningSandbox]:
    """A sandbox of a test's own, whose customers may be changed."""
    with RunningSandbox() as sandbox:
        yield sandbox


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_down_closes_the_connection_without_an_answer(http: str) -> None:
    with RunningSandbox(QUIET, http=http) as sandbox:
        sandbox.fault("down")
        with pytest.raises(requests.ConnectionError):
            sandbox.get(LIST)
        sandbox.clear()
        assert sandbox.get(LIST).status_code == 200


def test_hang_never_answers(sandbox: RunningSandbox) -> None:
    sandbox.fault("hang")
    with pytest.raises(requests.ReadTimeout):
        requests.get(f"{sandbox.url}{LIST}", timeout=0.3)


@pytest.mark.parametrize("times", [{}, {"times": 1}])
def test_a_hanging_request_ends_without_an_answer_when_the_fault_is_cleared(
    sandbox: RunningSandbox, times: dict[str, int]
) -> None:
    sandbox.fault("hang", **times)
    seen: list[str] = []

    def ask() -> None:
        try:
            requests.get(f"{sandbox.url}{LIST}", timeout=5)
        except requests.ConnectionError as error:
            seen.append(type(error).__name__)

    asking = threading.Thread(target=ask)
    asking.start()
    asking.join(timeout=0.3)
    assert asking.is_alive()
    sandbox.clear()
    asking.join(timeout=5)
    assert seen == ["ConnectionError"]


def test_a_hanging_request_ends_when_the_fault_ends_by_itself(sandbox: RunningSandbox) -> None:
    sandbox.fault("hang", **{"for": "200ms"})
    with pytest.raises(requests.ConnectionError, match="without response"):
        sandbox.get(LIST)
    assert sandbox.get(LIST).status_code == 200


def test_a_hanging_request_does_not_keep_the_sandbox_from_stopping() -> None:
    with RunningSandbox() as sandbox:
        sandbox.fault("hang", times=1)
        asking = threading.Thread(target=pytest.raises, args=(requests.RequestException, sandbox.get, LIST))
        asking.start()
        until(lambda: sandbox.control("GET", "/faults").json() == {"faults": []})
        began = time.monotonic()
    assert time.monotonic() - began < 5
    asking.join(timeout=5)
    assert not asking.is_alive()


@pytest.mark.parametrize(
    ("name", "status", "content_type"),
    [
        ("error_500", 500, "application/json"),
        ("error_503", 503, "application/json"),
        ("throttle", 429, "application/json"),
        ("html", 200, "text/html; charset=utf-8"),
        ("html_500", 500, "text/html; charset=utf-8"),
        ("expired_token", 401, "application/json"),
    ],
)
def test_a_fault_answers_instead_of_the_application(
    sandbox: RunningSandbox, name: str, status: int, content_type: str
) -> None:
    sandbox.fault(name)
    for path in (LIST, "/none/cursor/customers/cus_00001", "/bearer/page_number/customers"):
        response = sandbox.session.get(f"{sandbox.url}{path}", headers=bearer(), timeout=5)
        assert (response.status_code, response.headers["Content-Type"]) == (status, content_type)
        assert "Retry-After" not in response.headers
        assert response.headers["X-Request-Id"].startswith("req_")


@pytest.mark.parametrize(("name", "status"), [("error_503_retry_after", 503), ("throttle_retry_after", 429)])
def test_the_wait_comes_in_seconds_or_as_a_date(sandbox: RunningSandbox, name: str, status: int) -> None:
    sandbox.fault(name, seconds=7)
    response = sandbox.get(LIST)
    assert (response.status_code, response.headers["Retry-After"]) == (status, "7")
    sandbox.fault(name, seconds=90, form="date")
    headers = sandbox.get(LIST).headers
    wait = parsedate_to_datetime(headers["Retry-After"]) - parsedate_to_datetime(headers["Date"])
    assert abs(wait - timedelta(seconds=90)) <= timedelta(seconds=1)


def test_slow_waits_and_then_dribbles(sandbox: RunningSandbox) -> None:
    expected = sandbox.get(LIST).json()
    sandbox.fault("slow", seconds=0.2, chunks=4, pause=0.1)
    began = time.monotonic()
    with requests.get(f"{sandbox.url}{LIST}", stream=True, timeout=5) as response:
        first_byte = time.monotonic() - began
        body = response.content
    assert orjson.loads(body) == expected
    assert first_byte >= 0.2
    assert time.monotonic() - began >= 0.5


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_truncated_announces_more_than_it_sends(http: str) -> None:
    with RunningSandbox(QUIET, http=http) as sandbox:
        sandbox.fault("truncated")
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match=r"IncompleteRead\([1-9][0-9]* bytes read"):
            sandbox.get(LIST)


def test_truncated_json_has_the_announced_length(sandbox: RunningSandbox) -> None:
    whole = sandbox.get(LIST).content
    sandbox.fault("truncated", kind="json")
    response = sandbox.get(LIST)
    assert response.content == whole[: len(whole) // 2]
    assert response.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        response.json()


def test_clock_skew_moves_the_date_and_new_edits(changed: RunningSandbox) -> None:
    changed.fault("clock_skew", seconds=90)
    date = parsedate_to_datetime(changed.get(LIST).headers["Date"])
    assert timedelta(seconds=85) < date - timestamps.now() < timedelta(seconds=95)
    edited = changed.control("PUT", "/customers/cus_00001", json={"status": "x"}).json()
    ahead = timestamps.parse_instant(edited["updated_at"]) - timestamps.now()
    assert timedelta(seconds=85) < ahead < timedelta(seconds=95)


@pytest.mark.parametrize("style", ["cursor", "next_link", "link_header", "next_header"])
def test_a_looping_cursor_never_changes(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("looping_cursor")
    assert len(walk(sandbox, style, per_page=500, most_pages=9)) == 9 * 500
    assert ids(walk(sandbox, style, per_page=2, most_pages=3)) == [
        *("cus_00001", "cus_00002"),
        *("cus_00003", "cus_00004"),
        *("cus_00003", "cus_00004"),
    ]


@pytest.mark.parametrize("style", ["page_number", "offset", "last_id"])
def test_without_a_cursor_the_page_loops(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("looping_cursor")
    assert ids(walk(sandbox, style, per_page=1, most_pages=3)) == ["cus_00001"] * 3


def test_a_bad_cursor_restarts_at_page_one(sandbox: RunningSandbox) -> None:
    sandbox.fault("looping_cursor", kind="restart", after=2)
    pages = ids(walk(sandbox, "cursor", per_page=1, most_pages=4))
    assert pages == ["cus_00001", "cus_00002", "cus_00001", "cus_00001"]
    first, restarted = sandbox.get(LIST), sandbox.get(LIST, cursor="nonsense")
    assert restarted.json() == first.json()


def test_an_ignored_filter_lists_everything(sandbox: RunningSandbox) -> None:
    query = {"updated_from": "2999-01-01T00:00:00Z", "total": 1}
    assert sandbox.get("/none/offset/customers", **query).json()["total"] == 0
    sandbox.fault("filter_ignored")
    body = sandbox.get("/none/offset/customers", **query).json()
    assert (len(body["items"]), body["total"]) == (100, 1200)


@pytest.mark.parametrize("style", ["next_link", "link_header", "next_header"])
def test_a_foreign_link_leads_elsewhere(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("foreign_link", to="http://127.0.0.1:9")
    response = sandbox.get(f"/none/{style}/customers")
    link = response.links.get("next", {}).get("url") or response.headers.get("X-Next") or response.json().get("next")
    assert link.startswith("http://127.0.0.1:9/customers?")


def test_a_redirect_leads_elsewhere(sandbox: RunningSandbox) -> None:
    sandbox.fault("redirect_foreign")
    response = sandbox.get(LIST, sort="id")
    assert response.status_code == 302
    assert response.headers["Location"] == f"http://foreign.invalid{LIST}?sort=id"


@pytest.mark.parametrize("style", ["page_number", "cursor", "link_header", "last_id"])
def test_an_empty_answer_looks_like_the_end(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("empty_200")
    assert walk(sandbox, style, total=1) == []
    assert sandbox.get(f"/none/{style}/customers", total=1).json()["total"] == 0
    assert "total" not in sandbox.get(f"/none/{style}/customers").json()


@pytest.mark.parametrize("style", ["page_number", "cursor", "link_header", "last_id"])
def test_half_an_answer_is_the_same_half_every_time_and_looks_whole(sandbox: RunningSandbox, style: str) -> None:
    whole = ids(walk(sandbox, style, per_page=500))
    sandbox.fault("half_200")
    half = ids(walk(sandbox, style, per_page=500))
    assert half == ids(walk(sandbox, style, per_page=500))
    assert set(half) < set(whole)
    assert len(half) == sandbox.get(f"/none/{style}/customers", total=1).json()["total"] == len(whole) // 2


@pytest.mark.parametrize("style", ["page_number", "offset", "cursor", "next_link", "link_header", "next_header"])
def test_a_repeated_page_is_identical_and_its_cursor_is_not(sandbox: RunningSandbox, style: str) -> None:
    sandbox.fault("page_repeats")
    assert ids(walk(sandbox, style, per_page=1, most_pages=4)) == ["cus_00001"] * 4


@pytest.mark.parametrize("style", ["page_number", "offset"])
def test_edits_during_a_walk_hide_customers_that_nobody_edited(changed: RunningSandbox, style: str) -> None:
    before = {customer["id"]: customer["updated_at"] for customer in changed.truth()}
    changed.fault("edits_during_walk", count=10, total=30)
    until_now = timestamps.format_instant(timestamps.now())
    seen = set(ids(walk(changed, style, sort="updated_at", updated_to=until_now, per_page=100)))
    edited = {customer["id"] for customer in changed.truth() if before[customer["id"]] != customer["updated_at"]}
    lost = set(before) - seen
    assert len(edited) == 30
    assert len(lost) == 30
    assert not lost & edited


def test_edits_during_a_walk_by_value_lose_nobody(changed: RunningSandbox) -> None:
    changed.fault("edits_during_walk", count=10, total=30)
    until_now = timestamps.format_instant(timestamps.now())
    seen = ids(walk(changed, "cursor", sort="updated_at", updated_to=until_now, per_page=100))
    assert len(seen) == len(set(seen)) == 1200


def test_an_offset_in_disguise_loses_customers(changed: RunningSandbox) -> None:
    changed.fault("edits_during_walk", kind="delete", count=5, total=20)
    assert len(set(ids(walk(changed, "cursor", cursor_kind="offset")))) == 1180


def test_an_anchor_is_edited_under_a_walk(changed: RunningSandbox) -> None:
    changed.fault("edits_during_walk", total=1, times=1)
    seen = set(ids(walk(changed, "last_id", sort="updated_at", per_page=100)))
    assert len(seen) == 100


def test_the_next_customers_can_be_edited_too(changed: RunningSandbox) -> None:
    truth = sorted(changed.truth(), key=lambda customer: (customer["updated_at"], customer["id"]))
    changed.fault("edits_during_walk", which="next", count=3, total=3)
    changed.get(LIST, sort="updated_at", per_page=10)
    newest = sorted(changed.truth(), key=lambda customer: (customer["updated_at"], customer["id"]))[-3:]
    assert sorted(ids(newest)) == sorted(ids(truth[10:13]))
    assert newest[0]["record"]["custom"]["edited_during_walk"] > 0
    assert changed.control("GET", "/faults").json() == {"faults": []}


def test_an_empty_page_changes_nobody(sandbox: RunningSandbox) -> None:
    sandbox.fault("edits_during_walk", which="next")
    assert sandbox.get(LIST, updated_from="2999-01-01T00:00:00Z").json() == {"items": [], "next_cursor": None}


def test_a_fault_lasts_as_long_as_it_is_told(sandbox: RunningSandbox) -> None:
    sandbox.fault("error_500", **{"for": "0.3s"})
    assert sandbox.get(LIST).status_code == 500
    until(lambda: sandbox.get(LIST).status_code == 200)
    assert sandbox.control("GET", "/faults").json() == {"faults": []}


def test_a_fault_lets_some_requests_pass_and_strikes_some(sandbox: RunningSandbox) -> None:
    sandbox.fault("error_500", after=2, times=3)
    assert [sandbox.get(LIST).status_code for _ in range(7)] == [200, 200, 500, 500, 500, 200, 200]


def test_a_fault_of_an_instant_strikes_the_lists_whose_bounds_hold_it(sandbox: RunningSandbox) -> None:
    sandbox.fault("error_500", holding="2026-11-23T12:00:00Z")
    noon, later = "2026-11-23T12:00:00Z", "2026-11-23T12:10:00Z"

    def statuses(**bounds: str) -> int:
        return sandbox.get(LIST, **bounds).status_code

    assert statuses() == 500
    assert statuses(updated_from=noon, updated_to=later) == 500
    assert statuses(updated_from="2026-11-23T11:50:00Z", updated_to=noon) == 200
    assert statuses(updated_from=later) == 200
    assert statuses(updated_from="no instant") == 400
    sandbox.clear()
    sandbox.fault("filter_ignored", holding="2026-11-23T11:55:00Z")
    everything = sandbox.get(LIST).json()["items"]
    assert sandbox.get(LIST, updated_from="2026-11-23T11:50:00Z", updated_to=noon).json()["items"] == everything
    assert sandbox.get(LIST, updated_from=noon, updated_to=noon).json()["items"] == []


def test_a_fault_strikes_with_its_probability(sandbox: RunningSandbox) -> None:
    sandbox.fault("error_500", probability=0)
    assert {sandbox.get(LIST).status_code for _ in range(5)} == {200}
    sandbox.fault("error_500", probability=0.5)
    assert {sandbox.get(LIST, per_page=1).status_code for _ in range(60)} == {200, 500}


def test_faults_are_listed_and_cleared_by_name(sandbox: RunningSandbox) -> None:
    sandbox.fault("throttle", after=1)
    sandbox.fault("slow", seconds=0)
    listed = sandbox.control("GET", "/faults").json()["faults"]
    assert [fault["name"] for fault in listed] == ["throttle", "slow"]
    assert listed[0]["description"] == FAULTS["throttle"]
    sandbox.control("DELETE", "/faults/throttle")
    assert sandbox.control("GET", "/state").json()["faults"] == ["slow"]


@pytest.mark.parametrize("name", FAULTS)
def test_control_is_spared_by_every_fault(sandbox: RunningSandbox, name: str) -> None:
    sandbox.fault(name)
    assert len(sandbox.truth()) == 1200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/faults/earthquake", 404),
        ("DELETE", "/faults/earthquake", 404),
        ("POST", "/faults/down?for=soon", 400),
        ("POST", "/faults/down?probability=often", 400),
        ("POST", "/faults/down?holding=noon", 400),
        ("POST", "/faults/slow?seconds=long", 400),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(sandbox: RunningSandbox, method: str, path: str, status: int) -> None:
    response = sandbox.session.request(method, f"{sandbox.url}/_sandbox{path}", timeout=5)
    assert response.status_code == status
    assert response.json()["error"]["message"]
    assert sandbox.control("GET", "/faults").json() == {"faults": []}
