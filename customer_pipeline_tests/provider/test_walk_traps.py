"""Providers that would lose a record without anybody noticing, or block a window for ever, over real HTTP."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from customer_pipeline.provider.errors import ProviderMisbehaved
from customer_pipeline.provider.profile import ProfileError
from customer_pipeline.timestamps import format_http_date, format_instant, now
from customer_pipeline.windows import WINDOW_LENGTH, Window, floor
from customer_pipeline_tests.provider.test_walk import (
    POSITIONS,
    UNFILTERED,
    failure,
    ids,
    linked,
    numbered,
    record,
    walk,
)
from customer_pipeline_tests.provider.wire import JSON, Reply, Request, Server, client, page, profile

ASCENDING = {**POSITIONS, "order": "ascending", "total": "total"}
STABLE = {"style": "next_link", "link": "next", "stable": True, "total": "total"}


def at_of(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(str(row["updated_at"]))


def filtering(rows: list[dict[str, Any]], shown: Callable[[dict[str, Any]], dict[str, Any]] = dict) -> Any:
    """Serve the rows of the time that is asked for, by page number, with a total; in the order they are given."""

    def answer(request: Request) -> Reply:
        since, until = (datetime.fromisoformat(request.query[name]) for name in ("since", "until"))
        found = [row for row in rows if since <= at_of(row) < until]
        size = int(request.query.get("size", "100"))
        first = (int(request.query.get("page", "1")) - 1) * size
        return page(*map(shown, found[first : first + size]), total=len(found))

    return answer


def test_a_sort_parameter_that_is_ignored_is_found_out_by_the_total() -> None:
    rows = [record("a", "07:46:00"), record("b", "07:58:00"), record("c", "07:52:00"), record("d", "07:59:00")]
    with Server(filtering(rows)) as server, client(server.url, pagination=ASCENDING) as opened:
        error = failure(opened)
    assert isinstance(error, ProviderMisbehaved)
    assert "of the 4 records" in error.reason


def test_a_walk_by_value_over_an_ordered_list_meets_its_total() -> None:
    rows = [record(number, f"07:5{number}:00") for number in range(9)]
    with Server(filtering(rows)) as server, client(server.url, pagination=ASCENDING) as opened:
        assert ids(opened) == list(range(9))


def test_a_stable_list_that_repeats_a_customer_and_leaves_out_another_is_not_believed() -> None:
    def answer(request: Request) -> Reply:
        if "cursor" in request.query:
            return page(record("b", "07:52:00"), record("c", "07:53:00"), next=None, total=4)
        return page(record("a"), record("b", "07:52:00"), next="/customers?cursor=1", total=4)

    with Server(answer) as server, client(server.url, pagination=STABLE) as opened:
        assert isinstance(failure(opened), ProviderMisbehaved)


def test_newest_first_with_unstable_ties_is_found_out_by_the_total() -> None:
    tied = [[record("a"), record("b")], [record("b"), record("c")]]
    pagination = {**POSITIONS, "order": "descending", "total": "total"}
    with (
        Server(numbered(*tied, total=4)) as server,
        client(server.url, list=UNFILTERED, pagination=pagination) as opened,
    ):
        assert isinstance(failure(opened), ProviderMisbehaved)


@pytest.mark.parametrize("stated", [2, 3])
def test_a_total_that_is_too_small_does_not_end_the_list(stated: int) -> None:
    rows = [[record(1), record(2)], [record(3), record(4)], [record(5)]]
    pagination = {**POSITIONS, "total": "total"}
    with Server(numbered(*rows, total=stated)) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1, 2, 3, 4, 5]


def test_a_provider_that_refuses_the_page_behind_the_last_full_one_is_believed() -> None:
    def answer(request: Request) -> Reply:
        if request.query["page"] == "1":
            return page(record(1), record(2), total=2)
        return Reply(status=404, headers=JSON, body=b"{}")

    with Server(answer) as server, client(server.url, pagination={**POSITIONS, "total": "total"}) as opened:
        assert ids(opened) == [1, 2]


def test_a_total_of_null_is_none() -> None:
    pagination = {**ASCENDING, "short_page_is_last": True}
    with Server(page(record(1), total=None)) as server, client(server.url, pagination=pagination) as opened:
        assert ids(opened) == [1]


def test_records_whose_time_is_shown_as_a_date_are_those_that_the_provider_found() -> None:
    rows = [record("a", "07:51:00"), record("b", "07:59:00")]
    coarse = filtering(rows, lambda row: {**row, "updated_at": "2025-11-23"})
    with Server(coarse) as server, client(server.url, pagination={**POSITIONS, "total": "total"}) as opened:
        assert ids(opened) == ["a", "b"]


@pytest.mark.parametrize("query", [{"since": "{since}", "until": "{until}"}, {}])
def test_no_record_of_the_hour_that_a_zone_repeats_is_lost(query: dict[str, str]) -> None:
    window = Window(datetime(2025, 10, 26, 1, 30, tzinfo=UTC), datetime(2025, 10, 26, 1, 40, tzinfo=UTC))
    reply = page(record("a", "2025-10-26T02:35:00"))  # 01:35Z, the second time that Zurich's clocks show it
    settings: dict[str, Any] = {"datetimes": {"timezone": "Europe/Zurich"}, "list": {**UNFILTERED, "query": query}}
    with Server(reply) as server, client(server.url, **settings) as opened:
        assert [text for each in opened.walk(window) for text in each.ids] == ["a"]


def test_newest_first_is_not_continued_by_times_that_may_be_shown_too_early() -> None:
    rows = [record(number, f"07:51:{39 - number}") for number in range(8)]
    shown = filtering(rows, lambda row: {**row, "updated_at": f"{row['updated_at'][:18]}0Z"})
    with Server(shown) as server, client(server.url, pagination={**POSITIONS, "order": "descending"}) as opened:
        assert sorted(ids(opened)) == list(range(8))


def test_a_list_by_id_whose_records_are_edited_in_place_is_believed() -> None:
    edits = iter(range(100))

    def answer(request: Request) -> Reply:
        number = int(request.query["page"])
        rows = [record(name, f"07:51:00.{next(edits):06}") for name in range(2 * number - 2, 2 * number)]
        return page(*(rows if number <= 3 else []))

    with Server(answer) as server, client(server.url, list=UNFILTERED, pagination=POSITIONS) as opened:
        assert set(ids(opened)) == set(range(6))


def test_a_record_that_was_edited_just_now_does_not_mean_an_ignored_filter() -> None:
    edited = record("late", format_instant(now()))
    with Server(page(record(1), record(2, "07:52:00"), edited)) as server, client(server.url) as opened:
        assert ids(opened) == [1, 2]


@pytest.mark.parametrize(("behind", "refused"), [(timedelta(minutes=2), False), (timedelta(minutes=20), True)])
def test_a_window_that_has_not_ended_by_the_providers_clock_is_not_walked(behind: timedelta, *, refused: bool) -> None:
    end = floor(now())
    reply = page(headers={"Date": format_http_date(end - behind)})
    with Server(reply) as server, client(server.url, lookback="5m") as opened:
        walking = opened.walk(Window(end - WINDOW_LENGTH, end))
        if refused:
            with pytest.raises(ProviderMisbehaved, match=r"clock is .* behind.*set lookback") as raised:
                list(walking)
            assert raised.value.transient
        else:
            assert list(walking) == []


def test_a_date_at_the_end_of_time_is_no_clock() -> None:
    reply = page(record(1), headers={"Date": "Fri, 31 Dec 9999 23:59:59 GMT"})
    with Server(reply) as server, client(server.url) as opened:
        records, walking = walk(opened)
    assert len(records) == 1
    assert walking.stats.clock_difference is None


def test_a_lone_surrogate_passes_through_a_search_for_the_records() -> None:
    body = b'{"items": [{"id": 1, "updated_at": "2025-11-23T07:51:00Z", "name": "\\ud83d"}]}'
    listing = {"path": "/customers", "records": "items[]"}
    with Server(Reply(headers=JSON, body=body)) as server, client(server.url, list=listing) as opened:
        [only] = list(
            opened.walk(Window(datetime(2025, 11, 23, 7, 50, tzinfo=UTC), datetime(2025, 11, 23, 8, tzinfo=UTC)))
        )
    assert only.records[0].encode()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"list": {"path": "/customers/{since}"}}, "not in list.path"),
        ({"list": {"path": "/customers", "query": {"to": "{untill}"}}}, "holds {untill}"),
        ({"pagination": {"style": "page_number", "short_page_is_last": True}}, "needs size_param"),
        ({"headers": {"X-Api-Key": "literal"}}, "holds a secret"),
    ],
)
def test_a_profile_that_would_lose_records_or_tell_a_secret_is_refused(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises((ProfileError, ValueError)) as raised:
        profile("http://127.0.0.1:9", **changes)
    assert reason in str(raised.value)


def test_linked_pages_are_read_to_their_end() -> None:
    with (
        Server(linked([record(1)], [record(2)], [])) as server,
        client(server.url, pagination=STABLE | {"total": None}) as opened,
    ):
        assert ids(opened) == [1, 2]
