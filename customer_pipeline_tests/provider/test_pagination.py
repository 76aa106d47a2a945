"""From one page to the next, without HTTP."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from requests.structures import CaseInsensitiveDict

from customer_pipeline.provider.pagination import Arrived, LoopError, PaginationError, Turn, paginator, total_of
from customer_pipeline.provider.styles import Pagination

ADAPTER: TypeAdapter[Pagination] = TypeAdapter(Pagination)


def style(**content: Any) -> Pagination:
    return ADAPTER.validate_python(content)


def arrived(document: Any = None, *, count: int = 2, total: int = 2, last: str | None = "z", **headers: str) -> Arrived:
    return Arrived(document, CaseInsensitiveDict({key.replace("_", "-"): text for key, text in headers.items()}),
                   count, total, last)  # fmt: skip


def test_page_numbers_count_up_until_a_page_is_empty() -> None:
    pages = paginator(style(style="page_number", first_page=0, size_param="n", size=2))
    assert pages.first() == Turn({"n": "2", "page": "0"})
    assert pages.after(arrived()) == Turn({"n": "2", "page": "1"})
    assert pages.after(arrived(count=1)) == Turn({"n": "2", "page": "2"})
    assert pages.after(arrived(count=0)) is None


@pytest.mark.parametrize(
    ("content", "document", "count", "last"),
    [
        ({"short_page_is_last": True, "size_param": "n", "size": 3}, {}, 2, True),
        ({"short_page_is_last": True, "size_param": "n", "size": 2}, {}, 2, False),
        ({"total": "t"}, {"t": 2}, 2, True),
        ({"total": "t"}, {"t": "3"}, 2, False),
        ({"total": "t", "size": 2}, {"t": 2}, 2, False),
        ({"total_pages": "p", "size": 2}, {"p": 1}, 2, False),
        ({"total_pages": "p"}, {"p": 1}, 2, True),
        ({"total_pages": "p"}, {"p": 2}, 0, False),
        ({"total_pages": "p"}, {"p": 0}, 0, True),
    ],
)
def test_a_page_number_ends_where_the_profile_says(
    content: dict[str, Any],
    document: Any,
    count: int,
    last: bool,  # noqa: FBT001
) -> None:
    pages = paginator(style(style="page_number", **content))
    assert (pages.after(arrived(document, count=count, total=count)) is None) is last


def test_an_offset_counts_the_records_that_came() -> None:
    pages = paginator(style(style="offset", offset_param="skip", size_param="n", size=500))
    assert pages.first() == Turn({"n": "500", "skip": "0"})
    assert pages.after(arrived(total=7)) == Turn({"n": "500", "skip": "7"})
    assert pages.after(arrived(count=0, total=7)) is None


def test_a_last_id_goes_on_from_the_last_record() -> None:
    pages = paginator(style(style="last_id", id_param="after", has_more="meta.more"))
    assert pages.first() == Turn({})
    assert pages.after(arrived({"meta": {"more": True}}, last="cus_9")) == Turn({"after": "cus_9"})
    assert pages.after(arrived({"meta": {"more": False}}, last=None)) is None


@pytest.mark.parametrize(
    ("content", "answer", "following"),
    [
        ({"style": "cursor", "cursor": "c", "size_param": "n", "size": 5}, {"document": {"c": "x"}},
         Turn({"n": "5", "cursor": "x"})),
        ({"style": "cursor", "cursor": "c", "cursor_param": "from"}, {"document": {"c": 12}}, Turn({"from": "12"})),
        ({"style": "next_link", "link": "l.next"}, {"document": {"l": {"next": "/b"}}}, Turn({}, link="/b")),
        ({"style": "next_header", "header": "x-next"}, {"X_Next": "/b"}, Turn({}, link="/b")),
        ({"style": "next_header", "header": "x-next", "cursor_param": "c"}, {"X_Next": "b"}, Turn({"c": "b"})),
        ({"style": "link_header"}, {"link": '</b>; rel="next"'}, Turn({}, link="/b")),
    ],
)  # fmt: skip
def test_tokens_say_where_the_next_page_is(content: dict[str, Any], answer: dict[str, Any], following: Turn) -> None:
    pages = paginator(style(**content))
    assert pages.after(arrived(**answer)) == following
    with pytest.raises(LoopError, match="round in a loop"):
        pages.after(arrived(**answer))
    assert pages.after(arrived({})) is None


@pytest.mark.parametrize("end", [None, "", False])
def test_an_empty_cursor_is_the_end(end: object) -> None:
    assert paginator(style(style="cursor", cursor="c")).after(arrived({"c": end})) is None


@pytest.mark.parametrize(
    ("header", "target"),
    [
        ('<a>; rel="next"', "a"),
        ("<a>;rel=next", "a"),
        ('< a > ; Rel = "NEXT"', "a"),
        ('<a>; rel="prev next"', "a"),
        ('<p>; rel="prev", <a>; rel="next", <l>; rel="last"', "a"),
        ('<p>; title="x; rel=next, <q>; y"; rel=prev, <a>; title="b=c"; rel=next', "a"),
        (r'<p>; title="\"; rel=next"; rel=prev, <a>; rel=next', "a"),
        ("<a?ids=1,2;3>; rel=next", "a?ids=1,2;3"),
        (" , <a>; rel=next, ", "a"),
        ("<a>; rel=next; rel=prev", "a"),
        ("<a>; rel=nextish", None),
        ("<a>", None),
        ("", None),
    ],
)
def test_the_next_link_is_read_from_a_link_header(header: str, target: str | None) -> None:
    turn = paginator(style(style="link_header")).after(arrived(Link=header))
    assert (turn and turn.link) == target


@pytest.mark.parametrize("header", ["a; rel=next", "<a; rel=next", '<a>; rel="next', "next"])
def test_a_link_header_that_is_none_is_an_error(header: str) -> None:
    with pytest.raises(PaginationError, match="Link header"):
        paginator(style(style="link_header")).after(arrived(Link=header))


@given(st.text('<>;,="\\relnxt', max_size=60))
def test_any_link_header_is_read_or_refused(header: str) -> None:
    pages = paginator(style(style="link_header"))
    try:
        turn = pages.after(arrived(Link=header))
    except PaginationError:
        return
    assert turn is None or ("next" in header and f"<{turn.link}>" in header.replace("< ", "<").replace(" >", ">"))


def test_a_long_link_header_is_refused_at_once() -> None:
    with pytest.raises(PaginationError):
        paginator(style(style="link_header")).after(arrived(Link="<a>" + ';  x="y"' * 10_000 + '"'))


@pytest.mark.parametrize(("document", "total"), [({"t": 0}, 0), ({"t": "12"}, 12)])
def test_a_total_is_a_whole_number(document: Any, total: int) -> None:
    assert total_of(style(style="offset", total="t"), document) == total
    assert total_of(style(style="offset"), document) is None
    assert total_of(style(style="offset", total="t"), {"t": None}) is None


@pytest.mark.parametrize("value", [-1, 1.5, True, "1.5", "-1", "", "٣", [1], {"a": 1}, "9" * 5000])
def test_anything_else_is_no_total(value: object) -> None:
    with pytest.raises(PaginationError, match=r"no whole number at 't' \(pagination.total\)"):
        total_of(style(style="offset", total="t"), {"t": value})
