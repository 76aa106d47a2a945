"""Lists of ids, and pages."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from customer_pipeline.api import cursors
from customer_pipeline.cache.connection import Connection
from customer_pipeline.cache.publisher import Publisher
from customer_pipeline.timestamps import epoch_milliseconds, format_instant, parse_instant
from customer_pipeline_tests.api.serving import KEYS, ApiServer, deleted, ids_of, live
from customer_pipeline_tests.cache.states import deletion
from customer_pipeline_tests.cache.states import live as small

LIST = "/v1/customers"
START = datetime(2026, 11, 23, 7, 50, tzinfo=UTC)


def at(milliseconds: int, microseconds: int = 0) -> str:
    return format_instant(START + timedelta(milliseconds=milliseconds, microseconds=microseconds))


def pages(api: ApiServer, **query: Any) -> list[requests.Response]:
    """Follow `next` to the end; the header says the same."""
    found = [api.get(LIST, **query)]
    while (cursor := found[-1].json()["next"]) is not None:
        link = found[-1].links["next"]["url"]
        assert parse_qs(urlsplit(link).query)["cursor"] == [cursor]
        found.append(api.get(link))
    assert "Link" not in found[-1].headers
    return found


def listed(api: ApiServer, **query: Any) -> list[str]:
    return [each for response in pages(api, **query) for each in ids_of(response.json()["customers"])]


def refused(response: requests.Response) -> list[str]:
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    return [error["field"] for error in response.json()["errors"]]


def test_a_list_of_ids_keeps_its_order_and_names_who_is_missing(api: ApiServer, publisher: Publisher) -> None:
    states = [live(name) for name in ("a", "b", "c/d", "🦊")]
    publisher.publish([*states, deleted("gone")])
    response = api.get(LIST, ids="🦊,gone,b,nobody,c/d,b,\n")
    assert ids_of(response.json()["customers"]) == ["🦊", "b", "c/d"]
    assert response.json()["missing"] == ["gone", "nobody", "\n"]
    assert states[1].document is not None
    assert states[1].document in response.content
    assert api.get(LIST, ids=["a", "b"]).json() == api.get(LIST, ids="a,b").json()


def test_a_hundred_ids_can_be_asked_for_and_no_more(api: ApiServer, publisher: Publisher) -> None:
    names = [f"c{number}" for number in range(101)]
    publisher.publish([live(name) for name in names])
    assert ids_of(api.get(LIST, ids=",".join(names[:100])).json()["customers"]) == names[:100]
    assert refused(api.get(LIST, ids=",".join(names))) == ["ids"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("ids=", ["ids"]),
        ("ids=a,,b", ["ids"]),
        ("ids=a&limit=5", ["ids"]),
        ("limit=0", ["limit"]),
        ("limit=501", ["limit"]),
        ("limit=ten&cursor=" + "x" * (cursors.LENGTH + 1), ["cursor", "limit"]),
        ("update_since=2026-11-23T07:50:00Z", ["query"]),
        ("updated_since=", ["updated_since"]),
        ("updated_since=2026-11-23", ["updated_since"]),
        ("updated_since=2026-11-23T07:50:00", ["updated_since"]),
        ("updated_since=2026-02-29T07:50:00Z", ["updated_since"]),
        ("updated_since=0001-01-01T00:00:00%2B01:00", ["updated_since"]),
        ("updated_since=1795420200", ["updated_since"]),
        ("limit=5&limit=6", ["limit"]),
        ("cursor=", ["cursor"]),
        ("cursor=bad", ["cursor"]),
        ("cursor=" + cursors.dump(1, b"a") + "=", ["cursor"]),
        ("cursor=" + cursors.dump(2**60, b"a"), ["cursor"]),
        ("cursor=W3RydWUsImEiXQ", ["cursor"]),
        ("cursor=WzEsIuKAqCJd", ["cursor"]),
        ("cursor=W10", ["cursor"]),
        ("cursor=WzEuNSwiYSJd", ["cursor"]),
    ],
)
def test_what_cannot_be_used_is_400_with_the_field_named(api: ApiServer, query: str, fields: list[str]) -> None:
    assert refused(api.get(f"{LIST}?{query}")) == fields


@pytest.mark.parametrize("others", ["limit=1", "cursor=W10", "updated_since=2026-11-23T07:50:00Z"])
@pytest.mark.parametrize("ids", ["ids=c1", "ids=c1&ids=c2", "ids=c1,c2&ids=c3"])
def test_ids_are_not_combined_with_other_parameters(api: ApiServer, ids: str, others: str) -> None:
    assert refused(api.get(f"{LIST}?{ids}&{others}")) == ["ids"]


def test_what_something_else_put_into_the_index_stops_no_page(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    publisher.publish([live(name, updated_at=at(number)) for number, name in enumerate("abc")])
    first = epoch_milliseconds(parse_instant(at(0)))
    foreign = {b"\xff\xfe": 1, b"}": first, b"": first + 1, b"late": float("inf"), b"early": float("-inf")}
    connection.zadd(KEYS.by_updated_at, foreign)
    for limit in (1, 2, 3, 50):
        assert listed(api, limit=limit) == ["a", "b", "c"]


def test_an_empty_cache_has_one_empty_page(api: ApiServer) -> None:
    assert api.get(LIST).json() == {"customers": [], "next": None}
    assert api.get(LIST, cursor=cursors.dump(0, b"a")).json() == {"customers": [], "next": None}


def test_pages_follow_the_order_of_updated_at_and_id(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish(
        [live(name, updated_at=at(ms)) for name, ms in (("b", 5), ("a", 5), ("c", 1), ("d", 9), ("B", 5))]
    )
    assert listed(api) == listed(api, limit=1) == listed(api, limit=2) == ["c", "B", "a", "b", "d"]


def test_updated_since_is_exact_to_the_microsecond_in_any_offset(api: ApiServer, publisher: Publisher) -> None:
    publisher.publish([live(f"c{us}", updated_at=at(3, us)) for us in (0, 499, 500, 999)])
    publisher.publish([live("later", updated_at=at(4))])
    since = START + timedelta(milliseconds=3, microseconds=500)
    expected = ["c500", "c999", "later"]
    assert listed(api, updated_since=format_instant(since), limit=1) == expected
    for hours in (-11, 1, 14):
        text = since.astimezone(timezone(timedelta(hours=hours))).isoformat()
        assert listed(api, updated_since=text) == expected
        assert ids_of(api.get(f"{LIST}?updated_since={text}").json()["customers"]) == expected  # a bare + is a space
    assert listed(api, updated_since="2026-11-23T07:50:00.004Z") == ["later"]
    assert listed(api, updated_since="1969-12-31T23:59:59.9999z")[0] == "c0"
    assert listed(api, updated_since="2026-11-24t00:00:00-00:00") == []


def test_whose_document_is_gone_is_left_out_and_the_pages_go_on(
    api: ApiServer, publisher: Publisher, connection: Connection
) -> None:
    names = [f"c{number}" for number in range(9)]
    publisher.publish([live(name) for name in names])
    connection.delete(*[KEYS.document(name) for name in names[3:6]])
    assert [len(page.json()["customers"]) for page in pages(api, limit=3)] == [3, 0, 3, 0]


def test_a_cursor_of_somebody_who_is_gone_or_has_moved_goes_on_at_the_place(
    api: ApiServer, publisher: Publisher
) -> None:
    publisher.publish([live(name, updated_at=at(1)) for name in "abcdef"])
    cursor = api.get(LIST, limit=3).json()["next"]
    publisher.publish([live("c", updated_at=at(7)), deleted("d", updated_at=at(8))])
    assert ids_of(api.get(LIST, cursor=cursor).json()["customers"]) == ["e", "f", "c"]


def test_many_who_share_one_instant_are_read_in_few_steps(api: ApiServer, connection: Connection) -> None:
    """A page deep inside one score asks for ranks, not for everybody before it."""
    names = [f"c{number:06d}" for number in range(20_000)]
    Publisher(connection).publish([small(name, 1, 1) for name in names])
    score = small("x", 1, 1).updated_ms
    response = api.get(LIST, cursor=cursors.dump(score, b"c015000x"), limit=3)
    assert ids_of(response.json()["customers"]) == names[15_001:15_004]
    connection.config_resetstat()
    api.get(LIST, cursor=cursors.dump(score, b"c015000x"), limit=3)
    stats = connection.info("commandstats")
    assert stats["cmdstat_zrange"]["calls"] < 20


@given(
    scores=st.lists(st.integers(0, 4), min_size=1, max_size=40),
    changes=st.lists(st.tuples(st.integers(0, 39), st.sampled_from(["move", "delete", "new"])), max_size=30),
    limit=st.integers(1, 7),
    data=st.data(),
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_who_does_not_change_is_neither_lost_nor_doubled_while_others_do(
    api: ApiServer,
    connection: Connection,
    *,
    scores: list[int],
    changes: list[tuple[int, str]],
    limit: int,
    data: st.DataObject,
) -> None:
    connection.flushdb()
    publisher = Publisher(connection)
    names = [f"c{number:03d}" for number in range(len(scores))]
    publisher.publish([small(name, score, 1) for name, score in zip(names, scores, strict=True)])
    pending, changed, seen, cursor, clock = list(changes), set[str](), list[str](), None, 100
    while True:
        query: dict[str, Any] = {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
        answer = api.get(LIST, **query).json()
        seen += ids_of(answer["customers"])
        cursor = answer["next"]
        if cursor is None:
            break
        for number, kind in pending[: data.draw(st.integers(0, 5), label="changes before the next page")]:
            pending.pop(0)
            clock += 1
            name = f"new{clock}" if kind == "new" else names[number % len(names)]
            changed.add(name)
            publisher.publish([small(name, clock, clock)] if kind != "delete" else [deletion(name, clock, clock)])
    unchanged = [name for name in names if name not in changed]
    assert sorted(name for name in seen if name not in changed) == unchanged
