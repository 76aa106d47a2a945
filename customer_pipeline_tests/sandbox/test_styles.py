"""Every pagination style and way of authentication, over real HTTP."""

import re
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from customer_pipeline import timestamps
from customer_pipeline.sandbox.app import DEFAULT_TOKEN
from customer_pipeline.sandbox.pagination import Style
from customer_pipeline_tests.sandbox.running import RunningSandbox, bearer, walk

STYLES = [str(style) for style in Style]


def ids(records: list[dict[str, Any]]) -> list[str]:
    return [record["id"] for record in records]


@pytest.mark.parametrize("sort", ["none", "id", "updated_at", "-updated_at"])
@pytest.mark.parametrize("style", STYLES)
def test_a_walk_without_edits_returns_exactly_the_truth(sandbox: RunningSandbox, style: str, sort: str) -> None:
    truth = sandbox.truth()
    if sort == "id":
        truth.sort(key=lambda customer: customer["id"])
    elif sort != "none":
        truth.sort(key=lambda customer: (customer["updated_at"], customer["id"]), reverse=sort.startswith("-"))
    assert walk(sandbox, style, sort=sort, per_page=500) == [customer["record"] for customer in truth]


@pytest.mark.parametrize("style", ["cursor", "next_link", "link_header", "next_header"])
def test_an_offset_in_disguise_walks_the_same_list(sandbox: RunningSandbox, style: str) -> None:
    assert ids(walk(sandbox, style, cursor_kind="offset", per_page=500)) == ids(sandbox.truth())


@pytest.mark.parametrize("form", ["updated_from", "filter"])
@pytest.mark.parametrize("style", STYLES)
def test_a_window_is_half_open(sandbox: RunningSandbox, style: str, form: str) -> None:
    changed = sorted(customer["updated_at"] for customer in sandbox.truth())
    since, until = changed[300], changed[900]
    expected = sorted(c["id"] for c in sandbox.truth() if since <= c["updated_at"] < until)
    query = {"updated_from": since, "updated_to": until}
    if form == "filter":
        query = {"filter": f"updated_at >= '{since}' && updated_at < '{until}'"}
    assert sorted(ids(walk(sandbox, style, per_page=250, sort="updated_at", **query))) == expected


@pytest.mark.parametrize("form", ["epoch_s", "epoch_ms"])
def test_a_window_can_be_given_in_epoch_time(sandbox: RunningSandbox, form: str) -> None:
    since = timestamps.now().replace(microsecond=0) - timedelta(hours=3)
    number = timestamps.epoch_milliseconds(since) // (1000 if form == "epoch_s" else 1)
    expected = [c["id"] for c in sandbox.truth() if c["updated_at"] >= timestamps.format_instant(since)]
    assert ids(walk(sandbox, "page_number", updated_from=number, per_page=500)) == expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("updated_at > '{0}'", slice(1, None)),
        ("updated_at >= '{0}'", slice(0, None)),
        ("updated_at >= '{0}' and updated_at <= \"{2}\"", slice(0, 3)),
        ("updated_at >= '{0}' AND updated_at < '{2}'", slice(0, 2)),
        ("updated_at = '{1}'", slice(1, 2)),
        ("updated_at>='{1}'&&updated_at>='{0}'&&updated_at<'{2}'&&updated_at<'{3}'", slice(1, 2)),
        ("updated_at>='{0}'&&updated_at>='{1}'&&updated_at<'{3}'&&updated_at<'{2}'", slice(1, 2)),
    ],
)
def test_a_filter_compares_as_it_reads(sandbox: RunningSandbox, expression: str, expected: slice) -> None:
    newest = sorted(sandbox.truth(), key=lambda customer: customer["updated_at"])[-4:]
    instants = [customer["updated_at"] for customer in newest]
    assert len(set(instants)) == 4
    found = walk(sandbox, "offset", sort="updated_at", filter=expression.format(*instants))
    assert ids(found) == ids(newest)[expected]


@pytest.mark.parametrize(
    ("auth", "headers", "query"),
    [
        ("none", {}, {}),
        ("bearer", bearer(), {}),
        ("api-key-header", {"X-Api-Key": DEFAULT_TOKEN}, {}),
        ("api-key-query", {}, {"api_key": DEFAULT_TOKEN}),
        ("basic", {"Authorization": "Basic c2FuZGJveDpzYW5kYm94LXRva2Vu"}, {}),
    ],
)
def test_each_way_of_authentication_opens_its_own_door_only(
    sandbox: RunningSandbox, auth: str, headers: dict[str, str], query: dict[str, str]
) -> None:
    doors = ["none", "bearer", "api-key-header", "api-key-query", "basic"]
    opened = []
    for door in doors:
        response = sandbox.session.get(
            f"{sandbox.url}/{door}/cursor/customers", headers=headers, params=query, timeout=5
        )
        if response.status_code == 200:
            opened.append(door)
        else:
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "unauthorized"
    assert opened == sorted({"none", auth}, key=doors.index)


def test_a_wrong_token_is_refused_for_one_customer_too(sandbox: RunningSandbox) -> None:
    assert sandbox.get("/bearer/cursor/customers/cus_00001").status_code == 401


def test_every_answer_has_one_date_and_an_id_of_its_own(sandbox: RunningSandbox) -> None:
    answers = [sandbox.get(path) for path in ("/none/cursor/customers", "/bearer/cursor/customers", "/nowhere")]
    assert [answer.status_code for answer in answers] == [200, 401, 404]
    for answer in answers:
        assert re.fullmatch(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", answer.headers["Date"])
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == 3


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (500, 500), (501, 500), (100000, 500), (0, 1)])
def test_a_page_size_is_clamped_without_a_word(sandbox: RunningSandbox, asked: int, given: int) -> None:
    assert len(sandbox.get("/none/page_number/customers", per_page=asked).json()["items"]) == given
    assert len(sandbox.get("/none/offset/customers", limit=asked).json()["items"]) == given


def test_without_a_size_a_page_holds_100(sandbox: RunningSandbox) -> None:
    assert len(sandbox.get("/none/cursor/customers").json()["items"]) == 100


def test_unknown_parameters_are_ignored(sandbox: RunningSandbox) -> None:
    plain = sandbox.get("/none/cursor/customers").json()
    assert sandbox.get("/none/cursor/customers", modified_since="2999-01-01", order="x").json() == plain


@pytest.mark.parametrize(
    "query",
    [
        {"updated_from": "yesterday"},
        {"updated_to": "2026-11-23T07:50:00 00:00"},
        {"filter": "name = 'x'"},
        {"filter": "updated_at >="},
        {"sort": "name"},
        {"per_page": "many"},
        {"envelope": "xml"},
        {"cursor": "not-a-cursor"},
        {"cursor": "WyJrIiwxXQ==", "sort": "id"},
        {"cursor": "e30="},
        {"cursor": "ü"},
        {"envelope": "root"},
    ],
)
def test_a_bad_request_is_answered_with_400(sandbox: RunningSandbox, query: dict[str, str]) -> None:
    response = sandbox.get("/none/cursor/customers", **query)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "bad_request")


@pytest.mark.parametrize(
    "query",
    [
        {"style": "page_number", "page": "-1"},
        {"style": "offset", "offset": "x"},
        {"style": "last_id", "starting_after": "no"},
    ],
)
def test_a_bad_position_is_answered_with_400(sandbox: RunningSandbox, query: dict[str, str]) -> None:
    assert sandbox.get(f"/none/{query.pop('style')}/customers", **query).status_code == 400


@pytest.mark.parametrize("path", ["/bearer/scroll/customers", "/oauth/cursor/customers"])
def test_an_unknown_path_is_answered_with_404(sandbox: RunningSandbox, path: str) -> None:
    assert sandbox.get(path).status_code == 404


@pytest.mark.parametrize(("envelope", "path"), [("items", ["items"]), ("data.items", ["data", "items"])])
def test_the_records_are_where_the_envelope_says(sandbox: RunningSandbox, envelope: str, path: list[str]) -> None:
    body = sandbox.get("/none/page_number/customers", envelope=envelope, total=1, per_page=7, page=2).json()
    assert (body["total"], body["total_pages"], body["page"], body["per_page"]) == (1200, 172, 2, 7)
    for name in path:
        body = body[name]
    assert ids(body) == [f"cus_{number:05}" for number in range(8, 15)]


@pytest.mark.parametrize("style", ["page_number", "offset", "link_header", "next_header"])
def test_the_records_can_be_the_root(sandbox: RunningSandbox, style: str) -> None:
    assert ids(walk(sandbox, style, envelope="root", per_page=500)) == ids(sandbox.truth())


def test_the_total_is_that_of_the_filter_and_is_given_on_request_only(sandbox: RunningSandbox) -> None:
    middle = sorted(customer["updated_at"] for customer in sandbox.truth())[600]
    counted = sandbox.get("/none/offset/customers", updated_from=middle, total="true")
    assert counted.json()["total"] == 600
    assert counted.headers["X-Total-Count"] == "600"
    assert "total" not in sandbox.get("/none/offset/customers", updated_from=middle, total="0").json()


def test_a_next_link_keeps_the_query_but_not_the_key(sandbox: RunningSandbox) -> None:
    body = sandbox.get("/api-key-query/next_link/customers", api_key=DEFAULT_TOKEN, sort="id", per_page=5).json()
    link = urlsplit(body["next"])
    assert f"{link.scheme}://{link.netloc}" == sandbox.url
    assert parse_qs(link.query).keys() == {"sort", "per_page", "cursor"}


def test_the_named_header_can_hold_a_cursor(sandbox: RunningSandbox) -> None:
    first = sandbox.get("/none/next_header/customers", header_kind="cursor", per_page=2)
    second = sandbox.get("/none/next_header/customers", per_page=2, cursor=first.headers["X-Next"])
    assert ids(second.json()["items"]) == ["cus_00003", "cus_00004"]


@pytest.mark.parametrize(
    ("form", "pattern"),
    [
        ("rfc3339", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
        ("naive", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"),
        ("epoch_s", r"\d{10}"),
        ("epoch_ms", r"\d{13}"),
        ("rfc2822", r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d \+0000"),
    ],
)
def test_datetimes_are_written_in_the_form_asked_for(sandbox: RunningSandbox, form: str, pattern: str) -> None:
    (record,) = sandbox.get("/none/cursor/customers", datetime_form=form, per_page=1).json()["items"]
    assert re.fullmatch(pattern, str(record["updated_at"]))
    assert re.fullmatch(pattern, str(record["created_at"]))


def test_created_at_can_have_a_form_of_its_own(sandbox: RunningSandbox) -> None:
    (record,) = sandbox.get("/none/cursor/customers", created_form="epoch_s", per_page=1).json()["items"]
    assert isinstance(record["created_at"], int)
    assert isinstance(record["updated_at"], str)


@pytest.mark.parametrize(
    ("form", "told"),
    [
        ("flag", {"deleted": True}),
        ("status", {"status": "deleted"}),
        ("event", {"event": "customer.deleted"}),
    ],
)
def test_a_deletion_is_told_in_the_form_asked_for(sandbox: RunningSandbox, form: str, told: dict[str, object]) -> None:
    records = walk(sandbox, "cursor", deletions=form, per_page=500)
    dead = {customer["id"] for customer in sandbox.truth() if customer["deleted"]}

    assert dead
    assert {record["id"] for record in records if told.items() <= record.items()} == dead
    if form == "event":
        assert {frozenset(record) for record in records if record["id"] in dead} == {
            frozenset({"event", "id", "updated_at"})
        }


def test_a_deletion_that_is_not_said_is_in_no_list_and_no_total(sandbox: RunningSandbox) -> None:
    records = walk(sandbox, "cursor", deletions="unsaid", per_page=500)
    total = sandbox.get("/none/page_number/customers", deletions="unsaid", total="1").json()["total"]
    alive = {customer["id"] for customer in sandbox.truth() if not customer["deleted"]}

    assert {record["id"] for record in records} == alive
    assert total == len(alive)
    assert not any("deleted" in record for record in records)


def test_one_customer_is_known_unknown_or_gone(sandbox: RunningSandbox) -> None:
    dead = next(customer["id"] for customer in sandbox.truth() if customer["deleted"])
    live = next(customer for customer in sandbox.truth() if not customer["deleted"])
    assert sandbox.get(f"/none/cursor/customers/{live['id']}").json() == live["record"]
    assert sandbox.get(f"/none/cursor/customers/{dead}").status_code == 410
    assert sandbox.get("/none/cursor/customers/cus_99999").status_code == 404
    assert sandbox.get("/none/cursor/customers/cus_00001", datetime_form="roman").status_code == 400


def test_an_edited_anchor_jumps(sandbox: RunningSandbox) -> None:
    page = sandbox.get("/none/last_id/customers", sort="updated_at", per_page=2).json()["items"]
    sandbox.control("PUT", f"/customers/{page[-1]['id']}", json={})
    after = sandbox.get("/none/last_id/customers", sort="updated_at", starting_after=page[-1]["id"]).json()
    assert after == {"items": [], "has_more": False}
