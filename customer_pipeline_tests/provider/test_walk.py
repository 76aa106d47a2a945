"""Each guard of the walk, over real HTTP."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from customer_pipeline.provider import passes
from customer_pipeline.provider.client import ProviderClient
from customer_pipeline.provider.delivery import Page
from customer_pipeline.provider.errors import ProviderError, ProviderMisbehaved, ProviderRejected
from customer_pipeline.provider.walk import Walk
from customer_pipeline.timestamps import format_http_date
from customer_pipeline.windows import Window
from customer_pipeline_tests.provider.wire import JSON, Reply, Request, Server, client, page

WINDOW = Window(datetime(2025, 11, 23, 7, 50, tzinfo=UTC), datetime(2025, 11, 23, 8, 0, tzinfo=UTC))
UNFILTERED = {"path": "/customers", "records": "items"}
LAST_ID = {"style": "last_id", "has_more": "more", "size_param": "limit"}
POSITIONS = {"style": "page_number", "size_param": "size", "size": 2}


def record(identity: object, at: object = "07:51:00", **members: object) -> dict[str, Any]:
    whole = f"2025-11-23T{at}Z" if isinstance(at, str) and at[2:3] == ":" else at
    return {"id": identity, "updated_at": whole, **members}


def walk(opened: ProviderClient) -> tuple[list[dict[str, Any]], Walk]:
    walking = opened.walk(WINDOW)
    return [json.loads(text) for page in walking for text in page.records], walking


def ids(opened: ProviderClient) -> list[Any]:
    return [each["id"] for each in walk(opened)[0]]


def failure(opened: ProviderClient) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        walk(opened)
    return raised.value


def numbered(*pages: list[dict[str, Any]], **members: Any) -> Callable[[Request], Reply]:
    """Serve pages by number, and nothing behind them."""

    def answer(request: Request) -> Reply:
        number = int(request.query["page"])
        return page(*(pages[number - 1] if number <= len(pages) else []), **members)

    return answer


def linked(*pages: list[dict[str, Any]], link: str = "/customers?cursor={}") -> Callable[[Request], Reply]:
    """Serve pages that name their following page."""

    def answer(request: Request) -> Reply:
        at = int(request.query.get("cursor", "0"))
        following = link.format(at + 1) if at + 1 < len(pages) else None
        return page(*pages[at], next=following)

    return answer


def test_records_come_as_received_with_their_identity_and_the_time_of_the_request() -> None:
    body = (
        b'{"items": [ {"updated_at":"2025-11-23T07:51:00.5Z",  "id": 1,"n":1.10},'
        b'{"id":"x","updated_at":"2025-11-23T07:52:00Z"}]}'
    )
    before = datetime.now(UTC)
    with Server(Reply(headers=JSON, body=body)) as server, client(server.url) as opened:
        walking = opened.walk(WINDOW)
        [only] = list(walking)
    assert isinstance(only, Page)
    assert only.records[0] == '{"updated_at":"2025-11-23T07:51:00.5Z",  "id": 1,"n":1.10}'
    assert only.ids == ["1", "x"]
    assert str(only.updated_at.dtype) == "datetime64[us, UTC]"
    assert only.updated_at.tolist() == [pd.Timestamp("2025-11-23T07:51:00.5Z"), pd.Timestamp("2025-11-23T07:52:00Z")]
    assert before <= only.fetched_at <= datetime.now(UTC)
    stats = walking.stats
    assert (stats.rows, stats.pages, stats.passes, stats.requests, stats.retries) == (2, 1, 1, 1, 0)
    assert stats.bytes == len(body)
    assert stats.seconds > 0


def test_an_empty_window_is_one_request_and_no_page() -> None:
    with Server(page()) as server, client(server.url) as opened:
        records, walking = walk(opened)
    assert records == []
    assert (walking.stats.requests, walking.stats.pages) == (1, 1)


def test_the_provider_is_asked_for_the_lookback_too_and_for_one_unit_more() -> None:
    with Server(page()) as server, client(server.url, lookback="5m") as opened:
        walk(opened)
    assert server.requests[0].path == "/customers"
    assert server.requests[0].query == {"since": "2025-11-23T07:44:59.999999Z", "until": "2025-11-23T08:00:00.000000Z"}


def test_the_window_check_is_half_open_and_includes_the_lookback() -> None:
    rows = [
        record(at, at)
        for at in ("07:44:59.999999", "07:45:00", "07:50:00", "07:59:59.999999", "08:00:00", "08:00:00.000001")
    ]
    with Server(page(*rows)) as server, client(server.url, list=UNFILTERED) as opened:
        records, walking = walk(opened)
    assert [each["id"] for each in records] == ["07:45:00", "07:50:00", "07:59:59.999999"]
    assert walking.stats.outside == 3


@pytest.mark.parametrize(
    ("pagination", "requests"),
    [
        ({**POSITIONS, "total": "total", "order": "ascending"}, 1),
        ({**POSITIONS, "short_page_is_last": True}, 1),
        ({**POSITIONS, "total_pages": "pages"}, 1),
        ({**POSITIONS}, 3),
        ({**POSITIONS, "order": "ascending"}, 4),
        ({"style": "offset", "total": "total"}, 1),
        ({"style": "cursor", "cursor": "next"}, 1),
        ({"style": "link_header"}, 1),
    ],
)
def test_a_window_with_one_record_takes_few_requests(pagination: dict[str, Any], requests: int) -> None:
    def answer(request: Request) -> Reply:
        empty = request.query.get("page", "1") != "1"
        return page(*([] if empty else [record(1)]), total=1, pages=1)

    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1]
        assert len(server.requests) == requests


def test_a_long_sorted_list_is_walked_once_and_never_by_position() -> None:
    rows = [record(number, f"07:{45 + number // 60:02}:{number % 60:02}") for number in range(400)]

    def answer(request: Request) -> Reply:
        since = request.query["since"]
        matching = [row for row in rows if row["updated_at"] >= since]
        first = (int(request.query["page"]) - 1) * 100
        return page(*matching[first : first + 100], total=len(matching))

    pagination = {**POSITIONS, "size": 100, "order": "ascending", "total": "total"}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == list(range(400))
        assert {request.query["page"] for request in server.requests} == {"1"}
        assert len(server.requests) == 5


@pytest.mark.parametrize(
    "pagination",
    [
        {"style": "cursor", "cursor": "next"},
        {"style": "cursor", "cursor": "next", "stable": True},
        {"style": "next_link", "link": "next"},
    ],
)
def test_a_repeated_cursor_is_an_error_and_no_loop(pagination: dict[str, Any]) -> None:
    numbers = iter(range(1000))

    def answer(_: Request) -> Reply:
        return page(record(next(numbers)), next="/customers?cursor=again")

    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        error = failure(opened)
        assert isinstance(error, ProviderMisbehaved)
        assert "round in a loop" in error.reason
        assert len(server.requests) <= 20


def test_a_restart_at_page_one_is_an_error() -> None:
    cursors = iter(range(1000))

    def answer(_: Request) -> Reply:
        return page(record(1), record(2), next=str(next(cursors)))

    with Server(answer) as server, client(server.url) as opened:
        assert "a page that it has returned before" in failure(opened).reason
        assert len(server.requests) == 4


def test_a_loop_of_several_pages_is_an_error() -> None:
    def answer(request: Request) -> Reply:
        return page(record(int(request.query["page"]) % 3))

    with Server(answer) as server, client(server.url, pagination={**POSITIONS, "size": 1}) as opened:
        assert "a page that it has returned before" in failure(opened).reason
        assert len(server.requests) == 8


def test_a_page_that_repeats_because_records_were_inserted_is_no_loop() -> None:
    replies = iter(
        [
            [record("a", "07:52:00"), record("b", "07:51:00")],
            [record("a", "07:52:00"), record("b", "07:51:00")],  # two records were inserted in front
            *[
                [record("y", "07:54:00"), record("x", "07:53:00")],
                [record("a", "07:52:00"), record("b", "07:51:00")],
                [],
            ]
            * 3,
        ]
    )

    with Server(lambda _: page(*next(replies))) as server, client(server.url, pagination=POSITIONS) as opened:
        assert sorted(ids(opened)) == ["a", "b", "x", "y"]


def test_newest_first_a_customer_that_is_not_seen_again_means_another_pass() -> None:
    """Twice a record was deleted after its page was read, and both times `c` moved over the page's edge."""
    a, b, c, d, e = (record(name, f"07:5{9 - number}:30") for number, name in enumerate("abcde"))
    new = record("new", "08:30:00")
    passes_made = [[[a, b], [d, e], []], [[new, b], [d, e], []], *[[[new, c], [d, e], []]] * 2]
    replies = iter([each for made in passes_made for each in made])
    endpoint = {"path": "/customers", "records": "items", "query": {"since": "{since}"}}
    pagination = {**POSITIONS, "order": "descending"}
    with (
        Server(lambda _: page(*next(replies))) as server,
        client(server.url, list=endpoint, pagination=pagination) as o,
    ):
        assert sorted(ids(o)) == ["a", "b", "c", "d", "e"]


def test_pages_that_are_empty_are_read_over() -> None:
    pages: list[list[dict[str, Any]]] = [[], [record(1)], [], [], [record(2)], []]
    with (
        Server(linked(*pages)) as server,
        client(server.url, pagination={"style": "next_link", "link": "next"}) as opened,
    ):
        assert ids(opened) == [1, 2]


def test_pages_that_are_empty_for_ever_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passes, "MOST_EMPTY_PAGES", 5)
    cursors = iter(range(1000))
    with Server(lambda _: page(next=next(cursors) + 1)) as server, client(server.url) as opened:
        assert "5 pages in a row are empty" in failure(opened).reason
        assert len(server.requests) == 12


@pytest.mark.parametrize("at", ["07:30:00", "08:01:01"])
def test_a_filter_that_is_ignored_is_an_error(at: str) -> None:
    with Server(page(record(1), record(2, at))) as server, client(server.url) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert "1 of 2 records on a page lie outside" in error.reason


def test_records_on_the_edge_of_what_the_sent_format_tells_apart_do_not_mean_an_ignored_filter() -> None:
    endpoint = {
        "path": "/customers",
        "records": "items",
        "query": {"since": "{since}", "until": "{until}"},
        "datetimes": {"format": "%Y-%m-%d"},
    }
    rows = [record(1, "2025-11-22T00:00:00Z"), record(2), record(3, "2025-11-24T23:59:59Z")]
    with Server(page(*rows)) as server, client(server.url, list=endpoint) as opened:
        assert ids(opened) == [2]
        assert server.requests[0].query == {"since": "2025-11-22", "until": "2025-11-24"}


@pytest.mark.parametrize(
    ("order", "times"), [("ascending", ("07:52:30", "07:51:00")), ("descending", ("07:51:00", "07:52:30"))]
)
def test_a_sort_order_that_is_ignored_is_an_error(order: str, times: tuple[str, str]) -> None:
    rows = [record(number, at) for number, at in enumerate([*times, "07:51:30"])]
    pagination = {"style": "cursor", "cursor": "next", "order": order}
    with Server(page(*rows)) as server, client(server.url, pagination=pagination) as opened:
        assert f"not in {order} order" in failure(opened).reason


def test_disorder_within_a_second_is_let_pass_and_loses_nothing() -> None:
    """Many servers sort by the second; a walk by value must ask for what the sort put on the next page."""
    rows = [record("a", "07:50:00"), record("b", "07:51:00.5"), record("c", "07:51:00.2"), record("d", "07:53:00")]

    def answer(request: Request) -> Reply:
        since, first = request.query["since"], (int(request.query["page"]) - 1) * 2
        matching = [row for row in rows if row["updated_at"] >= since]
        return page(*matching[first : first + 2], total=len(matching))

    pagination = {**POSITIONS, "order": "ascending", "total": "total"}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == ["a", "b", "c", "d"]


def test_disorder_that_grows_second_by_second_is_an_error() -> None:
    rows = [record(at, f"07:51:{at:02}") for at in range(20, 10, -1)]
    pagination = {"style": "cursor", "cursor": "next", "order": "ascending"}
    with Server(page(*rows)) as server, client(server.url, pagination=pagination) as opened:
        assert "not in ascending order" in failure(opened).reason


def test_a_newest_first_list_that_cuts_fractions_off_loses_nothing() -> None:
    rows = [record(number, f"07:51:00.{900 - number}") for number in range(6)] + [record(9, "07:50:30")]

    def answer(request: Request) -> Reply:
        first = (int(request.query["page"]) - 1) * 2
        matching = [row for row in rows if row["updated_at"] < request.query["until"]]
        shown = [{**row, "updated_at": row["updated_at"][:19] + "Z"} for row in matching[first : first + 2]]
        return page(*shown, total=len(matching))

    pagination = {**POSITIONS, "order": "descending", "total": "total"}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [0, 1, 2, 3, 4, 5, 9]


@pytest.mark.parametrize("style", ["page_number", "offset"])
def test_a_total_that_is_not_reached_is_an_error(style: str) -> None:
    def answer(request: Request) -> Reply:
        first = request.query.get("page") == "1" or request.query.get("offset") == "0"
        return page(*([record(1), record(2)] if first else []), total=5)

    pagination = {"style": style, "total": "total", "max_passes": 3}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert "2 records of the 5 that the provider states" in error.reason


def test_a_total_that_a_stable_list_does_not_reach_twice_is_an_error() -> None:
    pagination = {"style": "cursor", "cursor": "next", "stable": True, "total": "total"}
    with Server(page(record(1), total=2)) as server, client(server.url, pagination=pagination) as opened:
        assert "1 records of the 2" in failure(opened).reason
        assert len(server.requests) == 2


def test_a_record_that_moved_behind_a_stable_walk_means_another_pass() -> None:
    replies = [page(record(1), next="x", total=3), page(record(3), total=3)]
    pagination = {"style": "cursor", "cursor": "next", "stable": True, "total": "total"}
    again = page(record(2, "07:59:00"), record(1), record(3), total=3)
    with Server([*replies, again]) as server, client(server.url, pagination=pagination) as opened:
        assert set(ids(opened)) == {1, 2, 3}


def test_a_stable_list_may_grow_behind_the_walk() -> None:
    replies = [page(record(1), next="x", total=2), page(record(2), total=3)]
    pagination = {"style": "cursor", "cursor": "next", "stable": True, "total": "total"}
    with Server(replies) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1, 2]


@pytest.mark.parametrize(
    ("pagination", "members", "reason"),
    [
        ({**POSITIONS, "total": "total"}, {"total": []}, "no whole number at 'total' (pagination.total)"),
        ({**POSITIONS, "total": "total"}, {"total": "many"}, "no whole number at 'total'"),
        ({**POSITIONS, "total": "total"}, {"total": True}, "no whole number at 'total'"),
        ({**POSITIONS, "total": "total"}, {"total": -1}, "no whole number at 'total'"),
        ({**POSITIONS, "total": "sum(items[].id)"}, {}, "no whole number at 'sum(items[].id)'"),
        ({**POSITIONS, "total_pages": "pages"}, {}, "no whole number at 'pages' (pagination.total_pages)"),
        (LAST_ID, {}, "neither true nor false at 'more'"),
        (LAST_ID, {"more": "yes"}, "neither true nor false at 'more'"),
        ({"style": "cursor", "cursor": "next"}, {"next": {"a": 1}}, "the next cursor or link is dict"),
        ({"style": "cursor", "cursor": "next"}, {"next": True}, "the next cursor or link is bool"),
        ({"style": "cursor", "cursor": "abs(next)"}, {"next": "x"}, "the next cursor or link is _Unusable"),
    ],
)
def test_what_a_style_promises_and_an_answer_lacks_is_an_error(
    pagination: dict[str, Any], members: dict[str, Any], reason: str
) -> None:
    with Server(page(record("marker"), **members)) as server, client(server.url, pagination=pagination) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert reason in error.reason


def test_a_last_record_without_an_id_cannot_be_gone_on_from() -> None:
    with Server(page(record(1), record(None), more=True)) as server, client(server.url, pagination=LAST_ID) as opened:
        assert "no usable id to go on from" in failure(opened).reason


def test_an_anchor_that_was_deleted_during_the_walk_means_another_pass() -> None:
    gone = iter([Reply(404, JSON, b"{}")])

    def answer(request: Request) -> Reply:
        if request.query.get("starting_after") == "2":
            return next(gone, page(record(3), more=False))
        return page(record(1), record(2), more=True)

    with Server(answer) as server, client(server.url, pagination=LAST_ID) as opened:
        records, walking = walk(opened)
    assert [each["id"] for each in records] == [1, 2, 3]
    assert walking.stats.passes == 3


@pytest.mark.parametrize("stable", [True, False])
def test_a_page_that_is_always_refused_is_an_error_that_may_be_tried_again(stable: bool) -> None:  # noqa: FBT001
    def answer(request: Request) -> Reply:
        return Reply(400, JSON, b"{}") if "cursor" in request.query else page(record(1), next="expired")

    pagination = {"style": "cursor", "cursor": "next", "stable": stable}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        error = failure(opened)
        assert isinstance(error, ProviderMisbehaved)
        assert "refuses to go on" in error.reason
        assert error.request.status == 400
        assert len(server.requests) == 4


def test_a_token_that_expires_during_the_walk_is_a_rejection() -> None:
    with Server([page(record(1), next="x"), Reply(401)]) as server, client(server.url) as opened:
        assert isinstance(failure(opened), ProviderRejected)


def test_a_first_page_that_is_refused_is_a_rejection() -> None:
    with Server(Reply(400)) as server, client(server.url) as opened:
        assert isinstance(failure(opened), ProviderRejected)


@pytest.mark.parametrize(
    "link", ["/customers?cursor={}", "?cursor={}", "customers?cursor={}", "{base}/customers?cursor={{}}"]
)
def test_links_are_followed_relative_or_absolute(link: str) -> None:
    pages = [[record(1)], [record(2)], [record(3)]]
    with Server(page()) as server:
        server.answer = linked(*pages, link=link.format("{}", base=server.url))
        pagination = {"style": "next_link", "link": "next", "stable": True}
        with client(server.url, pagination=pagination) as opened:
            assert ids(opened) == [1, 2, 3]


FOREIGN_LINKS = [
    "{foreign}/customers",
    "//127.0.0.1:{foreign_port}/customers",
    "http://127.0.0.1:{foreign_port}\\@127.0.0.1:{port}/customers",
    "http://127.0.0.1:{port}@127.0.0.1:{foreign_port}/customers",
    "http://user:127.0.0.1:{port}@127.0.0.1:{foreign_port}/",
    "https://127.0.0.1:{port}/customers",
    "http://localhost:{port}/customers",
    "ftp://127.0.0.1:{port}/customers",
    "http://[::1/customers",
    "http://127.0.0.1:99999999/",
    "http://127.0.0.1:{port}.evil.example/",
    "http://\uff11\uff12\uff17.0.0.1.evil.example:{port}/",
]


@pytest.mark.parametrize("link", FOREIGN_LINKS)
@pytest.mark.parametrize("place", ["body", "Link header", "next header", "redirect"])
def test_a_link_to_another_origin_is_refused_and_nothing_is_sent_there(link: str, place: str) -> None:
    with Server(page(record(9))) as foreign, Server(lambda _: reply) as server:
        target = link.format(foreign=foreign.url, foreign_port=foreign.port, port=server.port)
        header = target.encode().decode("latin-1")
        reply = {
            "body": page(record(1), next=target),
            "Link header": page(record(1), headers={"Link": f'<{header}>; rel="next"'}),
            "next header": page(record(1), headers={"X-Next": header}),
            "redirect": Reply(302, {"Location": header}),
        }[place]
        pagination = {
            "body": {"style": "next_link", "link": "next"},
            "Link header": {"style": "link_header"},
            "next header": {"style": "next_header", "header": "X-Next"},
            "redirect": {"style": "link_header"},
        }[place]
        auth = {"type": "bearer", "token": "${TOKEN}"}
        with client(server.url, {"TOKEN": "secret"}, pagination=pagination, auth=auth) as opened:
            error = failure(opened)
        assert isinstance(error, ProviderMisbehaved)
        assert "leads away" in error.reason
        assert foreign.connections == 0
        assert len(server.requests) == 1


def test_userinfo_in_a_link_is_dropped_and_the_credentials_are_the_profiles() -> None:
    def answer(request: Request) -> Reply:
        last = "cursor" in request.query
        return page(record(2 if last else 1), next=None if last else server.url.replace("//", "//a:b@") + "/c?cursor=1")

    pagination = {"style": "next_link", "link": "next", "stable": True}
    auth = {"type": "bearer", "token": "${TOKEN}"}
    with Server(answer) as server, client(server.url, {"TOKEN": "t"}, pagination=pagination, auth=auth) as opened:
        assert ids(opened) == [1, 2]
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer t", "Bearer t"]


@pytest.mark.parametrize("port", ["", ":{port}", ":0{port}"])
def test_the_same_origin_written_otherwise_is_the_same(port: str) -> None:
    def answer(request: Request) -> Reply:
        if "cursor" in request.query:
            return page(record(2))
        return page(record(1), next=f"HTTP://127.0.0.1{port.format(port=server.port) or f':{server.port}'}/c?cursor=1")

    pagination = {"style": "next_link", "link": "next", "stable": True}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1, 2]


@pytest.mark.parametrize("echoed", ["key=old", "key=s%26ecret", "a=1&key=x&key=y"])
def test_a_key_in_the_query_stands_once_in_a_link_whose_other_parameters_stay_as_they_are(echoed: str) -> None:
    def answer(request: Request) -> Reply:
        last = "cursor" in request.query
        return page(record(2 if last else 1), next=None if last else f"/customers?cursor=%FFa%20b+c&{echoed}&flag")

    pagination = {"style": "next_link", "link": "next", "stable": True}
    auth = {"type": "api_key", "in": "query", "name": "key", "value": "${KEY}"}
    with Server(answer) as server, client(server.url, {"KEY": "s&ecret"}, pagination=pagination, auth=auth) as opened:
        assert ids(opened) == [1, 2]
        first, second = (request.target for request in server.requests)
    assert first.count("key=") == second.count("key=") == 1
    assert "key=s%26ecret" in first
    assert "cursor=%FFa%20b+c&" in second
    assert "&flag&key=s%26ecret" in second


def test_a_link_cannot_inject_a_header() -> None:
    def answer(request: Request) -> Reply:
        if request.path != "/customers":
            return page(record(2))
        return page(record(1), next="/c\r\nX-Evil: 1\r\n\r\nGET /x?cursor=\r\nX-Evil: 2")

    pagination = {"style": "next_link", "link": "next", "stable": True}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1, 2]
        assert len(server.requests) == 2
        assert "x-evil" not in server.requests[1].headers


@pytest.mark.parametrize("cursor", ["a b&since=x", "é\r\nX-Evil: 1", 12, "%41"])
def test_a_cursor_arrives_as_it_was_given(cursor: object) -> None:
    with Server([page(record(1), next=cursor), page(record(2))]) as server:
        pagination = {"style": "cursor", "cursor": "next", "stable": True}
        with client(server.url, pagination=pagination) as opened:
            assert ids(opened) == [1, 2]
        assert server.requests[1].query["cursor"] == str(cursor)
        assert server.requests[1].query["since"] == server.requests[0].query["since"]


def test_the_next_link_is_found_among_several_link_headers() -> None:
    first = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        b'Link: </customers>; rel="first"; title="a=b; rel=next, <x>"\r\n'
        b'Link: </customers?cursor=1,5>; REL="last next"\r\n\r\n'
    )
    replies = [Reply(pieces=[first, page(record(1)).body]), page(record(2))]
    pagination = {"style": "link_header", "stable": True}
    with Server(replies) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1, 2]
        assert server.requests[1].query["cursor"] == "1,5"


def test_an_unreadable_link_header_is_an_error_and_not_the_end() -> None:
    reply = page(record(1), headers={"Link": "/customers?page=2; rel=next"})
    with Server(reply) as server, client(server.url, pagination={"style": "link_header"}) as opened:
        assert "Link header is not" in failure(opened).reason


@pytest.mark.parametrize("style", ["page_number", "offset"])
def test_a_page_size_that_is_clamped_silently_ends_nothing_too_early(style: str) -> None:
    rows = [record(number) for number in range(7)]

    def answer(request: Request) -> Reply:
        size = min(int(request.query["size"]), 3)
        first = (int(request.query["page"]) - 1) * size if style == "page_number" else int(request.query["offset"])
        return page(*rows[first : first + size])

    pagination = {"style": style, "size_param": "size", "size": 500}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == list(range(7))


def test_a_state_is_handed_out_again_only_when_another_of_the_same_instant_came_between() -> None:
    pages = [[record(1, n=1), record(2)], [record(1, n=1), record(1, n=2)], [record(3)]]
    pagination = {"style": "next_link", "link": "next", "max_passes": 2}
    with Server(linked(*pages)) as server, client(server.url, pagination=pagination) as opened:
        walking = opened.walk(WINDOW)
        records: list[str] = []
        with pytest.raises(ProviderMisbehaved, match="not the same twice"):
            records.extend(text for each in walking for text in each.records)
    assert [(json.loads(text)["id"], json.loads(text).get("n")) for text in records] == [
        (1, 1), (2, None), (1, 2), (3, None), (1, 1), (1, 2),
    ]  # fmt: skip
    assert walking.stats.redelivered == 4


POISON = [
    record(None),
    record({"a": 1}),
    record("x\x00"),
    record("ok", None),
    record("ok", "soon"),
    record("ok", "1801-01-01T00:00:00Z"),
    record("ok", "9998-01-01T00:00:00Z"),
    record("ok", 2**70),
    "text",
    None,
    [1],
    {},
]


@pytest.mark.parametrize("poison", POISON)
@pytest.mark.parametrize(
    "pagination",
    [
        {"style": "cursor", "cursor": "next"},
        {"style": "cursor", "cursor": "next", "stable": True},
        {"style": "cursor", "cursor": "next", "order": "ascending"},
        {"style": "cursor", "cursor": "next", "order": "descending"},
    ],
)
def test_a_record_that_cannot_be_used_is_handed_out_for_quarantine(poison: object, pagination: dict[str, Any]) -> None:
    def answer(request: Request) -> Reply:
        last = "cursor" in request.query
        return page(*([record(2), poison] if last else [record(1)]), next=None if last else "x")

    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        records, walking = walk(opened)
    assert poison in records
    assert len(records) == 3
    assert walking.stats.rows == 3


def test_records_without_an_id_are_known_by_their_text() -> None:
    rows = [{"updated_at": "2025-11-23T07:51:00Z", "n": number} for number in range(5)]
    with Server(numbered(rows[:2], rows[2:4], rows[4:])) as server, client(server.url, pagination=POSITIONS) as opened:
        records, walking = walk(opened)
        assert [each["n"] for each in records] == [0, 1, 2, 3, 4]
        assert walking.stats.redelivered == 5
        assert not any("updated_at" in name for name, _ in walking._delivery._handed_out)


@pytest.mark.parametrize("stable", [True, False])
def test_what_a_walk_remembers_does_not_grow_with_a_list_that_is_stable_or_sorted(stable: bool) -> None:  # noqa: FBT001
    rows = [record(number, f"07:{45 + number // 60:02}:{number % 60:02}") for number in range(600)]

    def answer(request: Request) -> Reply:
        first = int(request.query.get("cursor", "0"))
        matching = [row for row in rows if row["updated_at"] >= request.query["since"]]
        following = first + 20 if first + 20 < len(matching) else None
        return page(*matching[first : first + 20], next=following)

    pagination = {"style": "cursor", "cursor": "next", "order": "ascending", "stable": stable}
    with Server(answer) as server, client(server.url, pagination=pagination) as opened:
        walking = opened.walk(WINDOW)
        kept = [len(walking._delivery._handed_out) for _ in walking]
    assert walking.stats.rows == 600
    assert max(kept) <= (0 if stable else 25)


def test_no_content_is_the_end_where_the_profile_says_so() -> None:
    endpoint = {**UNFILTERED, "no_content_is_empty": True}
    pagination = {**POSITIONS, "total": "total"}
    with Server(Reply(204)) as server, client(server.url, list=endpoint, pagination=pagination) as opened:
        assert ids(opened) == []
        assert len(server.requests) == 1


def test_the_clock_difference_is_the_largest_that_was_measured() -> None:
    now = datetime.now(UTC)
    dates = [format_http_date(now - timedelta(hours=2)), format_http_date(now + timedelta(hours=1)), None]
    replies = [
        page(record(number), next=str(number) if date else None, headers={"Date": date} if date else {})
        for number, date in enumerate(dates)
    ]
    pagination = {"style": "cursor", "cursor": "next", "stable": True}
    with Server(replies) as server, client(server.url, pagination=pagination) as opened:
        records, walking = walk(opened)
    assert len(records) == 3
    measured = walking.stats.clock_difference
    assert measured is not None
    assert abs(measured - timedelta(hours=1)) < timedelta(seconds=20)


def test_without_a_date_there_is_no_clock_difference() -> None:
    with Server(page(record(1))) as server, client(server.url) as opened:
        assert walk(opened)[1].stats.clock_difference is None


def test_a_provider_whose_clock_stands_still_still_has_its_records_compared_with_the_window() -> None:
    reply = page(record(1), record(2, "08:30:00"), headers={"Date": "Thu, 01 Jan 1970 00:00:00 GMT"})
    with Server(reply) as server, client(server.url, list=UNFILTERED) as opened:
        assert ids(opened) == [1]


def test_a_provider_whose_clock_is_ahead_may_show_times_ahead_of_ours() -> None:
    ahead = datetime.now(UTC) + timedelta(hours=1)
    reply = page(record(1, ahead.isoformat()), headers={"Date": ahead.strftime("%a, %d %b %Y %H:%M:%S GMT")})
    with Server(reply) as server, client(server.url, list=UNFILTERED) as opened:
        records, walking = walk(opened)
    assert records == []
    assert walking.stats.outside == 1


def test_pages_show_nothing_of_their_records() -> None:
    with Server(page(record("secret-customer"))) as server, client(server.url) as opened:
        [only] = list(opened.walk(WINDOW))
    assert "secret-customer" not in repr(only)
